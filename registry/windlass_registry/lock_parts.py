"""What a lock has of the actions in the own folders of its graphs. Pure; called by whoever plans.

They are pinned by their package, so that a lock file has no need of them; a plan names each of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from windlass_registry.lock import Lock, ResolvedAction
from windlass_registry.manifest import GraphRuns
from windlass_registry.manifest_runs import is_own_folder
from windlass_registry.refs import LocalRef, parse_uses

_BETWEEN: Final = " ./"
"""Between the `uses` of a package and the path of its part: a text that somebody writes has no blank."""


def name_in_lock(uses: str, runs: GraphRuns, text: str) -> str:
    """How the lock of a workflow names what a graph's job uses. `uses`: how it names the graph itself."""
    if not is_own_folder(text):
        return runs.uses.get(text, text)
    root = uses.partition(_BETWEEN)[0]
    ref = parse_uses(text)
    assert isinstance(ref, LocalRef)  # it was read
    return f"{root}{_BETWEEN}{ref.path}"


def with_parts(lock: Lock) -> Lock:
    """The lock with the actions in the own folders of its graphs, each under the name of its package and its
    path: what a plan is made from. A lock file has no need of them."""
    found: dict[str, ResolvedAction] = {}
    for uses, action in lock.actions.items():
        runs = action.manifest.runs
        for path, part in runs.parts.items() if isinstance(runs, GraphRuns) and _BETWEEN not in uses else ():
            name = f"{uses}{_BETWEEN}{path}"
            found[name] = replace(
                action,
                uses=name,
                name=f"{action.name}{_BETWEEN}{path}",
                digest=part.digest,
                folder=action.folder / path,
                manifest=part.manifest,
            )
    return replace(lock, actions={**lock.actions, **found}) if found else lock
