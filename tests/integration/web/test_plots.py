"""Plots of metrics over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from integration.web.linked import NOW, Linked, serving_links
from unit.ledger.ledger_values import new_run
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import EventDraft, JobUpdate, NewJob
from windlass_runner.run.storage import Storage

KEY = "train (a/b)"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def linked(ledger: Ledger, storage: Storage) -> Iterator[Linked]:
    with serving_links(ledger, storage) as served:
        yield served


def measure(ledger: Ledger, *values: float, name: str) -> str:
    run = ledger.runs.create(new_run(jobs=(NewJob(key=KEY, name="Train"),)), at=1.0)
    assert run is not None
    ledger.runs.record(run, jobs=[JobUpdate(key=KEY, state="running", started_at=2.0)], at=2.0)
    for step, value in enumerate(values):
        points = [{"name": name, "value": value, "step": step * 10}]
        event = EventDraft(kind="job.metrics", job_key=KEY, data={"points": points})
        ledger.runs.record(run, events=[event], at=3.0)
    return run


@pytest.mark.parametrize("name", ["loss", "val/loss", "a.svg", "<b> & ü"])
def test_who_has_its_link_sees_the_course(ledger: Ledger, linked: Linked, name: str) -> None:
    run = measure(ledger, 3.0, 2.0, 0.25, name=name)
    answer = linked.get(linked.links.make("plots", run, KEY, f"{name}.svg", since=NOW))
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    picture = ElementTree.fromstring(answer.body)
    assert picture.findtext(f"{SVG}title") == f"{name}: 0.25"
    assert len(picture.findall(f"{SVG}polyline")) == 1


def test_others_see_nothing(ledger: Ledger, linked: Linked) -> None:
    run = measure(ledger, 3.0, 2.0, name="loss")
    url = linked.links.make("plots", run, KEY, "loss.svg", since=NOW)
    assert linked.get(url.partition("?")[0]).status == 404
    assert linked.get(url.replace("loss", "other")).status == 404
    artifact = linked.links.make("artifacts", run, KEY, "loss.svg", since=NOW)
    assert linked.get(artifact.replace("/artifacts/", "/plots/")).status == 404


def test_a_metric_that_is_not_there_is_gone(ledger: Ledger, linked: Linked) -> None:
    run = measure(ledger, 3.0, 2.0, name="loss")
    for words in ((run, KEY, "other.svg"), (run, "test", "loss.svg"), ("r0", KEY, "loss.svg")):
        assert linked.get(linked.links.make("plots", *words, since=NOW)).status == 410
