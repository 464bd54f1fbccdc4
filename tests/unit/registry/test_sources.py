from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from windlass_registry.errors import AuthorError, OperatorError
from windlass_registry.refs import LocalRef, RefError
from windlass_registry.sources.builtin import builtin_folder, load_builtin
from windlass_registry.sources.local import load_local

MANIFEST = "name: Tool\nruns: {using: python, main: main.py}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    tool = tmp_path / "repository" / "tools" / "tool"
    tool.mkdir(parents=True)
    (tool / "action.yml").write_text(MANIFEST)
    (tool / "main.py").write_text("print()\n")
    return tmp_path / "repository"


def test_a_folder_of_the_repository_is_an_action(repository: Path) -> None:
    action = load_local(repository, LocalRef(path="tools/tool"))
    assert (action.uses, action.source, action.version) == ("./tools/tool", "local", None)
    assert action.manifest.name == "Tool"
    assert action.folder == repository / "tools" / "tool"
    assert action.digest.startswith("sha256:")


def test_action_yaml_is_taken_too_and_so_is_the_root(repository: Path) -> None:
    (repository / "action.yaml").write_text("name: Root\nruns: {using: docker, image: Dockerfile}\n")
    assert load_local(repository, LocalRef(path="")).manifest.name == "Root"


def test_what_is_hidden_at_the_root_of_a_working_tree_is_no_part_of_its_action(repository: Path) -> None:
    (repository / "action.yml").write_text(MANIFEST)
    (repository / "main.py").write_text("")
    before = load_local(repository, LocalRef(path="")).digest
    (repository / ".venv").mkdir()
    (repository / ".venv" / "python").symlink_to("/usr/bin/python3")
    (repository / ".windlass" / "out").mkdir(parents=True)
    (repository / ".windlass" / "out" / "model").write_text("large")
    assert load_local(repository, LocalRef(path="")).digest == before


def test_an_uncommitted_change_changes_the_digest(repository: Path) -> None:
    before = load_local(repository, LocalRef(path="tools/tool")).digest
    (repository / "tools" / "tool" / "main.py").write_text("print(1)\n")
    assert load_local(repository, LocalRef(path="tools/tool")).digest != before


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nothing", "has no folder"),
        ("tools", "has no action.yml"),
        ("tools/tool/main.py", "is not a folder"),
        ("out", "leaves the repository"),
        ("out/deep", "leaves the repository"),
        ("loop", "has no folder"),
        (".git/hooks", "git's own folder"),
    ],
)
def test_a_path_that_is_no_action_of_the_repository_is_refused(
    repository: Path, path: str, message: str
) -> None:
    outside = repository.parent / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "action.yml").write_text(MANIFEST)
    (repository / "out").symlink_to(outside)
    (repository / "loop").symlink_to("loop")
    (repository / ".git" / "hooks").mkdir(parents=True)
    with pytest.raises(RefError, match=message):
        load_local(repository, LocalRef(path=path))


def test_a_link_inside_the_repository_is_followed(repository: Path) -> None:
    (repository / "here").symlink_to("tools/tool")
    assert load_local(repository, LocalRef(path="here")).manifest.name == "Tool"


def test_a_manifest_that_is_a_link_out_of_the_folder_is_refused(repository: Path) -> None:
    (repository / "secret.yml").write_text(MANIFEST)
    manifest = repository / "tools" / "tool" / "action.yml"
    manifest.unlink()
    manifest.symlink_to("../../secret.yml")
    with pytest.raises(AuthorError, match="a link to"):
        load_local(repository, LocalRef(path="tools/tool"))


def test_a_manifest_that_is_a_pipe_is_refused_at_once(repository: Path) -> None:
    manifest = repository / "tools" / "tool" / "action.yml"
    manifest.unlink()
    os.mkfifo(manifest)
    with pytest.raises(AuthorError, match="neither a file nor a folder"):
        load_local(repository, LocalRef(path="tools/tool"))


def test_problems_of_a_local_manifest_have_their_place(repository: Path) -> None:
    (repository / "tools" / "tool" / "action.yml").write_text("name: x\nruns: {using: pyton}\n")
    with pytest.raises(AuthorError) as caught:
        load_local(repository, LocalRef(path="tools/tool"))
    assert str(caught.value.problems[0]).startswith("tools/tool/action.yml:2:15: 'using' cannot be 'pyton'")


def test_an_entry_file_that_is_missing_is_said(repository: Path) -> None:
    (repository / "tools" / "tool" / "main.py").unlink()
    with pytest.raises(AuthorError, match=r"has no file 'main.py'"):
        load_local(repository, LocalRef(path="tools/tool"))


def test_the_built_in_actions_are_found() -> None:
    index = load_builtin()
    wanted = {"container", "script", "python", "git-checkout", "create-model", "s3-download"}
    assert wanted <= set(index.names())
    release = index.releases("container")[0]
    assert (release.source, release.version.major) == ("builtin", 1)
    assert release.load().folder == builtin_folder() / "container"


def test_one_built_in_action_is_read_without_the_others(tmp_path: Path) -> None:
    for name, text in (("good", "version: 1.0.0\n" + MANIFEST), ("bad", "not a manifest")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "action.yml").write_text(text)
        (tmp_path / name / "main.py").write_text("")
    index = load_builtin(tmp_path)
    assert index.names() == ("bad", "good")
    assert str(index.releases("good")[0].version) == "1.0.0"
    with pytest.raises(OperatorError, match=r"'bad'.* is damaged"):
        index.releases("bad")


def test_reading_the_registry_imports_nothing_heavy() -> None:
    program = (
        "import sys; from windlass_registry.sources.builtin import load_builtin; load_builtin();"
        "print([n for n in ('jsonschema', 'docker', 'sqlalchemy', 'httpx', 'ssl') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
