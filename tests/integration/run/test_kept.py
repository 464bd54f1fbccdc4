"""Folders that jobs keep for later runs, on each engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ACTION = """
name: Keeps
description: Keeps a folder.
version: 1.0.0
inputs:
  script: {description: What to do., type: string, code: shell}
permissions: {cache: true}
runs:
  using: composite
  steps:
    - run: ${{ inputs.script }}
"""
MAKE = """
jobs:
  make:
    uses: ./keeps
    with:
      script: |
        if [ -d "$WINDLASS_CACHE/thing" ]; then
            cat "$WINDLASS_CACHE/thing/deep/file"; touch "$WINDLASS_CACHE_NEW/thing"; exit
        fi
        mkdir -p "$WINDLASS_CACHE_NEW/thing/deep" "$WINDLASS_CACHE_NEW/.half"
        echo made > "$WINDLASS_CACHE_NEW/thing/deep/file"; ln -s /etc/passwd "$WINDLASS_CACHE_NEW/evil"
        echo "made it"; exit 3
"""
SPOIL = """
jobs:
  spoil:
    uses: ./keeps
    with:
      script: |
        rm -rf "$WINDLASS_CACHE/thing" 2>/dev/null || true
        echo spoilt > "$WINDLASS_CACHE/thing/deep/file" || echo no
        mkdir -p "$WINDLASS_CACHE_NEW/thing/deep" "$WINDLASS_CACHE_NEW/other"
        echo spoilt > "$WINDLASS_CACHE_NEW/thing/deep/file"
"""


@pytest.fixture
def keeping(runner: Any) -> Any:
    (runner.root / "keeps").mkdir()
    (runner.root / "keeps" / "action.yml").write_text(ACTION)
    return runner


def kept(runner: Any) -> list[str]:
    return sorted(each.name for each in (runner.storage.root / "caches").glob("*/*"))


def test_a_folder_is_there_for_the_next_run_also_where_the_job_failed(keeping: Any) -> None:
    first = keeping.run(MAKE)
    assert (first.state, first.log("make")) == ("failure", "made it")
    assert kept(keeping) == ["thing"]
    again = keeping.run(MAKE)
    assert (again.state, again.log("make")) == ("success", "made")


def test_what_is_kept_cannot_be_changed(keeping: Any) -> None:
    keeping.run(MAKE)
    spoilt = keeping.run(SPOIL)
    assert "no" in spoilt.log("spoil").splitlines()
    assert kept(keeping) == ["other", "thing"]
    assert keeping.run(MAKE).log("make") == "made"


def test_a_link_in_place_of_the_folder_leads_nowhere(keeping: Any, tmp_path: Path) -> None:
    host = tmp_path / "host"
    (host / "etc").mkdir(parents=True)
    script = f"rm -rf $WINDLASS_CACHE_NEW; ln -s {host} $WINDLASS_CACHE_NEW"
    done = keeping.run(f"jobs: {{swap: {{uses: ./keeps, with: {{script: '{script}'}}}}}}")
    assert done.state == "success"
    assert ((host / "etc").is_dir(), kept(keeping)) == (True, [])


def test_repositories_do_not_see_each_others(keeping: Any) -> None:
    keeping.run(MAKE)
    assert keeping.run(MAKE, repository="file:///srv/git/other.git").log("make") == "made it"


def test_a_fork_uses_what_is_there_and_adds_nothing(keeping: Any) -> None:
    strange = {"kind": "pull_request", "is_fork": True}
    assert keeping.run(MAKE, **strange).log("make") == "made it"
    assert kept(keeping) == []
    keeping.run(MAKE)
    assert keeping.run(MAKE, **strange).log("make") == "made"


def test_a_job_without_such_an_action_has_no_such_folder(keeping: Any) -> None:
    done = keeping.run(
        "jobs: {one: {uses: script@v1, with: {script: 'echo [$WINDLASS_CACHE]; ls -d /cache'}}}"
    )
    assert "[]" in done.log("one").splitlines()
    assert "No such file" in done.log("one")


def test_two_jobs_that_make_the_same_do_not_meet(keeping: Any) -> None:
    runs = [keeping.begin(MAKE), keeping.begin(MAKE)]
    assert [keeping.finished(run).states() for run in runs]
    assert kept(keeping) == ["thing"]
    assert keeping.run(MAKE).log("make") == "made"
