"""`windlass registry mirror`: a copy of a registry in a folder, checked, to serve or to carry away."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.mirror import mirror
from windlass_registry.releases import ReleaseFacts
from windlass_registry.trust.client import root_digest
from windlass_registry.trust.transport import open_transport
from windlass_runner.commands.invocation import Invocation, is_terminal
from windlass_runner.commands.paint import size
from windlass_runner.commands.registries import cache_folder, chosen_registry, utc_now


def make_mirror(arguments: Namespace, invocation: Invocation) -> int:
    """Copy, and say what came of it."""
    registry = chosen_registry(arguments.registry, invocation).registry
    target = (invocation.folder / arguments.target).resolve()
    if str(target) == registry.address:
        raise OperatorError(f"{target} is the registry itself", remedy="name another folder")
    made = mirror(
        open_transport(registry.address),
        target,
        root=registry.root,
        cache=cache_folder(invocation.environment) / "mirrors",
        clock=utc_now,
        wanted=wanted_packages(arguments),
        told=tell_progress(invocation),
    )
    if arguments.json:
        invocation.print_json({"folder": str(target), "root": root_digest(registry.root), **asdict(made)})
        return 0
    invocation.say(
        f"{target}: {made.packages} packages, {made.fetched} of them new ({size(made.fetched_bytes)})"
        + (f", {made.left_out} left out" if made.left_out else "")
    )
    invocation.say(f"to read it: windlass registry add {target} --root {root_digest(registry.root)}")
    return 0


def wanted_packages(arguments: Namespace) -> Callable[[ReleaseFacts], bool]:
    """Which packages `--namespace` asks for; all without it."""
    namespaces = frozenset(arguments.namespaces)
    return lambda facts: not namespaces or facts.name.partition("/")[0] in namespaces


def tell_progress(invocation: Invocation) -> Callable[[str, int, int], None]:
    """Shows each package on a terminal, on one line; nothing elsewhere."""
    if not is_terminal(invocation.err):
        return lambda what, done, of: None

    def tell(what: str, done: int, of: int) -> None:
        end = "\n" if done == of else ""
        invocation.err.write(f"\r\x1b[K{done}/{of}  {what}{end}")
        invocation.err.flush()

    return tell
