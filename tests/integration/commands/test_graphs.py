"""A graph of jobs (`using: workflow`) as people write, publish, lock, run and repeat one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from integration.commands.conftest import ROOT, Here, Project

BUSYBOX = "windlass-test/busybox:1"
PINNED = f"example.org/none@sha256:{'0' * 64}"
"""For jobs that run in no container, where every image has to be locked."""
GREET = """\
name: Greet
version: 1.0.0
runs:
  using: composite
  steps: [{run: echo "greeted by an action of its own", shell: sh}]
"""
FLOW = """\
name: Train and judge
version: 1.0.0
description: Trains, and judges what came of it.
inputs:
  epochs: {type: number, default: 1}
  who: {type: string, required: true}
  data: {type: artifact, required: true}
  token: {type: string}
permissions: {secrets: [token]}
outputs:
  model: {type: volume, value: train.outputs.model}
  score: {type: number, value: '${{ jobs.judge.outputs.score }}'}
runs:
  using: workflow
  jobs:
    train:
      inputs: {data: workflow.inputs.data}
      steps:
        - env: {TOKEN: '${{ inputs.token }}', WHO: '${{ inputs.who }}'}
          run: |
            echo "$WHO trains ${{ inputs.epochs }} with ${TOKEN:-nothing}; env is ${OWN:-not theirs}"
            cat /inputs/data > /outputs/model/weights
      outputs: {model: {type: volume}}
    greet: {uses: GREET}
    judge:
      inputs: {model: train.outputs.model}
      uses: ./judge
      with: {folder: /inputs/model}
      outputs: {score: {type: string}}
"""
JUDGE = """\
name: Judge
inputs: {folder: {required: true}}
outputs: {score: {value: '${{ steps.judge.outputs.score }}'}}
runs:
  using: composite
  steps:
    - {id: judge, run: 'sh "$GITHUB_ACTION_PATH/judge.sh" "${{ inputs.folder }}"', shell: sh}
"""
WORKFLOW = """\
env: {OWN: secret:OTHER}
defaults: {image: IMAGE}
jobs:
  prepare:
    steps: [{run: 'echo 12345 > /outputs/data; echo Ada > /outputs/who'}]
    outputs: {data: {type: artifact}, who: {type: string}}
  flow:
    uses: USES
    inputs: {data: prepare.outputs.data}
    with: {epochs: 3, who: prepare.outputs.who, token: secret:TOKEN}
    outputs: {model: {type: volume}, score: {type: string}}
  after:
    needs: [flow]
    inputs: {model: flow.outputs.model}
    steps: [{run: 'echo "score ${{ needs.flow.outputs.score }} of $(cat /inputs/model/weights)"'}]
"""
LATE = """\
name: What only a run knows
version: 1.0.0
inputs: {minutes: {type: number}, may: {type: boolean}, code: {type: number}, who: {}}
runs:
  using: workflow
  jobs:
    slow:
      timeout-minutes: ${{ inputs.minutes }}
      continue-on-error: ${{ inputs.may }}
      steps: [{run: sleep 600}]
    twice:
      inputs: {one: workflow.inputs.who, two: ' for ${{ inputs.who }}, ${{ inputs.code }} times'}
      retry: {limit: 1, when: job.exit-code == inputs.code}
      steps: [{run: 'grep Ada /inputs/one && cat /inputs/two && if mkdir THERE; then exit 7; fi'}]
    once:
      continue-on-error: ${{ inputs.may }}
      retry: {limit: 1, when: job.exit-code == inputs.code}
      steps: [{run: exit 8}]
"""
LATE_WORKFLOW = """\
jobs:
  before:
    steps: [{run: 'printf "minutes=0.001\\nmay=true\\ncode=7\\nwho=Ada\\n" >> "$GITHUB_OUTPUT"'}]
    outputs: {minutes: {type: string}, may: {type: string}, code: {type: string}, who: {type: string}}
  flow:
    uses: ./flow
    needs: [before]
    with:
      minutes: before.outputs.minutes
      may: before.outputs.may
      code: before.outputs.code
      who: before.outputs.who
"""
RUN = ("run", ".windlass/workflows/w.yaml", "--plain", "--secret", "TOKEN", "--secret", "OTHER")
SECRETS = {"TOKEN": "a-long-token", "OTHER": "another-secret"}


def write(project: Project, folder: str, *, greet: str = "./greet", image: str = "") -> None:
    defaults = f"  defaults: {{image: '{image}'}}\n" if image else ""
    flow = FLOW.replace("GREET", greet).replace("  jobs:\n", f"{defaults}  jobs:\n")
    project.write(f"{folder}/action.yml", flow)
    project.write(f"{folder}/judge/action.yml", JUDGE)
    project.write(
        f"{folder}/judge/judge.sh", 'read found < "$1/weights"; echo "score=${#found}" >> "$GITHUB_OUTPUT"\n'
    )
    project.write(f"{folder}/greet/action.yml", GREET)


def workflow(uses: str, *, image: str = "windlass-test/none") -> str:
    return WORKFLOW.replace("USES", uses).replace("IMAGE", image)


def begin_registry(here: Here, folder: Path) -> None:
    """A registry with a namespace that is granted."""
    assert here.windlass("registry", "init", str(folder / "registry")).code == 0
    assert here.windlass("keys", "new", "acme").code == 0
    key = folder / "home/.config/windlass/keys/acme.owner.pub"
    assert here.windlass("registry", "grant", "acme", "--key", str(key)).code == 0


def check(out: str) -> None:
    assert "Ada trains 3 with ***; env is not theirs" in out
    assert "flow / greet" in out
    assert "greeted by an action of its own" in out
    assert "score 5 of 12345" in out


def test_a_graph_of_the_repository_runs(project: Project) -> None:
    write(project, "flow")
    project.workflow(workflow("./flow"))
    ran = project.windlass(*RUN, "--engine", "process", **SECRETS)
    assert ran.code == 0, ran.out + ran.err
    check(ran.out)
    some = project.windlass(*RUN, "--engine", "process", "--from", "flow", **SECRETS)
    assert some.code == 0, some.out + some.err
    check(some.out)
    assert "prepare" in some.out
    assert "prepare      | ▶" not in some.out


@pytest.mark.docker
def test_a_graph_runs_in_containers(project: Project) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "test-images", "busybox"], check=True)
    write(project, "flow", image=BUSYBOX)
    project.workflow(workflow("./flow", image=BUSYBOX))
    ran = project.windlass(*RUN, **SECRETS)
    assert ran.code == 0, ran.out + ran.err
    check(ran.out)


def test_what_failed_in_a_graph_runs_again_with_what_follows(project: Project) -> None:
    project.write(
        "flow/action.yml",
        "name: f\nversion: 1.0.0\nruns:\n  using: workflow\n  jobs:\n"
        "    one: {steps: [{run: echo one}]}\n"
        "    two: {needs: [one], steps: [{run: test -e %s}]}\n" % (project.root / "there"),
    )
    project.workflow("jobs: {flow: {uses: ./flow}, after: {needs: [flow], steps: [{run: echo after}]}}\n")
    assert project.windlass("run", ".windlass/workflows/w.yaml", "--engine", "process").code == 1
    project.write("there", "")
    again = project.windlass("rerun", "latest", "--failed", "--engine", "process", "--plain")
    assert again.code == 0, again.out + again.err
    taken_over = [line for line in again.out.splitlines() if "taken over from the run before" in line]
    assert all("flow / one" in line for line in taken_over)
    assert taken_over
    assert "after      | after" in again.out


def test_what_a_graph_is_given_in_the_run_decides_over_its_jobs(project: Project) -> None:
    project.write("flow/action.yml", LATE.replace("THERE", str(project.root / "there")))
    project.workflow(LATE_WORKFLOW)
    ran = project.windlass("run", ".windlass/workflows/w.yaml", "--plain", "--engine", "process")
    assert ran.code == 0, ran.out + ran.err
    assert "ran longer than 0.001 minutes" in ran.out
    assert ran.out.count("for Ada, 7 times") == 2
    assert len([line for line in ran.out.splitlines() if line.endswith("attempt 2")]) == 1


def test_a_published_graph_is_locked_with_all_that_it_uses(project: Project, tmp_path: Path) -> None:
    here = Here(root=project.root, environment=project.environment)
    here.write("actions/greet/action.yml", GREET)
    write(here, "actions/flow", greet="acme/greet@v1", image=PINNED)
    here.workflow(workflow("acme/flow@v1", image=PINNED))
    here.commit()
    begin_registry(here, tmp_path)
    for package in ("greet", "flow"):
        published = here.windlass("publish", f"actions/{package}")
        assert published.code == 0, published.err

    locked = here.windlass("lock", "--json")
    assert json.loads(locked.out)["pinned"] == ["acme/flow@v1", "acme/greet@v1"], locked.out + locked.err
    here.write("windlass.toml", "[policy]\nrequire_lock = true\n")
    (here.root / "actions").rename(tmp_path / "elsewhere")
    ran = project.windlass(*RUN, "--engine", "process", **SECRETS)
    assert ran.code == 0, ran.out + ran.err
    check(ran.out)
    said = here.windlass("info", "acme/flow")
    assert "jobs:\n  train  1 step\n  greet  acme/greet@v1\n  judge  ./judge  needs train\n" in said.out


def test_a_graph_that_cannot_run_is_not_published(project: Project, tmp_path: Path) -> None:
    here = Here(root=project.root, environment=project.environment)
    write(here, "flow")
    here.write(
        "flow/action.yml",
        FLOW.replace("train.outputs.model}\n      uses", "trein.outputs.model}\n      uses").replace(
            "GREET", "./greet"
        ),
    )
    here.commit()
    begin_registry(here, tmp_path)
    refused = here.windlass("publish", "flow", "--dry-run")
    assert refused.code == 2
    assert "flow/action.yml:26:23: unknown job" in refused.err
