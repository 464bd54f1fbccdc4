"""The registry as people use it: begin one, publish, run what was published, check it, change keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from integration.commands.conftest import Here, Project

ACTION = """\
name: Greet
description: Says hello
version: 1.0.0
runs:
  using: composite
  steps:
    - run: echo "hello from the registry"
      shell: bash
"""
WORKFLOW = """\
name: w
on: push
jobs:
  greet:
    image: windlass-test/none
    steps:
      - uses: acme/greet@v1
"""


@pytest.fixture
def project(project: Project, tmp_path: Path) -> Project:
    """A repository with a package, a registry beside it, and a namespace that is granted."""
    here = Here(root=project.root, environment=project.environment)
    here.write("actions/greet/action.yml", ACTION)
    here.workflow(WORKFLOW)
    here.git("remote", "add", "origin", "https://ann:secret@git.example.org/acme/actions.git")
    here.commit()
    assert here.windlass("registry", "init", str(tmp_path / "registry")).code == 0
    assert here.windlass("keys", "new", "acme").code == 0
    public = str(keys(tmp_path) / "acme.owner.pub")
    assert here.windlass("registry", "grant", "acme", "--key", public).code == 0
    return here


def keys(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "windlass" / "keys"


def test_what_is_published_runs_by_its_name(project: Project) -> None:
    published = project.windlass("publish", "actions/greet", "--notes", "the first")
    assert published.code == 0, published.err
    assert published.out == "uses: acme/greet@v1.0.0\n"
    assert "source    https://git.example.org/acme/actions.git at " in published.err
    assert "secret" not in published.err
    assert project.windlass("lock").code == 0
    ran = Project.windlass(project, "run", ".windlass/workflows/w.yaml", "--engine", "process")
    assert ran.code == 0, ran.out + ran.err
    assert "hello from the registry" in ran.out
    verified = project.windlass("verify", "--json")
    assert verified.code == 0, verified.out
    links = [json.loads(line) for line in verified.out.splitlines()]
    assert [link["name"] for link in links] == [
        *("registry", "owner", "publisher", "release", "package", "provenance")
    ]
    assert {link["standing"] for link in links} == {"sound"}
    assert "https://git.example.org/acme/actions.git at " in links[-1]["text"]


def test_a_version_is_published_once(project: Project) -> None:
    assert project.windlass("publish", "actions/greet").code == 0
    again = project.windlass("publish", "actions/greet")
    assert again.code == 2
    assert "with this very content" in again.err
    project.write("actions/greet/more", "x")
    changed = project.windlass("publish", "actions/greet")
    assert changed.code == 2
    assert "with other content" in changed.err
    assert "publish the next one" in changed.err


def test_the_version_may_stand_in_a_tag(project: Project) -> None:
    project.write("actions/greet/action.yml", ACTION.replace("version: 1.0.0\n", ""))
    project.commit()
    without = project.windlass("publish", "actions/greet")
    assert without.code == 2
    assert "tag the commit 'v1.0.0'" in without.err
    project.git("tag", "greet-v1.3.0")
    assert project.windlass("publish", "actions/greet").out == "uses: acme/greet@v1.3.0\n"


@pytest.mark.parametrize(
    ("uses", "told"),
    [
        ("./actions/other", "a folder that nobody else has"),
        ("actions/cache@main", "for GitHub's write 'github.com/actions/cache@main'"),
    ],
)
def test_a_package_uses_what_means_the_same_to_everybody(project: Project, uses: str, told: str) -> None:
    text = ACTION.replace("""run: echo "hello from the registry"\n      shell: bash""", f"uses: {uses}")
    project.write("actions/greet/action.yml", text)
    refused = project.windlass("publish", "actions/greet")
    assert refused.code == 2
    assert told in refused.err


def test_a_package_that_pins_an_action_of_github_publishes_as_it_is(project: Project) -> None:
    uses = "uses: actions/cache@0c45773b623bea8c8e75f6c82b208c3cf94ea4f9"
    text = ACTION.replace("""run: echo "hello from the registry"\n      shell: bash""", uses)
    project.write("actions/greet/action.yml", text)
    assert project.windlass("publish", "actions/greet").code == 0


def test_a_dry_run_publishes_nothing(project: Project) -> None:
    dry = project.windlass("publish", "actions/greet", "--dry-run", "--json")
    assert dry.code == 0, dry.err
    assert json.loads(dry.out)["published"] is False
    assert project.windlass("verify", "acme/greet@1.0.0").code == 1
    assert project.windlass("publish", "actions/greet").code == 0


def test_a_yanked_release_is_passed_over_and_a_deprecated_one_names_its_successor(project: Project) -> None:
    project.windlass("publish", "actions/greet")
    yanked = project.windlass("yank", "acme/greet@1.0.0", "--reason", "says too little")
    assert yanked.code == 0, yanked.err
    planned = project.windlass("plan", ".windlass/workflows/w.yaml")
    assert planned.code == 2
    assert "says too little" in planned.err
    assert "yanked: says too little" in project.windlass("info", "acme/greet").out
    assert "there are: 1.0.0" in project.windlass("info", "acme/greet@v2").err
    assert project.windlass("yank", "acme/greet@1.0.0", "--undo").code == 0
    assert project.windlass("deprecate", "acme/greet", "--successor", "acme/hello@v1").code == 0
    shown = project.windlass("verify", "acme/greet@1.0.0")
    assert "deprecated: acme/hello@v1" in shown.out


def test_a_stolen_release_key_is_revoked_and_what_it_signed_is_shown(
    project: Project, tmp_path: Path
) -> None:
    project.windlass("publish", "actions/greet")
    stolen = (keys(tmp_path) / "acme.release.key").read_bytes()
    revoked = project.windlass("keys", "revoke", "acme.release")
    assert revoked.code == 0, revoked.err
    assert "acme/greet@1.0.0" in revoked.out
    assert "acme.release-2 signs from now on" in revoked.out
    (keys(tmp_path) / "acme.release-2.key").write_bytes(stolen)  # the thief has nothing else
    project.write("actions/greet/action.yml", ACTION.replace("1.0.0", "6.6.6"))
    tried = project.windlass("publish", "actions/greet")
    assert tried.code == 3
    assert "0 of the keys" in tried.err
    checked = project.windlass("verify", "acme/greet@1.0.0")
    assert checked.code == 0
    assert "which its owner revoked" in checked.out


def test_a_key_that_was_rotated_away_can_still_be_revoked(project: Project, tmp_path: Path) -> None:
    project.windlass("publish", "actions/greet")
    listed = [json.loads(line) for line in project.windlass("keys", "list", "--json").out.splitlines()]
    letters = next(each["id"] for each in listed if each["name"] == "acme.release")[:8]
    assert project.windlass("keys", "rotate", "acme").code == 0
    assert "which its owner revoked" not in project.windlass("verify", "acme/greet@1.0.0").out
    revoked = project.windlass("keys", "revoke", letters)
    assert revoked.code == 0, revoked.err
    assert "acme/greet@1.0.0" in revoked.out
    assert "signs from now on" not in revoked.out  # the key that came in its place stays
    assert "which its owner revoked" in project.windlass("verify", "acme/greet@1.0.0").out
    unknown = project.windlass("keys", "revoke", "0123456789")
    assert (unknown.code, "--namespace NAME" in unknown.err) == (3, True)


def test_a_lost_owner_key_is_replaced_with_a_claim(project: Project, tmp_path: Path) -> None:
    project.windlass("publish", "actions/greet")
    for name in ("acme.owner", "acme.release"):
        (keys(tmp_path) / f"{name}.key").unlink()
    assert project.windlass("keys", "new", "acme-again").code == 0
    claimed = project.windlass("keys", "claim", "acme", "--keys", "acme-again", "--out", "claim.json")
    assert claimed.code == 0, claimed.err
    public = str(keys(tmp_path) / "acme-again.owner.pub")
    bare = project.windlass("registry", "grant", "acme", "--key", public)
    assert bare.code == 2
    assert "windlass keys claim acme" in bare.err
    granted = project.windlass("registry", "grant", "acme", "--key", public, "--claim", "claim.json")
    assert granted.code == 0, granted.err
    project.write("actions/greet/action.yml", ACTION.replace("1.0.0", "1.1.0"))
    published = project.windlass("publish", "actions/greet", "--namespace", "acme")
    assert published.code == 0, published.err
    assert project.windlass("verify", "acme/greet@1.0.0").code == 0


def test_the_registrys_own_keys_change_and_everything_goes_on(project: Project, tmp_path: Path) -> None:
    project.windlass("publish", "actions/greet")
    renewed = project.windlass("registry", "rekey")
    assert renewed.out == "signed anew: root, targets\n", renewed.err
    changed = project.windlass("registry", "rekey", "--online", "--targets", "--root", "--json")
    assert json.loads(changed.out) == {"changed": ["online", "targets", "root"], "root": 3}
    assert project.windlass("keys", "renew", "acme").code == 0
    for former in ("registry.root", "registry.targets"):
        (keys(tmp_path) / f"{former}.key").unlink()
    (tmp_path / "registry" / "private" / "online.key").unlink()
    assert project.windlass("keys", "new", "tools").code == 0
    grant = ("registry", "grant", "tools", "--key", str(keys(tmp_path) / "tools.owner.pub"))
    assert project.windlass(*grant).code == 0
    project.write("actions/greet/action.yml", ACTION.replace("1.0.0", "1.1.0"))
    assert project.windlass("publish", "actions/greet", "--namespace", "acme").code == 0
    assert project.windlass("verify", "acme/greet@1.1.0").code == 0


def test_a_key_with_a_passphrase_signs_with_it_alone(project: Project, tmp_path: Path) -> None:
    word = project.write("passphrase", "open sesame\n")
    assert project.windlass("keys", "new", "tools", "--passphrase-file", str(word)).code == 0
    grant = ("registry", "grant", "tools", "--key", str(keys(tmp_path) / "tools.owner.pub"))
    assert project.windlass(*grant).code == 0
    publish = ("publish", "actions/greet", "--namespace", "tools")
    without = project.windlass(*publish)
    assert without.code == 3
    assert "--passphrase-file" in without.err
    assert project.windlass(*publish, "--passphrase-file", str(word)).code == 0


def test_a_registry_is_believed_by_the_root_that_its_owner_told(project: Project, tmp_path: Path) -> None:
    address = str(tmp_path / "registry")
    listed = json.loads(project.windlass("registry", "list", "--json").out)
    assert project.windlass("registry", "remove", "registry").code == 0
    wrong = project.windlass("registry", "add", address, "--root", "sha256:" + "0" * 64)
    assert wrong.code == 3
    assert "begins with the root" in wrong.err
    assert project.windlass("registry", "list").out == ""
    assert project.windlass("registry", "add", address, "--root", listed["root"]).code == 0
    unseen = project.windlass("registry", "add", address, "--name", "again")
    assert "by another way" in unseen.err
    several = project.windlass("publish", "actions/greet")
    assert several.code == 3
    assert "--registry" in several.err


def test_a_namespace_that_reads_like_another_is_not_granted(project: Project, tmp_path: Path) -> None:
    assert project.windlass("keys", "new", "acne").code == 0
    public = str(keys(tmp_path) / "acne.owner.pub")
    refused = project.windlass("registry", "grant", "acne", "--key", public)
    assert refused.code == 2
    assert "reads like 'acme'" in refused.err
    assert project.windlass("registry", "grant", "acne", "--key", public, "--despite-likeness").code == 0


def test_a_private_key_is_handed_to_nobody_and_readable_by_nobody_else(
    project: Project, tmp_path: Path
) -> None:
    private = keys(tmp_path) / "acme.release.key"
    assert private.stat().st_mode & 0o777 == 0o600
    handed = project.windlass("registry", "grant", "other", "--key", str(private))
    assert handed.code == 3
    assert "is a private key" in handed.err
    private.chmod(0o644)
    refused = project.windlass("publish", "actions/greet")
    assert refused.code == 3
    assert "chmod 600" in refused.err


def test_verify_tells_of_files_that_were_changed_on_disk(project: Project, tmp_path: Path) -> None:
    project.windlass("publish", "actions/greet")
    project.windlass("lock")
    assert project.windlass("verify").code == 0
    (found,) = (tmp_path / "home" / ".cache" / "windlass" / "packages").rglob("action.yml")
    found.chmod(0o644)
    found.write_text(ACTION + "# changed\n")
    verified = project.windlass("verify")
    assert verified.code == 1
    assert "was changed on disk" in verified.out


def test_verify_works_offline_by_what_was_read_last(project: Project, tmp_path: Path) -> None:
    project.windlass("publish", "actions/greet")
    project.windlass("lock")
    assert project.windlass("verify").code == 0
    (tmp_path / "registry").rename(tmp_path / "away")
    assert project.windlass("verify", "--offline").code == 0
    assert project.windlass("verify").code == 1


def test_help_and_status_load_nothing_of_the_trust(project: Project) -> None:
    project.commit()
    for words in (["--help"], ["status"], ["keys", "--help"], ["registry", "--help"], ["publish", "--help"]):
        answer = Project.windlass(project, *words, PYTHONPROFILEIMPORTTIME="1")
        loaded = {line.rpartition("|")[2].strip() for line in answer.err.splitlines() if "|" in line}
        assert "windlass_runner" in loaded
        assert not {
            each for each in loaded if each.partition(".")[0] in ("tuf", "securesystemslib", "cryptography")
        }
