"""Values that the tests of the ledger write down."""

from __future__ import annotations

from typing import Any

from windlass_runner.ledger.records import NewDelivery, NewJob, NewRun


def new_run(**changes: Any) -> NewRun:
    """A run of two jobs."""
    values: dict[str, Any] = {
        "repository": "digits",
        "ref": "refs/heads/main",
        "sha": "a" * 40,
        "workflow": "train",
        "workflow_path": ".windlass/workflows/train.yaml",
        "plan": '{"jobs": []}',
        "event": '{"kind": "push"}',
        "name": "train on main",
        "jobs": (
            NewJob(key="prepare", name="Prepare"),
            NewJob(key="fit", name="Fit", needs=("prepare",), planned='{"key": "fit"}'),
        ),
    }
    return NewRun(**(values | changes))


def new_delivery(id: str = "d1", **changes: Any) -> NewDelivery:
    """A webhook of a plain git repository."""
    values: dict[str, Any] = {
        "id": id,
        "forge": "git",
        "repository": "digits",
        "kind": "push",
        "headers": {"x-event": "push"},
        "body": b'{"ref": "refs/heads/main\xff"}',
    }
    return NewDelivery(**(values | changes))
