"""`expect` on one's own machine: the base is the run before that succeeded."""

from __future__ import annotations

import json
from typing import Any

TRAIN = """
inputs: {accuracy: {type: number, default: 0.85}}
jobs:
  train:
    uses: script@v1
    with:
      script: |
        echo '{"name": "accuracy", "value": ${{ inputs.accuracy }}}' >> "$WINDLASS_METRICS"
    expect: {accuracy: '>= base - 0.5%'}
"""
RUN = ("run", "w", "--engine", "process")


def test_a_local_run_is_held_against_the_last_one_that_succeeded(project: Any) -> None:
    project.workflow(TRAIN)
    project.commit()
    first = project.windlass(*RUN)
    assert first.code == 0, first.out + first.err
    assert "✓ expected accuracy >= base - 0.5%: holds: no base yet" in first.out
    worse = project.windlass(*RUN, "-i", "accuracy=0.5")
    assert worse.code == 1
    again = project.windlass(*RUN, "-i", "accuracy=0.5")  # a broken run is no base
    assert again.code == 1
    shown = project.windlass("show")
    assert "expected accuracy >= base - 0.5% (0.84575: base 0.85 of " in shown.out
    assert ".windlass/workflows/w.yaml:9: expected accuracy" in shown.out
    told = json.loads(project.windlass("show", "--json").out)
    (one,) = told["jobs"][0]["attempts"][0]["expectations"]
    assert (one["verdict"], one["found"], one["bound"], one["base"]) == ("broken", 0.5, 0.84575, 0.85)
    better = project.windlass(*RUN, "-i", "accuracy=0.9")
    assert better.code == 0
    assert "✓ expected accuracy >= base - 0.5% (0.84575: base 0.85 of " in better.out


def test_a_mistaken_condition_is_found_before_anything_runs(project: Any) -> None:
    project.workflow(TRAIN.replace(">= base", "=> base"))
    answer = project.windlass(*RUN)
    assert answer.code == 2
    assert (
        "w.yaml:9:24: the condition on 'accuracy': it cannot be '=> base - 0.5%'; did you mean" in answer.err
    )
