from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from windlass_runner.daemon.evidence import read_evidence
from windlass_runner.daemon.status import ChecksShown, compose_status
from windlass_runner.forges.base import CommitStatus
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import AttemptUpdate, EventDraft, JobUpdate, NewJob, NewRun, RunUpdate
from windlass_runner.plan.codec import dumps
from windlass_runner.plan.model import ActionPin, Plan
from windlass_runner.run.check_evidence import BaseFigures
from windlass_runner.run.log_file import LogWriter
from windlass_runner.run.storage import Storage
from windlass_runner.web.links import Links, run_url
from windlass_runner.workflow.events import Event

PATH = ".windlass/workflows/train.yaml"
PIN = ActionPin(
    uses="script@v1", name="script", version="1.0.0", digest="sha256:" + "a" * 64, source="builtin"
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(str(tmp_path / "ledger.db")) as opened:
        yield opened


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


def new_run(
    ledger: Ledger,
    *,
    sha: str = "a" * 40,
    ref: str = "refs/heads/main",
    jobs: tuple[NewJob, ...] = (NewJob(key="train", name="Train"),),
    rerun_of: str | None = None,
    **event: Any,
) -> str:
    """A run of `train`."""
    happened = Event(**({"kind": "push", "repository": "digits", "ref": ref, "sha": sha} | event))
    plan = Plan(
        workflow="train",
        path=PATH,
        run_name="train",
        event=happened,
        reason="push to main",
        inputs={},
        env={},
        specs={},
        jobs=(),
        actions=(PIN,),
    )
    made = ledger.runs.create(
        NewRun(
            repository="digits",
            ref=ref,
            sha=sha,
            workflow="train",
            workflow_path=PATH,
            plan=dumps(plan),
            event=json.dumps(happened.to_json()),
            name="train",
            jobs=jobs,
            rerun_of=rerun_of,
        ),
        at=1.0,
    )
    assert made is not None
    return made


def measured(*values: float) -> EventDraft:
    points = [{"name": "loss", "value": value, "step": None} for value in values]
    return EventDraft(kind="job.metrics", job_key="train", data={"points": points})


def succeed(ledger: Ledger, run_id: str, *, loss: float) -> None:
    job = JobUpdate(key="train", state="success", attempt=1, metrics={"loss": {"last": loss}})
    ledger.runs.record(run_id, run=RunUpdate(state="success"), jobs=[job], events=[measured(loss)], at=2.0)


def compose(ledger: Ledger, checks: ChecksShown | None, *, sha: str = "a" * 40) -> CommitStatus:
    return compose_status(ledger, "digits", sha, url_of=lambda _run: "https://ci/r", at=9.0, checks=checks)


def base_of(ledger: Ledger, storage: Storage, run_id: str) -> BaseFigures | None:
    return read_evidence(ledger, storage, ledger.runs.get(run_id)).base


def fail_with_a_log(ledger: Ledger, storage: Storage) -> str:
    run_id = new_run(ledger)
    writer = LogWriter(storage.log(run_id, "train", 2), clock=lambda: 5.0)
    writer.write(
        [("", 10, "1", "debug", "quiet"), ("", 20, "1", "", 'File "a.py"'), ("", 30, "1", "", "boom")]
    )
    writer.close()
    ended = AttemptUpdate(
        job_key="train",
        number=2,
        state="ended",
        host="box",
        at=8.0,
        detail={"images": {"a/b:1": "sha256:ef"}},
    )
    annotation = {"level": "error", "message": "bad", "file": "a.py", "line": 3, "column": 5, "title": "T"}
    job = JobUpdate(
        key="train",
        state="failure",
        reason="exit code 1",
        attempt=2,
        started_at=2.0,
        ended_at=8.0,
        summary="# Told",
        annotations=[annotation],
    )
    ledger.runs.record(
        run_id,
        run=RunUpdate(state="failure", started_at=2.0, ended_at=8.0),
        jobs=[job],
        attempts=[ended],
        at=8.0,
    )
    return run_id


def test_a_failed_run_becomes_a_check_with_the_end_of_its_log(ledger: Ledger, storage: Storage) -> None:
    run_id = fail_with_a_log(ledger, storage)
    (check,) = compose(ledger, ChecksShown(storage=storage)).checks
    assert (check.name, check.external_id, check.state) == ("windlass / train", run_id, "failure")
    assert check.title == "Train failed: exit code 1"
    assert '```text\nFile "a.py"\nboom\n```' in check.summary
    assert "| Train | <code>a/b:1</code><br><code>sha256:ef</code> | box |" in check.text
    assert f"<code>{PIN.digest}</code>" in check.text
    assert check.text.endswith("# Told")
    (remark,) = check.annotations
    assert (remark.path, remark.line, remark.column, remark.title) == ("a.py", 3, 5, "T")


def test_a_note_needs_no_log_and_no_plan(
    ledger: Ledger, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with_a_log(ledger, storage)
    with_checks = compose(ledger, ChecksShown(storage=storage))
    for name in ("plan", "event"):
        monkeypatch.delattr(type(ledger.runs), name)
    found = compose(ledger, None)
    assert found.checks == ()
    assert found.note == with_checks.note


def test_jobs_have_checks_of_their_own_where_that_is_set(ledger: Ledger, storage: Storage) -> None:
    fail_with_a_log(ledger, storage)
    found = compose(ledger, ChecksShown(storage=storage, each_job=True)).checks
    assert [check.name for check in found] == ["windlass / train", "windlass / train / Train"]


def test_files_that_a_job_put_out_have_links_that_stay_the_same(ledger: Ledger, storage: Storage) -> None:
    run_id = new_run(ledger)
    outputs = {
        "weights": {"type": "artifact", "path": "/store/weights"},
        "net": {"type": "model", "path": "/store/net"},
        "note": {"type": "string", "text": "short", "path": "/store/note"},
        "elsewhere": {"type": "artifact", "url": "https://else.example.org/"},
    }
    job = JobUpdate(key="train", state="success", ended_at=5.0, outputs=outputs)
    ledger.runs.record(run_id, run=RunUpdate(state="success"), jobs=[job], at=5.0)
    links = Links(address="https://ci.example.org", key=b"k" * 32)
    (check,) = compose(ledger, ChecksShown(storage=storage, links=links)).checks
    assert f"[weights](<{links.make('artifacts', run_id, 'train', 'weights', since=5.0)}>)" in check.summary
    assert "[elsewhere](<https://else.example.org/>)" in check.summary
    assert check.summary.count("](<") == 3  # and the job
    (without,) = compose(ledger, ChecksShown(storage=storage)).checks
    assert "ci.example.org" not in without.summary


def test_the_picture_of_a_course_has_another_address_when_the_job_has_ended(
    ledger: Ledger, storage: Storage
) -> None:
    run_id = new_run(ledger)
    links = Links(address="https://ci.example.org", key=b"k" * 32)
    shown = ChecksShown(storage=storage, links=links)
    began = JobUpdate(key="train", state="running", started_at=2.0)
    ledger.runs.record(run_id, jobs=[began], events=[measured(3.0)], at=2.0)
    assert "<img" not in compose(ledger, shown).checks[0].summary
    ledger.runs.record(run_id, events=[measured(2.0)], at=3.0)
    (running,) = compose(ledger, shown).checks
    address = links.make("plots", run_id, "train", "loss.svg", since=2.0)
    assert f'src="{address.replace("&", "&amp;")}"' in running.summary
    ended = JobUpdate(key="train", state="success", ended_at=900.0, metrics={"loss": {"last": 2.0}})
    ledger.runs.record(run_id, run=RunUpdate(state="success"), jobs=[ended], at=900.0)
    (check,) = compose(ledger, shown).checks
    assert "<img" in check.summary
    assert address.replace("&", "&amp;") not in check.summary


def test_a_comment_is_about_the_newest_commit_of_a_pull_request(ledger: Ledger, storage: Storage) -> None:
    shown = ChecksShown(storage=storage, comments=True)
    pull = {"kind": "pull_request", "number": 7, "ref": "refs/pull/7/head"}
    old, new = "b" * 40, "c" * 40
    first = new_run(ledger, sha=old, **pull)
    (comment,) = compose(ledger, shown, sha=old).comments
    assert (comment.number, comment.text.splitlines()[0]) == (7, "### Checks of <code>bbbbbbb</code>")
    new_run(ledger, sha=new, **pull)
    assert compose(ledger, shown, sha=old).comments == ()
    assert [one.number for one in compose(ledger, shown, sha=new).comments] == [7]
    new_run(ledger, sha=old, rerun_of=first, **pull)
    assert compose(ledger, shown, sha=old).comments == ()
    assert [one.number for one in compose(ledger, shown, sha=new).comments] == [7]


def test_a_push_of_the_same_commit_takes_no_comment_away(ledger: Ledger, storage: Storage) -> None:
    pulled = new_run(ledger, kind="pull_request", number=7, ref="refs/pull/7/head")
    ledger.runs.record(pulled, run=RunUpdate(state="failure"), jobs=[], at=2.0)
    pushed = new_run(ledger, ref="refs/heads/change")
    found = compose(ledger, ChecksShown(storage=storage, comments=True))
    assert [check.external_id for check in found.checks] == [pushed]
    (comment,) = found.comments
    assert "| ❌ | [train]" in comment.text


def test_a_push_has_no_comment_and_no_one_has_unasked(ledger: Ledger, storage: Storage) -> None:
    new_run(ledger)
    assert compose(ledger, ChecksShown(storage=storage, comments=True)).comments == ()
    new_run(ledger, sha="b" * 40, kind="pull_request", number=7, ref="refs/pull/7/head")
    assert compose(ledger, ChecksShown(storage=storage), sha="b" * 40).comments == ()


def test_a_log_that_is_gone_is_left_out(ledger: Ledger, storage: Storage) -> None:
    run_id = fail_with_a_log(ledger, storage)
    storage.log(run_id, "train", 2).unlink()
    (check,) = compose(ledger, ChecksShown(storage=storage)).checks
    assert "```" not in check.summary


def test_problems_of_a_refused_file_are_annotated_with_their_columns(
    ledger: Ledger, storage: Storage
) -> None:
    run_id = new_run(ledger, jobs=())
    problem = {
        "path": PATH,
        "line": 3,
        "column": 7,
        "message": "no such key",
        "remedy": None,
        "severity": "error",
    }
    ledger.runs.record(
        run_id,
        run=RunUpdate(state="failure", reason=f"{PATH}:3:7: no such key"),
        events=[EventDraft(kind="run.refused", data={"problems": [problem]})],
        at=1.0,
    )
    (check,) = compose(ledger, ChecksShown(storage=storage)).checks
    assert check.title == "cannot run: train.yaml:3:7: no such key"
    (remark,) = check.annotations
    assert (remark.path, remark.line, remark.column, remark.level) == (PATH, 3, 7, "failure")


def test_the_course_is_that_of_the_latest_attempt_and_not_told_twice(
    ledger: Ledger, storage: Storage
) -> None:
    run_id = new_run(ledger)
    for at, events in (
        (2.0, [measured(9.0)]),
        (4.0, [measured(3.0, 2.0)]),
        (5.0, [EventDraft(kind="job.resumed", job_key="train")]),
        (6.0, [measured(3.0, 2.0, 1.0)]),
    ):
        ledger.runs.record(run_id, events=events, at=at)
    job = JobUpdate(key="train", state="running", attempt=2, started_at=3.0)
    ledger.runs.record(run_id, run=RunUpdate(state="running", started_at=1.0), jobs=[job], at=6.0)
    (check,) = compose(ledger, ChecksShown(storage=storage)).checks
    assert "| loss | **1** | <code>█▄▁</code> |" in check.summary


def test_a_push_is_compared_with_the_newest_success_before_it_on_its_branch(
    ledger: Ledger, storage: Storage
) -> None:
    for sha, loss in (("b", 3.0), ("c", 2.0)):
        succeed(ledger, new_run(ledger, sha=sha * 40), loss=loss)
    succeed(ledger, new_run(ledger, sha="d" * 40, ref="refs/heads/other"), loss=1.5)
    new_run(ledger, sha="e" * 40)  # never ended
    ours = new_run(ledger, sha="a" * 40)
    succeed(ledger, ours, loss=1.0)
    succeed(ledger, new_run(ledger, sha="f" * 40), loss=0.5)
    assert base_of(ledger, storage, ours) == BaseFigures(
        ref="main", sha="c" * 40, metrics={"train": {"loss": 2.0}}
    )


def test_a_rerun_is_not_compared_with_its_own_commit(ledger: Ledger, storage: Storage) -> None:
    succeed(ledger, new_run(ledger), loss=2.0)
    again = new_run(ledger)
    succeed(ledger, again, loss=1.0)
    assert base_of(ledger, storage, again) is None


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "pull_request", "base_ref": "main", "payload": {"repository": {"default_branch": "dev"}}},
        {"kind": "push", "payload": {"repository": {"default_branch": "main"}}},
        {"kind": "push", "payload": {"project": {"default_branch": "main"}}},  # GitLab's
    ],
)
def test_other_branches_are_compared_with_the_base_or_the_default_branch(
    ledger: Ledger, storage: Storage, event: dict[str, Any]
) -> None:
    succeed(ledger, new_run(ledger, sha="b" * 40), loss=2.0)
    ours = new_run(ledger, ref="refs/heads/topic", **event)
    succeed(ledger, ours, loss=1.0)
    found = base_of(ledger, storage, ours)
    assert found is not None
    assert (found.ref, found.sha) == ("main", "b" * 40)


def test_a_note_has_links_to_files_and_jobs_where_the_daemon_has_an_address(
    ledger: Ledger, storage: Storage
) -> None:
    run_id = new_run(ledger)
    outputs = {"weights": {"type": "artifact", "path": "/store/weights"}}
    job = JobUpdate(key="train", state="success", attempt=1, ended_at=5.0, outputs=outputs)
    ledger.runs.record(run_id, run=RunUpdate(state="success", ended_at=5.0), jobs=[job], at=5.0)
    links = Links(address="https://ci.example.org", key=b"k" * 32)
    found = compose_status(
        ledger, "digits", "a" * 40, url_of=lambda run: run_url(links, run), at=9.0, links=links
    )
    (workflow,) = json.loads(found.note)["workflows"]
    (told,) = workflow["jobs"]
    assert workflow["url"].startswith(f"https://ci.example.org/runs/{run_id}?ends=")
    assert told["url"] == f"{workflow['url']}#job-1"
    assert told["outputs"][0]["url"].startswith(f"https://ci.example.org/artifacts/{run_id}/train/weights?")


def test_what_was_expected_stands_in_note_and_check(ledger: Ledger, storage: Storage) -> None:
    run_id = new_run(ledger)
    judged = {
        "metric": "loss",
        "condition": "< base",
        "verdict": "broken",
        "found": 0.4,
        "bound": 0.3,
        "base": 0.3,
        "base_name": "main (1a2b3c4)",
    }
    reason = "expected loss < base (0.3: base 0.3 of main (1a2b3c4)), found 0.4"
    ledger.runs.record(
        run_id,
        run=RunUpdate(state="failure"),
        jobs=[JobUpdate(key="train", state="failure", attempt=1, reason=reason)],
        attempts=[
            AttemptUpdate(job_key="train", number=1, state="ended", at=2.0, detail={"expectations": [judged]})
        ],
        at=2.0,
    )
    status = compose_status(
        ledger, "digits", "a" * 40, url_of=lambda run: None, at=3.0, checks=ChecksShown(storage=storage)
    )
    (job,) = json.loads(status.note)["workflows"][0]["jobs"]
    assert job["reason"] == reason
    assert job["expectations"] == [{name: value for name, value in judged.items() if name != "base_name"}]
    assert "| ❌ broken |" in status.checks[0].summary
    assert status.checks[0].title == f"Train failed: {reason}"
