"""A graph of jobs in a pushed commit: run by the daemon, also beyond its death; its errors are told there."""

from __future__ import annotations

from pathlib import Path

from integration.daemon.serving import Repository, Serving, wait_until

FLOW = """\
name: Flow
version: 1.0.0
inputs: {who: {type: string}}
outputs: {said: {value: last.outputs.said}}
runs:
  using: workflow
  jobs:
    first:
      steps: [{run: 'echo "for ${{ inputs.who }}" >> MARK; while [ ! -e GATE ]; do sleep 0.05; done'}]
    last:
      needs: [first]
      steps: [{run: 'echo "said=bye ${{ inputs.who }}" >> "$GITHUB_OUTPUT"'}]
      outputs: {said: {type: string}}
"""
WORKFLOW = """\
on: push
jobs:
  p: {steps: [{run: 'echo Ada > /outputs/who'}], outputs: {who: {type: string}}}
  flow: {needs: [p], uses: ./flow, with: {who: p.outputs.who}, outputs: {said: {type: string}}}
  z: {needs: [flow], steps: [{run: 'echo "${{ needs.flow.outputs.said }}" >> MARK'}]}
"""


def test_a_graph_goes_on_after_the_daemon_was_killed(
    tmp_path: Path, repository: Repository, serving: Serving
) -> None:
    serving.start()
    mark, gate = tmp_path / "marks", tmp_path / "gate"
    flow = FLOW.replace("MARK", str(mark)).replace("GATE", str(gate))
    repository.commit({"flow/action.yml": flow})
    sha = repository.push_workflow(WORKFLOW.replace("MARK", str(mark)))
    wait_until(mark.exists, what="the first job of the graph")
    serving.kill()
    serving.start()
    assert repository.wait_for_state(sha, "running")
    gate.touch()
    note = repository.wait_for_state(sha, "success")
    assert mark.read_text() == "for Ada\nbye Ada\n"
    names = [job["name"] for workflow in note["workflows"] for job in workflow["jobs"]]
    assert names == ["p", "flow / first", "flow / last", "z"]


def test_what_is_wrong_with_a_graph_is_told_at_its_line(repository: Repository, serving: Serving) -> None:
    serving.start()
    repository.commit({"flow/action.yml": FLOW.replace("needs: [first]", "needs: [frist]")})
    sha = repository.push_workflow(WORKFLOW)
    note = repository.wait_for_state(sha, "failure")
    said = note["workflows"][0]["annotations"][0]
    assert (said["file"], said["line"]) == ("flow/action.yml", 11)
    assert "unknown job 'frist'" in said["message"]
