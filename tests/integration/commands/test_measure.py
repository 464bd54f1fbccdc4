"""What an action's examples take: measured, published with it, and shown to whoever looks at it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from integration.commands.conftest import Project
from integration.commands.test_registry import Here, keys


@pytest.fixture
def project(project: Project, tmp_path: Path) -> Project:
    """A registry with a namespace, and a new action that nobody has published."""
    here = Here(root=project.root, environment=project.environment)
    assert here.windlass("registry", "init", str(tmp_path / "registry")).code == 0
    assert here.windlass("keys", "new", "acme").code == 0
    public = str(keys(tmp_path) / "acme.owner.pub")
    assert here.windlass("registry", "grant", "acme", "--key", public).code == 0
    assert here.windlass("action", "new", "greet").code == 0
    return here


def measure(project: Project, *words: str) -> str:
    # In a process of its own: a run listens to signals.
    tested = Project.windlass(project, "action", "test", "greet", "--engine", "process", "--measure", *words)
    assert tested.code == 0, tested.out + tested.err
    return tested.err


def test_what_was_measured_is_published_and_shown(project: Project) -> None:
    assert "measured: run time" in measure(project)
    published = project.windlass("publish", "greet")
    assert published.code == 0, published.err
    assert "measured  run time" in published.err
    shown = json.loads(project.windlass("info", "acme/greet@v0", "--json").out)["measured"]
    assert shown["examples"] == 2
    assert shown["milliseconds"] > 0
    assert shown["peak_memory_bytes"] > 1_000_000
    assert shown["image_bytes"] is None
    assert "measured: run time" in project.windlass("info", "acme/greet@v0").out


def test_other_files_are_published_without(project: Project) -> None:
    measure(project)
    project.write("greet/more.txt", "changed since")
    published = project.windlass("publish", "greet")
    assert published.code == 0, published.err
    assert "measured" not in published.err
    shown = json.loads(project.windlass("info", "acme/greet@v0", "--json").out)
    assert shown["measured"] is None


def test_a_file_carries_it_to_another_machine_and_only_for_these_files(project: Project) -> None:
    measure(project, "measured.json")
    assert "measured" not in project.windlass("publish", "greet", "--dry-run").err
    taken = project.windlass("publish", "greet", "--dry-run", "--measured", "measured.json")
    assert "measured  run time" in taken.err
    missing = project.windlass("publish", "greet", "--measured", "other.json")
    assert missing.code == 2
    assert "cannot be read" in missing.err
    project.write("greet/more.txt", "changed since")
    wrong = project.windlass("publish", "greet", "--measured", "measured.json")
    assert wrong.code == 2
    assert "was measured of other files" in wrong.err
