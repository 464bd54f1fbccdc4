"""What a lock has of the actions in the own folders of its graphs. Pure; called by whoever plans.

They are pinned by their package, so that a lock file has no need of them; a plan names each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from windlass_registry.lock import Lock, ResolvedAction
from windlass_registry.manifest import GraphRuns
from windlass_registry.manifest_runs import is_own_folder
from windlass_registry.refs import LocalRef, parse_uses

_BETWEEN: Final = " ./"
"""Between the `uses` of a package and the path of its part: a text that somebody writes has no blank."""


def name_in_lock(uses: str, runs: GraphRuns, text: str) -> str:
    """How a lock names what a graph's job uses. `uses`: how it names the graph itself."""
    if not is_own_folder(text):
        return runs.uses.get(text, text)
    ref = parse_uses(text)
    assert isinstance(ref, LocalRef)  # it was read
    return _below(uses, ref.path)


def with_parts(lock: Lock) -> Lock:
    """The lock with the actions in the own folders of its graphs, each under the name of its package and its
    path: what a plan is made from. A lock file has no need of them."""
    found = {part.uses: part for action in lock.actions.values() for part in _parts(action)}
    return replace(lock, actions={**lock.actions, **found}) if found else lock


def _parts(action: ResolvedAction) -> Iterator[ResolvedAction]:
    runs = action.manifest.runs
    for path, part in runs.parts.items() if isinstance(runs, GraphRuns) else ():
        found = replace(
            action,
            uses=_below(action.uses, path),
            name=_below(action.name, path),
            digest=part.digest,
            folder=action.folder / path,
            manifest=part.manifest,
        )
        yield found
        yield from _parts(found)


def _below(name: str, path: str) -> str:
    return f"{name}/{path}" if _BETWEEN in name else f"{name}{_BETWEEN}{path}"
