"""What `windlass github setup` leaves on the disk."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError
from windlass_runner.commands.github_files import (
    NewCredentials,
    SecretFiles,
    append,
    credentials_text,
    repository_text,
    write_private,
)
from windlass_runner.daemon.settings import load_settings
from windlass_runner.forges.github.app_manifest import NewApp

APP = NewApp(
    id=7,
    slug="ci",
    name="CI",
    owner="acme",
    page="https://github.com/apps/ci",
    private_key="KEY\n",
    webhook_secret="",
)


def test_a_secret_is_its_owners_alone_and_never_put_over_another(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, "one")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_private(path, "two")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "link", "two")
    assert path.read_text() == "one"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["key", "link"]


def test_one_that_came_there_meanwhile_stays_and_the_way_out_is_told(tmp_path: Path) -> None:
    files = SecretFiles.of(tmp_path / "windlass.toml", "ci")
    files.prepare()
    files.private_key.write_text("another")
    with pytest.raises(OperatorError, match=r"delete the App at https://github.com/apps/ci, and begin again"):
        files.write(APP)
    assert files.private_key.read_text() == "another"


def test_an_app_without_a_hook_leaves_no_secret_of_one(tmp_path: Path) -> None:
    files = SecretFiles.of(tmp_path / "windlass.toml", "ci")
    files.prepare()
    files.write(APP)
    assert files.private_key.read_text() == "KEY\n"
    assert not files.webhook_secret.exists()


def test_the_text_is_toml_whatever_the_folders_are_called(tmp_path: Path) -> None:
    folder = tmp_path / 'a "quoted" \\ folder'
    folder.mkdir()
    settings = folder / "windlass.toml"
    new = NewCredentials(
        name="ci",
        app_id=7,
        files=SecretFiles.of(tmp_path / "other.toml", "ci"),
        has_hook=True,
        api_url="https://git.example.org/api/v3",
    )
    append(
        settings,
        [
            credentials_text(new, folder=folder),
            repository_text("https://git.example.org/acme/digits", credentials="ci", poll_s=30),
        ],
        environment={},
    )
    found = load_settings(settings, {})
    assert found.credentials["ci"].private_key is not None
    assert found.credentials["ci"].private_key.file == tmp_path / "credentials" / "ci.private-key.pem"
    assert found.repositories[0].credentials == "ci"
    assert "\n\n[[repository]]\n" in settings.read_text()


def test_a_file_keeps_every_byte_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "windlass.toml"
    own = '\ufeff# mine\r\n[server]\r\nlisten = "127.0.0.1:0"'.encode()
    path.write_bytes(own)
    path.chmod(0o640)
    append(path, ['[secrets]\nA = {env = "A"}\n'], environment={})
    assert path.read_bytes().startswith(own + b"\n\n[secrets]\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert tomllib.loads(path.read_text("utf-8-sig"))["secrets"]["A"]["env"] == "A"


def test_a_file_that_would_not_hold_any_more_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "windlass.toml"
    path.write_text("[server]\n")
    with pytest.raises(OperatorError, match="not TOML"):
        append(path, ["[server]\n"], environment={})
    assert path.read_text() == "[server]\n"
