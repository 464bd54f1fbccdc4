"""Order and cycles of jobs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from windlass_runner.workflow import graph


def test_each_job_comes_after_those_it_needs_and_otherwise_in_the_order_given() -> None:
    needs = {"c": ["a"], "a": [], "b": ["c", "a"], "z": []}
    assert graph.order(needs) == ("a", "z", "c", "b")


def test_a_cycle_is_given_along_its_edges() -> None:
    assert list(graph.cycles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})) == [("a", "b", "c")]


def test_two_knots_give_two_cycles() -> None:
    found = list(graph.cycles({"a": ["b"], "b": ["a"], "x": ["y"], "y": ["x"], "free": []}))
    assert sorted(map(sorted, found)) == [["a", "b"], ["x", "y"]]


def test_names_that_are_no_jobs_are_left_aside() -> None:
    assert graph.order({"a": ["nowhere"]}) == ("a",)
    assert list(graph.cycles({"a": ["nowhere"]})) == []


def test_a_chain_of_ten_thousand_needs_no_deep_stack() -> None:
    needs = {str(n): [str(n + 1)] for n in range(10_000)}
    assert len(graph.order(needs)) == 10_000
    needs["10000"] = ["0"]
    assert [len(cycle) for cycle in graph.cycles(needs)] == [10_001]


def test_dependants_are_those_that_need_a_job_directly() -> None:
    needs = {"a": [], "b": ["a"], "c": ["b"], "d": []}
    assert graph.dependants(needs) == {"a": ("b",), "b": ("c",), "c": (), "d": ()}


@given(st.dictionaries(st.integers(0, 12).map(str), st.lists(st.integers(0, 12).map(str), max_size=4)))
def test_order_and_cycles_share_out_all_jobs(needs: dict[str, list[str]]) -> None:
    ordered = graph.order(needs)
    place = {job: number for number, job in enumerate(ordered)}
    assert all(place[need] < place[job] for job in ordered for need in needs[job] if need in needs)
    assert bool(list(graph.cycles(needs))) == (len(ordered) < len(needs))
    for cycle in graph.cycles(needs):
        assert all(after in needs[job] for job, after in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
