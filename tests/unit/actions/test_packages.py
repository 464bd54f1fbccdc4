"""What holds for every built-in action."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from unit.actions.running import Job
from windlass_registry.catalog import Catalog
from windlass_registry.documents import Value, compose, value_of
from windlass_registry.manifest import ActionManifest, PythonRuns
from windlass_registry.manifest_inputs import misfit
from windlass_registry.refs import RegistryRef, parse_uses
from windlass_registry.resolver import resolve
from windlass_registry.sources.builtin import load_builtin
from windlass_registry.sources.local import load_local
from windlass_runner.run.looking_up import look_up_actions
from windlass_runner.workflow.parse import parse_workflow

INDEX = load_builtin()
NAMES = INDEX.names()


def package(name: str) -> tuple[ActionManifest, Path]:
    found = INDEX.releases(name)[0]
    loaded = found.load()
    return loaded.manifest, loaded.folder


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    manifest, folder = package(name)
    assert manifest.name
    assert manifest.description.endswith(".")
    assert all(each.description for each in manifest.inputs.values())
    assert all(each.description for each in manifest.outputs.values())
    assert manifest.resources
    assert manifest.examples
    assert manifest.branding
    assert {"README.md", "example.yaml"} <= {each.name for each in folder.iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_its_readme_names_every_input_and_output(name: str) -> None:
    manifest, folder = package(name)
    text = (folder / "README.md").read_text()
    assert text.startswith(f"# {name}@v1\n")
    assert all(f"`{each}`" in text for each in (*manifest.inputs, *manifest.outputs))


@pytest.mark.parametrize("name", NAMES)
def test_its_example_gives_inputs_that_exist(name: str) -> None:
    folder = package(name)[1]
    node = compose((folder / "example.yaml").read_bytes(), path="example.yaml")
    assert node is not None
    workflow = value_of(node)
    jobs = entry(workflow, "jobs")
    assert isinstance(jobs, dict)
    uses = [str(entry(job, "uses")) for job in jobs.values()]
    assert f"{name}@v1" in uses
    for job, text in zip(jobs.values(), uses, strict=True):
        ref = parse_uses(text)
        assert isinstance(ref, RegistryRef)
        inputs = package(ref.name)[0].inputs
        given = entry(job, "with")
        assert isinstance(given, dict)
        for key, value in given.items():
            assert misfit(value, inputs[key].type, inputs[key].options) is None


def entry(value: Value, key: str) -> Value:
    assert isinstance(value, dict)
    return value[key]


@pytest.mark.parametrize("name", NAMES)
def test_it_resolves_by_its_major_version(name: str, tmp_path: Path) -> None:
    lock = resolve(
        [f"{name}@v1"], catalog=Catalog(builtin=INDEX), local=lambda ref: load_local(tmp_path, ref)
    )
    assert lock.actions[f"{name}@v1"].name == name


def imported(source: str) -> set[str]:
    return set(re.findall(r"^(?:from|import) ([a-z_0-9]+)", source, re.MULTILINE)) - {"__future__"}


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(package(n)[0].runs, PythonRuns)])
def test_its_program_needs_only_the_standard_library_of_python_3_8(name: str) -> None:
    programs = sorted(package(name)[1].glob("*.py"))
    own = {each.stem for each in programs}
    for program in programs:
        source = program.read_text()
        ast.parse(source, feature_version=(3, 8))
        assert imported(source) - own <= sys.stdlib_module_names


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(package(n)[0].runs, PythonRuns)])
def test_its_program_says_what_is_wrong_as_an_annotation(name: str, job: Job) -> None:
    ended = job.run(name)
    assert ended.code == 1
    assert ended.error.startswith(f"{name}: ")
    assert "Traceback" not in ended.log


@pytest.mark.parametrize("name", NAMES)
def test_its_example_is_a_workflow_without_a_problem(name: str, tmp_path: Path) -> None:
    place = package(name)[1] / "example.yaml"
    workflow = parse_workflow(place.read_bytes(), path="example.yaml").workflow
    lock, problems = look_up_actions(workflow, root=tmp_path, pins=None, catalog=Catalog(builtin=INDEX))
    assert lock.actions
    assert [str(problem) for problem in problems] == []
