"""Packages that are a graph of jobs: what they use, and the actions in their own folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass_registry.archive import digest_folder
from windlass_registry.errors import AuthorError
from windlass_registry.lock import Lock, ResolvedAction
from windlass_registry.lock_parts import name_in_lock, with_parts
from windlass_registry.manifest import GraphRuns, parse_manifest
from windlass_registry.refs import GitRef
from windlass_registry.sources.git import in_repository
from windlass_registry.sources.packages import Package, load_package

GRAPH = "name: G\nruns:\n  using: workflow\n  jobs:\n"
STEPS = "name: S\nruns: {using: composite, steps: [{uses: 'acme/deep@v2'}]}\n"


def package(folder: Path, **manifests: str) -> Package:
    for name, text in manifests.items():
        place = folder / name.replace("__", "/").removeprefix("root") / "action.yml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    found = load_package(folder, shown_as="flow")
    assert found is not None
    return found


def test_a_graph_uses_what_its_jobs_their_steps_and_its_own_folders_use(tmp_path: Path) -> None:
    jobs = (
        "    a: {uses: x@v1}\n    b: {steps: [{uses: y@v1}, {uses: ./in}, {run: z}]}\n    c: {uses: x@v1}\n"
    )
    found = package(tmp_path, root=GRAPH + jobs, **{"in": STEPS})
    assert found.manifest.uses() == ("x@v1", "y@v1", "acme/deep@v2")


def test_a_lock_names_the_actions_in_own_folders_by_their_package(tmp_path: Path) -> None:
    inner = GRAPH + "    b: {uses: ./deeper}\n"
    found = package(tmp_path, root=GRAPH + "    a: {uses: $/in}\n", **{"in": inner, "in__deeper": STEPS})
    action = ResolvedAction(
        uses="acme/g@v1",
        name="acme/g",
        version="1.2.0",
        digest=found.digest,
        source="registry",
        folder=found.folder,
        manifest=found.manifest,
    )
    lock = with_parts(Lock(actions={"acme/g@v1": action}))
    assert list(lock.actions) == ["acme/g@v1", "acme/g@v1 ./in", "acme/g@v1 ./in/deeper"]
    assert with_parts(lock).actions == lock.actions
    part = lock.actions["acme/g@v1 ./in"]
    assert (part.version, part.source, part.folder) == ("1.2.0", "registry", tmp_path / "in")
    assert part.digest == digest_folder(tmp_path / "in")
    assert isinstance(part.manifest.runs, GraphRuns)
    assert name_in_lock(part.uses, part.manifest.runs, "./deeper") == "acme/g@v1 ./in/deeper"


def test_in_a_git_repository_names_are_githubs_and_own_folders_stay(tmp_path: Path) -> None:
    jobs = "    a: {uses: actions/thing@v1}\n    b: {uses: ./in}\n"
    found = package(tmp_path, root=GRAPH + jobs, **{"in": STEPS})
    ref = GitRef(url="https://github.com/octo/flows", path="g", ref="v1")
    manifest = in_repository(found, ref).manifest
    assert manifest.uses() == ("github.com/actions/thing@v1", "github.com/acme/deep@v2")
    assert isinstance(manifest.runs, GraphRuns)
    name = "github.com/octo/flows/g@v1"
    assert name_in_lock(name, manifest.runs, "actions/thing@v1") == "github.com/actions/thing@v1"
    assert name_in_lock(name, manifest.runs, "./in") == f"{name} ./in"


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("name: G\nruns: {using: workflow}\n", "2:7", "'using: workflow' needs 'jobs'"),
        ("name: G\nruns: {using: workflow, jobs: {}}\n", "2:31", "'jobs' is empty"),
        ("name: G\nruns: {using: workflow, jobs: [a]}\n", "2:31", "'jobs' must be a mapping, not a list"),
        (
            "name: G\nversion: 1.0.0\nruns: {using: workflow, jobs: {a: {}}, main: x}\n",
            "3:40",
            "unknown key 'main' in 'runs' with 'using: workflow'",
        ),
    ],
)
def test_what_is_no_graph_is_told_at_its_place(text: str, at: str, message: str) -> None:
    with pytest.raises(AuthorError) as caught:
        parse_manifest(text, path="action.yml")
    assert str(caught.value).startswith(f"action.yml:{at}: {message}")
