"""What a workflow's words do when they run, on each engine."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest


def test_a_chain_passes_files_texts_and_outputs_on(runner: Any) -> None:
    done = runner.run("""
jobs:
  make:
    uses: script@v1
    with:
      script: |
        mkdir -p /outputs/data
        echo some data > /outputs/data/file
        echo 42 > /outputs/answer
        echo "said=by output" >> "$GITHUB_OUTPUT"
    outputs:
      data: {type: volume}
      answer: {type: string}
      said: {type: string}
  use:
    inputs: {data: make.outputs.data, answer: make.outputs.answer}
    env: {ANSWER: make.outputs.answer}
    uses: script@v1
    needs: [make]
    with:
      script: |
        cat /inputs/data/file /inputs/answer
        echo "$ANSWER / ${{ needs.make.outputs.said }} / ${{ needs.make.result }}"
        touch /inputs/data/new 2>/dev/null && echo WRITABLE || echo read-only
""")
    assert done.state == "success"
    assert done.log("use").splitlines() == ["some data", "42", "42 / by output / success", "read-only"]
    assert done.jobs["make"].outputs["answer"]["text"] == "42"


def test_a_volume_that_is_an_output_again_is_a_copy(runner: Any) -> None:
    done = runner.run("""
jobs:
  one: {uses: script@v1, with: {script: "echo 1 > /outputs/v/a"}, outputs: {v: {type: volume}}}
  two:
    inputs: {v: one.outputs.v}
    outputs: {v: {type: volume}}
    uses: script@v1
    with: {script: "cat /outputs/v/a; echo 2 > /outputs/v/a"}
  three:
    inputs: {old: one.outputs.v, new: two.outputs.v}
    uses: script@v1
    with: {script: "cat /inputs/old/a /inputs/new/a"}
""")
    assert done.log("three").splitlines() == ["1", "2"]


def test_steps_share_files_environment_path_and_outputs(runner: Any) -> None:
    done = runner.run("""
env: {WHO: workflow}
jobs:
  all:
    env: {WHO: job}
    outputs: {version: "${{ steps.v.outputs.version }}"}
    steps:
      - run: |
          echo "from step one" > /tmp/shared-$$; cp /tmp/shared-$$ one
          echo "ADDED=yes" >> "$GITHUB_ENV"
          mkdir -p bin; printf '#!/bin/sh\\necho tool\\n' > bin/mytool; chmod +x bin/mytool
          echo "$PWD/bin" >> "$GITHUB_PATH"
      - id: v
        env: {WHO: step}
        run: |
          cat one; echo "$WHO $ADDED"; mytool
          echo "version=1.2.3" >> "$GITHUB_OUTPUT"
      - {run: 'echo ${{ steps.v.outputs.version }} ${{ env.ADDED }} $WHO', working-directory: bin}
      - {run: pwd, working-directory: bin}
  after:
    needs: all
    uses: script@v1
    with: {script: 'echo got ${{ needs.all.outputs.version }}'}
""")
    assert done.state == "success", done.log("all")
    assert done.log("all").splitlines() == [
        "from step one",
        "step yes",
        "tool",
        "1.2.3 yes job",
        "/workspace/bin",
    ]
    assert done.log("after") == "got 1.2.3"


def test_a_failed_step_stops_the_others_but_not_those_that_ask(runner: Any) -> None:
    done = runner.run("""
jobs:
  a:
    steps:
      - {id: soft, run: exit 4, continue-on-error: true}
      - {run: 'echo ${{ steps.soft.outcome }} ${{ steps.soft.conclusion }}'}
      - {id: hard, run: exit 7}
      - {run: echo never}
      - {if: failure(), run: 'echo saw the failure of ${{ steps.hard.outcome }}'}
      - {if: always(), run: echo always}
""")
    assert done.state == "failure"
    assert done.jobs["a"].exit_code == 7
    assert done.log("a").splitlines() == ["failure success", "saw the failure of failure", "always"]


def test_a_step_that_takes_too_long_fails_alone(runner: Any) -> None:
    done = runner.run("""
jobs:
  a:
    steps:
      - {run: sleep 30, timeout-minutes: 0.005, continue-on-error: true}
      - {run: echo next}
""")
    assert done.state == "success"
    assert done.log("a").splitlines()[-1] == "next"


def test_a_job_that_takes_too_long_is_stopped_and_says_so(runner: Any) -> None:
    started = time.monotonic()
    done = runner.run("""
jobs:
  a: {uses: script@v1, timeout-minutes: 0.05, with: {script: "echo begun; sleep 60"}}
  b: {needs: a, uses: script@v1, with: {script: echo b}}
""")
    assert time.monotonic() - started < 30
    assert done.states() == {"a": "timed_out", "b": "skipped"}
    assert "0.05 minutes" in done.jobs["a"].reason
    assert done.log("a") == "begun"


def test_a_retry_tries_again_and_keeps_the_checkpoint(runner: Any) -> None:
    done = runner.run("""
jobs:
  a:
    retry: {limit: 2, on: [failure]}
    uses: script@v1
    with:
      script: |
        n=$(cat "$WINDLASS_CHECKPOINT_DIR/n" 2>/dev/null || echo 0)
        echo $((n + 1)) > "$WINDLASS_CHECKPOINT_DIR/n"
        echo "attempt $((n + 1))"
        test "$n" -ge 1
""")
    assert done.state == "success"
    assert done.jobs["a"].attempt == 2
    assert (done.log("a", 1), done.log("a", 2)) == ("attempt 1", "attempt 2")
    assert [each.state for each in runner.ledger.runs.attempts(done.id)] == ["ended", "ended"]


def test_a_retry_is_not_for_other_causes(runner: Any) -> None:
    done = runner.run("""
jobs:
  a: {retry: {limit: 3, on: [timeout]}, uses: script@v1, with: {script: exit 1}}
""")
    assert done.jobs["a"].attempt == 1


def test_an_allowed_failure_is_neutral(runner: Any) -> None:
    done = runner.run("""
jobs:
  a: {continue-on-error: true, uses: script@v1, with: {script: exit 1}}
  b: {needs: a, uses: script@v1, with: {script: echo b}}
""")
    assert done.states() == {"a": "neutral", "b": "success"}
    assert done.state == "neutral"


def test_a_matrix_runs_each_leg_and_one_from_an_output_too(runner: Any) -> None:
    done = runner.run("""
jobs:
  list:
    uses: script@v1
    with: {script: 'echo "[3, 4]" > /outputs/sizes'}
    outputs: {sizes: {type: string}}
  fixed:
    strategy: {matrix: {n: [1, 2]}}
    uses: script@v1
    with: {script: 'echo n is ${{ matrix.n }} of ${{ strategy.job-total }}'}
  given:
    needs: [list]
    strategy: {matrix: {size: '${{ fromJSON(needs.list.outputs.sizes) }}'}}
    uses: script@v1
    with: {script: 'echo size is ${{ matrix.size }}'}
  last: {needs: [fixed, given], uses: script@v1, with: {script: echo last}}
""")
    assert done.state == "success"
    assert done.log("fixed (2)") == "n is 2 of 2"
    assert done.log("given (4)") == "size is 4"
    assert done.jobs["last"].state == "success"


def test_a_secret_reaches_only_the_job_that_names_it_and_no_log(runner: Any) -> None:
    runner.secrets["TOKEN"] = "s3cr3t-value-of-mine"
    done = runner.run("""
jobs:
  named:
    env: {TOKEN: "secret:TOKEN"}
    uses: script@v1
    with:
      script: |
        echo "it is $TOKEN."
        echo "$TOKEN" | sed 's/./&./g' | wc -c
        printf s3cr3t-va; sleep 0.1; echo lue-of-mine
  other:
    uses: script@v1
    with: {script: 'env | grep -c s3cr3t || true'}
""")
    assert done.log("named").splitlines() == ["it is ***.", "41", "***"]
    assert done.log("other") == "0"
    assert runner.secrets["TOKEN"] not in runner.ledger.runs.plan(done.id)


def test_a_secret_as_an_input_is_a_file_for_its_job_alone_and_gone_with_the_run(runner: Any) -> None:
    runner.secrets["TOKEN"] = "s3cr3t-value-of-mine"
    done = runner.run("""
jobs:
  named:
    inputs: {key: "secret:TOKEN"}
    uses: script@v1
    with: {script: 'cat /inputs/key; wc -c < /inputs/key'}
  other:
    uses: script@v1
    with: {script: 'test ! -e /inputs/key'}
""")
    assert done.log("named").splitlines() == ["***20"]
    assert done.jobs["other"].state == "success"
    assert not list(runner.storage.root.rglob("inputs/named/key"))


def test_a_strangers_text_is_never_a_script(runner: Any) -> None:
    title = 'a"; touch /workspace/pwned; echo "$(touch /workspace/pwned)'
    done = runner.run(
        """
jobs:
  a:
    uses: script@v1
    with:
      script: |
        echo "title: ${{ event.title }}"
        echo ${{ github.ref_name }}
        ls /workspace
  b: {uses: container@v1, with: {command: 'echo ${{ event.title }}'}}
  c: {uses: container@v1, with: {command: sh, args: [-c, 'echo ${{ event.title }}; ls /workspace']}}
""",
        ref="refs/heads/x`touch pwned`",
        payload={"title": title},
    )
    assert done.log("a").splitlines() == [f"title: {title}", "x`touch pwned`"]
    assert done.log("b") == title
    assert done.log("c") == title


def test_the_commit_lies_in_the_workspace_and_each_job_has_its_own_copy(runner: Any) -> None:
    runner.files["data.txt"] = "from the commit\n"
    done = runner.run("""
jobs:
  a: {uses: script@v1, with: {script: "cat data.txt; echo changed > data.txt"}}
  b: {needs: a, uses: script@v1, with: {script: "cat data.txt"}}
  c: {checkout: false, uses: script@v1, with: {script: "pwd; ls"}}
""")
    assert done.log("a") == done.log("b") == "from the commit"
    assert done.log("c") == "/workspace"


def test_annotations_summary_and_metrics_stand_in_the_ledger(runner: Any) -> None:
    done = runner.run("""
jobs:
  a:
    uses: script@v1
    with:
      script: |
        echo "::warning file=train.py,line=3::slow"
        echo "## Result" >> "$GITHUB_STEP_SUMMARY"
        echo '{"name": "loss", "value": 0.5, "step": 1}' >> "$WINDLASS_METRICS"
        echo '{"name": "loss", "value": 0.25, "step": 2}' >> "$WINDLASS_METRICS"
""")
    job = done.jobs["a"]
    assert job.annotations[0]["file"] == "train.py"
    assert job.summary.strip() == "## Result"
    assert (job.metrics["loss"]["last"], job.metrics["loss"]["count"]) == (0.25, 2)


def test_a_missing_output_fails_the_job_with_a_remedy(runner: Any) -> None:
    done = runner.run("""
jobs:
  a: {uses: script@v1, with: {script: "true"}, outputs: {report: {type: artifact}}}
""")
    assert done.state == "failure"
    assert "/outputs/report" in done.jobs["a"].reason


def test_cancel_is_graceful_and_always_still_runs(runner: Any) -> None:
    run_id = runner.begin("""
jobs:
  a:
    uses: script@v1
    with: {script: 'trap "echo goodbye; exit 0" TERM; echo ready; while true; do sleep 0.05; done'}
  b: {needs: a, uses: script@v1, with: {script: echo b}}
  c: {needs: a, if: always(), uses: script@v1, with: {script: echo cleaned}}
""")
    runner.until(lambda: "ready" in runner.log(run_id, "a"))
    runner.conductor.cancel(run_id, reason="enough")
    done = runner.finished(run_id)
    assert done.state == "cancelled"
    assert done.states() == {"a": "cancelled", "b": "cancelled", "c": "success"}
    assert done.log("a").splitlines()[-1] == "goodbye"
    assert done.log("c") == "cleaned"


def test_a_concurrency_group_of_jobs_lets_one_run_at_a_time(runner: Any) -> None:
    done = runner.run("""
jobs:
  a: {concurrency: one, uses: script@v1, with: {script: "date +%s.%N; sleep 0.4; date +%s.%N"}}
  b: {concurrency: one, uses: script@v1, with: {script: "date +%s.%N; sleep 0.4; date +%s.%N"}}
""")
    assert done.state == "success"
    times = sorted(tuple(done.log(key).splitlines()) for key in "ab")
    assert times[0][1] <= times[1][0]


def test_a_newer_run_of_a_group_takes_the_place_of_the_older(runner: Any) -> None:
    text = """
concurrency: {group: deploy, cancel-in-progress: true}
jobs:
  a: {uses: script@v1, with: {script: "echo ready; sleep %s"}}
"""
    first = runner.begin(text % 60)
    runner.until(lambda: "ready" in runner.log(first, "a"))
    second = runner.begin(text % 0)
    stopped = runner.finished(first)
    assert stopped.state == "cancelled"
    assert "newer one in concurrency group" in stopped.jobs["a"].reason
    assert runner.finished(second).state == "success"


def test_beyond_the_queues_depth_the_oldest_waiting_run_gives_way(runner: Any) -> None:
    text = """
concurrency: {group: deploy, queue: 1}
jobs:
  a: {uses: script@v1, with: {script: "echo ready; sleep %s"}}
"""
    first = runner.begin(text % 1)
    runner.until(lambda: "ready" in runner.log(first, "a"))
    second, third = runner.begin(text % 0), runner.begin(text % 0)
    assert runner.finished(second).state == "cancelled"
    assert runner.finished(first).state == "success"
    assert runner.finished(third).state == "success"


def test_a_composite_action_of_the_repository_runs_in_place(runner: Any, tmp_path: Path) -> None:
    action = tmp_path / "actions" / "greet"
    action.mkdir(parents=True)
    (action / "action.yml").write_text("""
name: greet
description: says hello
inputs:
  who: {description: whom, required: true}
outputs:
  said: {description: what, value: "${{ steps.say.outputs.said }}"}
runs:
  using: composite
  steps:
    - id: say
      shell: sh
      run: |
        cat "$GITHUB_ACTION_PATH/word"
        echo "said=hello ${{ inputs.who }}" >> "$GITHUB_OUTPUT"
""")
    (action / "word").write_text("from the action's folder\n")
    done = runner.run("""
jobs:
  a:
    steps:
      - {id: greet, uses: ./actions/greet, with: {who: ada}}
      - {run: 'echo ${{ steps.greet.outputs.said }}'}
""")
    assert done.state == "success", done.log("a")
    assert done.log("a").splitlines() == ["from the action's folder", "hello ada"]


def test_a_command_that_is_not_there_fails_the_job_not_the_runner(runner: Any) -> None:
    done = runner.run("""
jobs:
  a: {uses: container@v1, with: {command: no-such-program}}
  b: {uses: script@v1, with: {script: echo fine}}
""")
    assert done.states() == {"a": "failure", "b": "success"}
    assert done.jobs["a"].exit_code == 127


def test_nothing_lies_in_scratch_when_a_run_has_ended(runner: Any) -> None:
    runner.files["data.txt"] = "x"
    done = runner.run("""
jobs:
  a: {uses: script@v1, with: {script: "mkdir deep; touch deep/file; chmod 500 deep"}}
""")
    assert done.state == "success"
    assert list(runner.storage.scratches.glob("*")) == []


def test_after_a_kill_the_next_process_goes_on_and_runs_nothing_twice(runner: Any) -> None:
    run_id = runner.create("""
jobs:
  a:
    steps:
      - {run: 'echo one; echo x >> "$WINDLASS_CHECKPOINT_DIR/count"'}
      - run: |
          echo two
          while [ ! -e "$WINDLASS_CHECKPOINT_DIR/go" ]; do sleep 0.05; done
          echo end of two
      - {run: 'echo three; cat "$WINDLASS_CHECKPOINT_DIR/count"'}
  b:
    uses: script@v1
    with: {script: 'echo begun; sleep 2; echo ended'}
  c: {needs: [a, b], uses: script@v1, with: {script: echo c}}
  d: {needs: [c], uses: script@v1, with: {script: echo d}}
""")
    process = runner.begin_elsewhere(run_id)
    runner.until(lambda: "two" in runner.log(run_id, "a") and "begun" in runner.log(run_id, "b"))
    process.kill()
    process.wait()
    runner.conductor.begin(run_id)
    (runner.storage.scratch(run_id) / "a" / "checkpoint" / "go").touch()
    done = runner.finished(run_id)
    assert done.state == "success"
    assert done.log("a").splitlines() == ["one", "two", "end of two", "three", "x"]
    assert done.log("b").splitlines() == ["begun", "ended"]
    assert all(job.attempt == 1 for job in done.jobs.values())


@pytest.mark.parametrize("after_s", [0.3, 0.6, 0.9, 1.3])
def test_a_kill_at_any_moment_loses_no_job_and_repeats_none(runner: Any, after_s: float) -> None:
    run_id = runner.create("""
jobs:
  a: {uses: script@v1, with: {script: 'N=$WINDLASS_CHECKPOINT_DIR/n; echo a >> "$N"; cat "$N"'}}
  b: {needs: a, uses: script@v1, with: {script: 'N=$WINDLASS_CHECKPOINT_DIR/n; echo b >> "$N"; cat "$N"'}}
  c: {needs: b, uses: script@v1, with: {script: 'N=$WINDLASS_CHECKPOINT_DIR/n; echo c >> "$N"; cat "$N"'}}
""")
    process = runner.begin_elsewhere(run_id)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    process.kill()
    assert process.wait() in (-9, 0)  # killed, or done already; not broken by itself
    runner.conductor.begin(run_id)
    done = runner.finished(run_id)
    assert done.state == "success"
    assert [done.log(key) for key in "abc"] == ["a", "b", "c"]


@pytest.mark.docker
def test_services_are_reached_by_name_and_gone_afterwards(docker_runner: Any) -> None:
    done = docker_runner.run("""
jobs:
  a:
    services:
      web:
        image: windlass-test/busybox:1
        command: [sh, -c, 'mkdir /www; echo hello from web > /www/index.html; exec httpd -f -p 80 -h /www']
        health: {command: 'wget -q -O- http://127.0.0.1/ | grep -q hello', interval: 200ms, retries: 40}
    uses: script@v1
    with: {script: 'wget -q -O- http://web/'}
""")
    assert done.state == "success", (done.jobs["a"].reason, done.log("a"))
    assert done.log("a") == "hello from web"


@pytest.mark.docker
def test_running_out_of_memory_is_told_apart(docker_runner: Any) -> None:
    done = docker_runner.run("""
jobs:
  a:
    resources: {memory: 16MB}
    uses: container@v1
    with: {command: 'x=a; while true; do x=$x$x$x$x; done'}
""")
    assert done.state == "failure"
    assert "out of memory" in done.jobs["a"].reason


@pytest.mark.docker
def test_a_missing_image_is_named_with_a_remedy(docker_runner: Any) -> None:
    done = docker_runner.run("""
jobs:
  a: {uses: container@v1, with: {image: 'no.such.host.invalid/nothing:1', command: 'true'}}
""")
    assert done.state == "failure"
    assert "no.such.host.invalid/nothing:1" in done.jobs["a"].reason


@pytest.mark.docker
def test_runs_do_not_see_each_other(docker_runner: Any) -> None:
    text = """
jobs:
  a: {uses: script@v1, with: {script: "hostname -i; echo ready; sleep 3"}}
"""
    first = docker_runner.begin(text)
    docker_runner.until(lambda: "ready" in docker_runner.log(first, "a"))
    address = docker_runner.log(first, "a").splitlines()[0]
    script = f"ping -c 1 -W 1 {address} >/dev/null && echo SEEN || echo unseen"
    second = docker_runner.run(f"jobs: {{a: {{uses: script@v1, with: {{script: '{script}'}}}}}}")
    assert second.log("a") == "unseen"
    assert docker_runner.finished(first).state == "success"
