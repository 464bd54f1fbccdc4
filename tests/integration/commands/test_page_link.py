"""`show` leads to the page of a run, where the settings say how others reach the daemon."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from unit.ledger.ledger_values import new_run
from windlass_runner.daemon.storage_files import keep_key
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.storage import Storage
from windlass_runner.web.links import Links


@pytest.mark.parametrize("has_url", [True, False])
def test_the_page_is_told_with_a_link_that_opens_it(project: Any, has_url: bool) -> None:
    url = '[server]\nurl = "https://ci.example.org"\n' if has_url else ""
    project.write("windlass.toml", f'{url}[storage]\npath = "store"\n')
    storage = Storage(project.root / "store")
    with Ledger.open(storage.ledger) as ledger:
        run_id = ledger.runs.create(new_run(), at=time.time())
    key = keep_key(storage.link_key)
    told = json.loads(project.windlass("show", "--json").out).get("url")
    assert ("page https://ci.example.org/runs/" in project.windlass("show").out) == has_url
    if not has_url:
        assert told is None
        return
    parts = urlsplit(told)
    assert parts.path == f"/runs/{run_id}"
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    Links(address="https://ci.example.org", key=key).check(parts.path, query, at=time.time())
