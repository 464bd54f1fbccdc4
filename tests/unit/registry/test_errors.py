from windlass_registry.errors import Problem


def test_a_problem_is_one_line_that_steers_no_terminal() -> None:
    problem = Problem(
        path="a\tb.yaml", line=1, column=2, message="unknown key 'x\n\x1b[2Jy\u202ez'", remedy="é is fine"
    )
    assert str(problem) == "a\\tb.yaml:1:2: unknown key 'x\\n\\x1b[2Jy\\u202ez'; é is fine"
