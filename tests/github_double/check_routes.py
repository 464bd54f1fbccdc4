"""Check runs and commit statuses, on the double."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from github_double.app_routes import app_told
from github_double.calls import Answer, Call, Json, invalid, page, problem, route
from github_double.world import CheckRun, stamp

_LONGEST_TEXT_BYTES: Final = 65_535
MOST_ANNOTATIONS: Final = 50


@route("post", "/repos/{owner}/{repo}/check-runs")
def create_check_run(call: Call) -> Answer:
    refusal = _refuse_check_run(call)
    if refusal is not None:
        return refusal
    sha = call.body["head_sha"]
    if sha not in call.repository.commits:
        return invalid("CheckRun", "head_sha", f"No commit found for SHA: {sha}")
    suite = next((run.suite_id for run in call.repository.runs_of(sha)), None) or next(call.world.ids)
    run = CheckRun(
        id=next(call.world.ids),
        created_at=call.world.clock(),
        app_id=call.world.app_id,
        suite_id=suite,
        fields={"status": "queued"},
    )
    _change(call, run)
    call.repository.check_runs[run.id] = run
    return Answer(status=201, body=_check_run(call, run))


@route("patch", "/repos/{owner}/{repo}/check-runs/{check_run_id}")
def update_check_run(call: Call) -> Answer:
    refusal = _refuse_check_run(call)
    if refusal is not None:
        return refusal
    run = call.repository.check_runs.get(int(call.path["check_run_id"]))
    if run is None or call.world.clock() < run.created_at + call.world.settles_after_s:
        return problem(404, "Not Found")
    _change(call, run)
    return Answer(status=200, body=_check_run(call, run))


@route("get", "/repos/{owner}/{repo}/check-runs/{check_run_id}")
def get_check_run(call: Call) -> Answer:
    run = call.repository.check_runs.get(int(call.path["check_run_id"]))
    return problem(404, "Not Found") if run is None else Answer(status=200, body=_check_run(call, run))


@route("get", "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations")
def list_annotations(call: Call) -> Answer:
    run = call.repository.check_runs.get(int(call.path["check_run_id"]))
    if run is None:
        return problem(404, "Not Found")
    nothing = {"title": None, "raw_details": None, "start_column": None, "end_column": None}
    whole = [call.whole("check-annotation", **{**nothing, **found}) for found in run.annotations]
    items, link = page(call, whole)
    wrapped = {"total_count": len(whole), "check_annotations": items}
    return Answer(status=200, body=wrapped if call.world.wraps_annotations else items, headers=link)


@route("get", "/repos/{owner}/{repo}/commits/{ref}/check-runs")
def list_check_runs(call: Call) -> Answer:
    sha = call.repository.refs.get(f"refs/heads/{call.path['ref']}", call.path["ref"])
    runs = call.repository.runs_of(sha, name=call.query.get("check_name"))
    if "app_id" in call.query:
        runs = [run for run in runs if str(run.app_id) == call.query["app_id"]]
    if "status" in call.query:
        runs = [run for run in runs if run.state[0] == call.query["status"]]
    if call.query.get("filter", "latest") == "latest":
        runs = list({run.fields["name"]: run for run in runs}.values())
    items, link = page(call, [_check_run(call, run) for run in reversed(runs)])
    return Answer(status=200, body={"total_count": len(runs), "check_runs": items}, headers=link)


def _refuse_check_run(call: Call) -> Answer | None:
    """https://docs.github.com/en/rest/checks/runs: who may, and how much."""
    if call.caller.installation is None:
        return problem(403, "You must authenticate via a GitHub App.")
    if call.caller.installation.permissions.get("checks") != "write":
        return problem(403, "Resource not accessible by integration")
    output = call.body.get("output", {})
    for name in ("summary", "text"):
        if len(output.get(name, "").encode()) > _LONGEST_TEXT_BYTES:
            return invalid("CheckRun", name, f"{name} exceeds a maximum bytesize of {_LONGEST_TEXT_BYTES}")
    count = len(output.get("annotations", ()))
    if count > MOST_ANNOTATIONS:
        return problem(422, f"Invalid request.\n\nNo more than 50 items are allowed; {count} were supplied.")
    return None


def _change(call: Call, run: CheckRun) -> None:
    sent = dict(call.body)
    output = dict(sent.pop("output", {}))
    run.annotations += output.pop("annotations", [])
    if output:
        run.fields["output"] = {**run.output, **output}
    run.fields.update(sent)
    if "conclusion" in sent:
        run.fields["status"] = "completed"
        run.fields.setdefault("completed_at", stamp(call.world.clock()))
    elif "status" in sent:
        run.fields.pop("conclusion", None)
        run.fields.pop("completed_at", None)
    if not run.states or run.states[-1] != run.state:
        run.states.append(run.state)


@route("post", "/repos/{owner}/{repo}/statuses/{sha}")
def create_status(call: Call) -> Answer:
    sha = call.path["sha"]
    if sha not in call.repository.commits:
        return problem(422, f"No commit found for SHA: {sha}")
    if len(call.body.get("description") or "") > 140:
        return invalid("Status", "description", "description is too long (maximum is 140 characters)")
    stored = {
        "id": next(call.world.ids),
        "sha": sha,
        "created_at": call.world.clock(),
        "context": "default",
        **call.body,
    }
    call.repository.statuses.append(stored)
    return Answer(status=201, body=_status(call, stored))


@route("get", "/repos/{owner}/{repo}/commits/{ref}/statuses")
def list_statuses(call: Call) -> Answer:
    chosen = [found for found in call.repository.statuses if found["sha"] == call.path["ref"]]
    items, link = page(call, [_status(call, found) for found in reversed(chosen)])
    return Answer(status=200, body=items, headers=link)


def _status(call: Call, found: Mapping[str, Json]) -> Json:
    sent = {name: found.get(name) for name in ("id", "state", "context", "description", "target_url")}
    url = f"{call.repository_url}/statuses/{found['sha']}"
    return call.whole("status", url=url, created_at=stamp(found["created_at"]), **sent)


def _check_run(call: Call, run: CheckRun) -> Json:
    url = f"{call.repository_url}/check-runs/{run.id}"
    sent = {name: run.fields.get(name) for name in ("title", "summary", "text")} | run.output
    output = {**sent, "annotations_count": len(run.annotations), "annotations_url": f"{url}/annotations"}
    names = ("name", "head_sha", "status", "conclusion", "external_id", "details_url")
    return call.whole(
        "check-run",
        id=run.id,
        url=url,
        app=app_told(call) if call.world.tells_app else None,
        check_suite={"id": run.suite_id},
        started_at=run.fields.get("started_at"),
        completed_at=run.fields.get("completed_at"),
        output=output,
        **{name: run.fields.get(name) for name in names},
    )
