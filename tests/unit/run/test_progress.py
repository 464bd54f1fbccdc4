"""How a run's graph moves: what starts, what is skipped, what is stopped, and what each job sees."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from windlass_registry.documents import Position
from windlass_runner.plan.model import JobSpec, Plan, PlannedJob
from windlass_runner.run.legs import Decision
from windlass_runner.run.progress import Progress
from windlass_runner.workflow.events import Event
from windlass_runner.workflow.model import Strategy

AT = Position(line=1, column=1)


def spec(id: str, *needs: str, condition: str | None = None, strategy: Strategy | None = None) -> JobSpec:
    return JobSpec(
        id=id,
        name=id,
        needs=needs,
        condition=condition,
        steps=(),
        image="x",
        env={},
        strategy=strategy,
    )


def progress(*specs: JobSpec, legs: dict[str, list[dict[str, Any]]] | None = None) -> Progress:
    jobs: list[PlannedJob] = []
    for one in specs:
        combinations = (legs or {}).get(one.id)
        if combinations is None:
            is_deferred = one.strategy is not None and isinstance(one.strategy.matrix, str)
            jobs.append(PlannedJob(key=one.id, job_id=one.id, name=one.id, is_deferred=is_deferred))
            continue
        for index, matrix in enumerate(combinations):
            key = f"{one.id} ({index})"
            jobs.append(PlannedJob(key=key, job_id=one.id, name=key, matrix=matrix, index=index))
    plan = Plan(
        workflow="w",
        path="w.yaml",
        run_name="w",
        event=Event(kind="push", repository="r", sha="0" * 40),
        reason="",
        inputs={},
        env={},
        specs={one.id: one for one in specs},
        jobs=tuple(jobs),
    )
    return Progress(plan, contexts={"github": {"ref": "refs/heads/main"}, "inputs": {}})


def started(decisions: list[Decision]) -> list[str]:
    return [decision.key for decision in decisions if decision.what == "start"]


def ended(decisions: list[Decision]) -> dict[str, str]:
    return {decision.key: decision.state for decision in decisions if decision.what == "end"}


def stopped(decisions: list[Decision]) -> list[str]:
    return [decision.key for decision in decisions if decision.what == "stop"]


def test_what_needs_nothing_starts_at_once_and_the_rest_waits() -> None:
    run = progress(spec("a"), spec("b"), spec("c", "a", "b"))
    assert started(run.begin()) == ["a", "b"]
    assert run.finish("a", "success") == []
    assert started(run.finish("b", "success")) == ["c"]
    run.finish("c", "success")
    assert run.is_over
    assert run.final_state() == "success"


def test_a_failure_skips_what_depends_on_it_to_the_end_of_the_chain() -> None:
    run = progress(spec("a"), spec("b", "a"), spec("c", "b"), spec("d"))
    run.begin()
    decisions = run.finish("a", "failure")
    assert ended(decisions) == {"b": "skipped", "c": "skipped"}
    assert "needs a (failure)" in decisions[0].reason
    run.finish("d", "success")
    assert run.final_state() == "failure"


def test_a_job_that_asks_for_failure_runs_after_one_far_above() -> None:
    run = progress(spec("a"), spec("b", "a"), spec("c", "b", condition="failure()"))
    run.begin()
    assert started(run.finish("a", "failure")) == ["c"]


def test_always_runs_after_a_skip_and_sees_the_results() -> None:
    condition = "always() && needs.b.result == 'skipped'"
    run = progress(spec("a"), spec("b", "a"), spec("c", "a", "b", condition=condition))
    run.begin()
    assert started(run.finish("a", "failure")) == ["c"]
    assert run.needs_context("c")["a"]["result"] == "failure"


def test_an_allowed_failure_lets_dependants_run_but_is_not_green() -> None:
    run = progress(spec("a"), spec("b", "a"))
    run.begin()
    assert started(run.finish("a", "neutral")) == ["b"]
    run.finish("b", "success")
    assert run.final_state() == "neutral"


def test_outputs_of_all_legs_reach_the_dependant() -> None:
    run = progress(spec("a", strategy=Strategy(at=AT)), spec("b", "a"), legs={"a": [{"n": 1}, {"n": 2}]})
    run.begin()
    run.finish("a (0)", "success", {"x": {"type": "string", "text": "one"}})
    assert started(run.finish("a (1)", "success", {"y": {"type": "string", "text": "two"}})) == ["b"]
    assert run.needs_context("b")["a"]["outputs"] == {"x": "one", "y": "two"}


def test_max_parallel_holds_legs_back() -> None:
    legs = {"a": [{"n": n} for n in range(5)]}
    run = progress(spec("a", strategy=Strategy(max_parallel=2, at=AT)), legs=legs)
    assert started(run.begin()) == ["a (0)", "a (1)"]
    assert started(run.finish("a (1)", "success")) == ["a (2)"]
    assert started(run.finish("a (0)", "success")) == ["a (3)"]


def test_fail_fast_stops_the_other_legs() -> None:
    legs = {"a": [{"n": n} for n in range(3)]}
    run = progress(spec("a", strategy=Strategy(fail_fast=True, at=AT)), legs=legs)
    run.begin()
    assert stopped(run.finish("a (1)", "failure")) == ["a (0)", "a (2)"]


def test_without_fail_fast_the_other_legs_go_on() -> None:
    legs = {"a": [{"n": n} for n in range(3)]}
    run = progress(spec("a", strategy=Strategy(fail_fast=False, at=AT)), legs=legs)
    run.begin()
    assert run.finish("a (1)", "failure") == []


def test_a_matrix_from_an_output_becomes_jobs_when_the_output_is_there() -> None:
    strategy = Strategy(matrix="${{ fromJSON(needs.a.outputs.list) }}", at=AT)
    run = progress(spec("a"), spec("b", "a", strategy=strategy), spec("c", "b"))
    run.begin()
    decisions = run.finish("a", "success", {"list": {"text": '{"size": [1, 2]}'}})
    assert started(decisions) == ["b (1)", "b (2)"]
    run.finish("b (1)", "success")
    assert started(run.finish("b (2)", "success")) == ["c"]


def test_a_matrix_that_is_none_fails_the_job_with_the_reason() -> None:
    strategy = Strategy(matrix="${{ fromJSON(needs.a.outputs.list) }}", at=AT)
    run = progress(spec("a"), spec("b", "a", strategy=strategy))
    run.begin()
    decisions = run.finish("a", "success", {"list": {"text": "[1]"}})
    assert ended(decisions) == {"b": "failure"}
    assert "must give an object" in decisions[0].reason


def test_an_if_that_cannot_be_evaluated_fails_its_job() -> None:
    run = progress(spec("a", condition="fromJSON('{')"))
    decisions = run.begin()
    assert ended(decisions) == {"a": "failure"}
    assert run.is_over


def test_cancel_stops_what_runs_and_skips_what_waits_but_not_always() -> None:
    run = progress(spec("a"), spec("b", "a"), spec("c", "a", condition="always()"))
    run.begin()
    assert stopped(run.cancel()) == ["a"]
    decisions = run.finish("a", "cancelled")
    assert ended(decisions) == {"b": "cancelled"}
    assert started(decisions) == ["c"]
    run.finish("c", "success")
    assert run.final_state() == "cancelled"


def test_a_forced_cancel_stops_everything() -> None:
    run = progress(spec("a"), spec("c", "a", condition="always()"))
    run.begin()
    assert stopped(run.cancel(force=True)) == ["a", "c"]


def test_a_restored_run_goes_on_where_it_was() -> None:
    run = progress(spec("a"), spec("b", "a"), spec("c", "b"))
    run.restore("a", "success", {"x": {"text": "1"}})
    assert started(run.begin()) == ["b"]
    assert run.needs_context("b")["a"]["outputs"] == {"x": "1"}


def test_ten_thousand_skips_in_a_chain_need_no_deep_stack() -> None:
    specs = [spec("j0"), *(spec(f"j{n}", f"j{n - 1}") for n in range(1, 10_000))]
    run = progress(*specs)
    run.begin()
    assert len(ended(run.finish("j0", "failure"))) == 9_999
    assert run.is_over


def test_the_sole_successor_is_known_before_its_turn() -> None:
    run = progress(spec("a"), spec("b", "a"), spec("c", "b"), spec("d", "b"))
    run.begin()
    follower = run.sole_successor("a")
    assert follower is not None
    assert follower.key == "b"
    assert run.sole_successor("b") is None


@given(st.data())
def test_every_graph_comes_to_an_end_and_nothing_starts_before_its_needs(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    specs = []
    for number in range(count):
        needs = data.draw(st.lists(st.integers(0, number - 1), unique=True, max_size=3)) if number else []
        condition = data.draw(st.sampled_from([None, "always()", "failure()", "success()"]))
        specs.append(spec(f"j{number}", *(f"j{need}" for need in needs), condition=condition))
    run = progress(*specs)
    open_jobs = started(run.begin())
    seen: set[str] = set()
    while open_jobs:
        key = open_jobs.pop(data.draw(st.integers(0, len(open_jobs) - 1)))
        assert key not in seen
        seen.add(key)
        for need in run.groups[key].spec.needs:
            assert run.groups[need].is_over
        state = data.draw(st.sampled_from(["success", "failure", "neutral", "timed_out", "cancelled"]))
        open_jobs += started(run.finish(key, state))
    assert run.is_over
