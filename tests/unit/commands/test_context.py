"""Whose runs a command speaks of."""

from __future__ import annotations

import io
from argparse import Namespace
from pathlib import Path

import pytest

from windlass_runner.commands.context import find_place
from windlass_runner.commands.invocation import Invocation


@pytest.fixture
def invocation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invocation:
    (tmp_path / "repo/.git").mkdir(parents=True)
    (tmp_path / "repo/src").mkdir()
    monkeypatch.chdir(tmp_path / "repo/src")
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    return Invocation(environment=environment, out=io.StringIO(), err=io.StringIO())


def local_state(tmp_path: Path) -> Path:
    state = tmp_path / "repo/.windlass/state"
    state.mkdir(parents=True)
    (state / "ledger.db").touch()
    return state


NOTHING = Namespace(config=None, storage=None)


def test_local_runs_are_meant_inside_a_repository_that_has_some(
    invocation: Invocation, tmp_path: Path
) -> None:
    state = local_state(tmp_path)
    place = find_place(NOTHING, invocation)
    assert (place.storage.root, place.is_daemon) == (state, False)


def test_settings_beside_us_win_over_local_runs(invocation: Invocation, tmp_path: Path) -> None:
    local_state(tmp_path)
    (tmp_path / "repo/src/windlass.toml").write_text('[storage]\npath = "s"\n')
    place = find_place(NOTHING, invocation)
    assert (place.storage.root, place.is_daemon) == (tmp_path / "repo/src/s", True)
    assert "windlass.toml" in place.origin


def test_a_named_storage_wins_over_everything(invocation: Invocation, tmp_path: Path) -> None:
    local_state(tmp_path)
    place = find_place(Namespace(config=None, storage="elsewhere"), invocation)
    assert place.storage.root == tmp_path / "repo/src/elsewhere"


def test_without_any_of_these_the_default_storage_is_meant(invocation: Invocation) -> None:
    assert find_place(NOTHING, invocation).origin == "the default storage"
