"""A run with everything that its page can show, some of it by somebody who means no good."""

from __future__ import annotations

import json

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptUpdate, EventDraft, JobUpdate, NewJob, NewRun, RunUpdate
from windlass_runner.plan.codec import dumps
from windlass_runner.plan.model import ActionPin, Plan
from windlass_runner.run.log_file import LogWriter
from windlass_runner.run.protocol import LineKind
from windlass_runner.run.storage import Storage
from windlass_runner.workflow.events import Event

EVIL = "<script>alert(1)</script>"
SHA = "4f2a" * 10
PIN = ActionPin(
    uses="python@v1", name="python", version="1.2.0", digest="sha256:" + "a" * 64, source="builtin"
)


def add_run(ledger: Ledger, storage: Storage, *, at: float) -> str:
    """It goes on: one job succeeded, one failed, one runs, one waits."""
    event = Event(kind="push", repository="digits", ref="refs/heads/main", sha=SHA)
    plan = Plan(
        workflow="train",
        path=".windlass/workflows/train.yaml",
        run_name="train",
        event=event,
        reason="push to main",
        inputs={},
        env={},
        specs={},
        jobs=(),
        actions=(PIN,),
    )
    names = ("prepare", "fit (lr=0.1)", "fit (lr=0.01)", "report", f"odd {EVIL}")
    jobs = tuple(NewJob(key=name, name=name, needs=names[1:3] if name == "report" else ()) for name in names)
    run_id = ledger.runs.create(
        NewRun(
            repository="digits",
            ref="refs/heads/main",
            sha=SHA,
            workflow="train",
            workflow_path=".windlass/workflows/train.yaml",
            plan=dumps(plan),
            event=json.dumps(event.to_json()),
            name="Train the digits",
            jobs=jobs,
        ),
        at=at - 200,
    )
    assert run_id is not None
    ledger.runs.record(
        run_id,
        run=RunUpdate(state="running", started_at=at - 190),
        jobs=[
            JobUpdate(key=names[0], state="success", attempt=1, started_at=at - 190, ended_at=at - 150),
            _failed(names[1], at=at),
            JobUpdate(key=names[2], state="running", attempt=1, started_at=at - 150),
            JobUpdate(key=names[4], state="skipped", reason=f"because {EVIL}"),
        ],
        attempts=[_attempt(name, at=at) for name in names[:2]],
        events=[_measured(names[1]), _measured(names[2])],
        at=at - 20,
    )
    write_log(storage, run_id, names[0], [("", "collecting scikit-learn"), ("", "done")])
    write_log(
        storage,
        run_id,
        names[1],
        [
            ("group", "Fit"),
            ("", "\x1b[32mepoch 1\x1b[0m  loss 0.91"),
            ("", f"a line of {EVIL} & more"),
            ("warning", "the loss does not fall any more"),
            ("error", "ValueError: input contains NaN"),
        ],
    )
    write_log(storage, run_id, names[2], [("", f"epoch {number}") for number in range(1, 31)])
    return run_id


def write_log(storage: Storage, run_id: str, key: str, lines: list[tuple[LineKind, str]]) -> None:
    """Append these to the log of the first attempt."""
    writer = LogWriter(storage.log(run_id, key, 1), clock=lambda: 5.0)
    writer.write([("", None, "1", kind, text) for kind, text in lines])
    writer.close()


def _failed(key: str, *, at: float) -> JobUpdate:
    return JobUpdate(
        key=key,
        state="failure",
        reason="exit code 1",
        attempt=1,
        started_at=at - 150,
        ended_at=at - 30,
        exit_code=1,
        metrics={"loss": {"last": 0.31}, "accuracy": {"last": 0.952}},
        outputs={
            "model": {"type": "artifact", "path": "/storage/model", "size_bytes": 1_834_223},
            "note": {"type": "string", "text": f"fine {EVIL}"},
        },
        annotations=[
            {"level": "error", "message": f"input contains NaN {EVIL}", "file": "train.py", "line": 14},
            {"level": "warning", "message": "slow"},
        ],
        summary=f"# Results\n\n{EVIL}",
    )


def _attempt(key: str, *, at: float) -> AttemptUpdate:
    images = {"python:3.12": "sha256:" + "b" * 64}
    return AttemptUpdate(
        job_key=key, number=1, state="ended", host="gpu1", at=at - 30, detail={"images": images}
    )


def _measured(key: str) -> EventDraft:
    points = [
        {"name": name, "value": start / (step + 1) ** 0.7, "step": step}
        for step in range(40)
        for name, start in (("loss", 2.3), ("accuracy", 0.4))
    ]
    return EventDraft(kind="job.metrics", job_key=key, data={"points": points})
