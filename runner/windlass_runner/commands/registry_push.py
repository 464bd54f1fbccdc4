"""`windlass registry push`: a registry beside container images, in any OCI registry."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path

from windlass_registry.hosting.mirror import mirror
from windlass_registry.hosting.oci_mirror import push_folder
from windlass_registry.releases import ReleaseFacts
from windlass_registry.sources.oci import OciRepository
from windlass_registry.trust.client import root_digest
from windlass_registry.trust.transport import open_transport
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.registries import cache_folder, chosen_registry, utc_now
from windlass_runner.commands.registry_mirror import tell_progress, wanted_packages


def push(arguments: Namespace, invocation: Invocation) -> int:
    """Check everything as any reader would, then push it."""
    registry = chosen_registry(arguments.registry, invocation).registry
    repository = OciRepository(arguments.target)
    chosen: list[ReleaseFacts] = []
    is_wanted = wanted_packages(arguments)

    def choose(facts: ReleaseFacts) -> bool:
        if is_wanted(facts):
            chosen.append(facts)
        return is_wanted(facts)

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "registry"
        mirror(
            open_transport(registry.address),
            folder,
            root=registry.root,
            cache=cache_folder(invocation.environment) / "mirrors",
            clock=utc_now,
            wanted=choose,
        )
        made = push_folder(folder, repository, chosen, told=tell_progress(invocation))
    digest = root_digest(registry.root)
    if arguments.json:
        told = {"packages": made.packages, "pushed": made.pushed, "root": digest}
        invocation.print_json({"repository": repository.address, **told})
        return 0
    invocation.say(f"{repository.address}: {made.packages} packages, {made.pushed} of them new")
    invocation.say(f"to read it: windlass registry add {repository.address} --root {digest}")
    return 0
