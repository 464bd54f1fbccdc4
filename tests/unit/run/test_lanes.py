"""Which sandboxes a run asks for first."""

from __future__ import annotations

from pathlib import Path

from windlass_registry.catalog import Catalog
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.plan.model import Plan
from windlass_runner.run.lanes import first_lanes, slot_lane
from windlass_runner.run.prepare import plan_run
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.parse import parse_workflow

WORK = "uses: container@v1, with: {image: x, command: 'true'}"


def plan(*jobs: str) -> Plan:
    text = "jobs:\n" + "".join(f"  {job}\n" for job in jobs)
    event = Event(kind="push", repository="file:///x.git", ref="refs/heads/main", sha="1" * 40)
    return plan_run(
        parse_workflow(text, path="w.yaml"),
        event=event,
        reason="a test",
        root=Path("/nonexistent"),
        pins=None,
        catalog=Catalog.of_builtin(),
        options=PlanOptions(),
    )


def test_a_chain_asks_for_one_lane() -> None:
    chain = plan(f"a: {{{WORK}}}", f"b: {{needs: [a], {WORK}}}")
    assert first_lanes(chain, parallelism=4) == (slot_lane(0),)


def test_a_fan_asks_for_no_more_lanes_than_slots() -> None:
    fan = plan(*(f"j{number}: {{{WORK}}}" for number in range(9)))
    assert first_lanes(fan, parallelism=4) == tuple(slot_lane(number) for number in range(4))


def test_a_job_with_services_has_a_network_of_its_own() -> None:
    alone = plan(f"a: {{services: {{db: {{image: y}}}}, {WORK}}}")
    assert first_lanes(alone, parallelism=4) == ()
