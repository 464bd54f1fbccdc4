import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass_runner.forges.base import CheckAnnotation
from windlass_runner.run.problem_matchers import PROBLEMS_KEPT, find_problems, repository_path


def places(text: str) -> list[tuple[str, int, int | None, str]]:
    return [
        (found.path, found.line, found.column, found.message) for found in find_problems(text.split("\n"))
    ]


TRACEBACK = """\
epoch 1
Traceback (most recent call last):
  File "/workspace/train.py", line 40, in <module>
    main()
    ~~~~^^
  File "/workspace/model/net.py", line 7, in main
    torch.load(path)
  File "/usr/lib/python3.11/site-packages/torch/serialization.py", line 791, in load
    with _open_file_like(f, 'rb') as opened_file:
FileNotFoundError: [Errno 2] No such file or directory: 'x.pt'
"""


def test_a_traceback_stands_at_its_innermost_frame_in_the_repository() -> None:
    (found,) = find_problems(TRACEBACK.split("\n"))
    assert found == CheckAnnotation(
        path="model/net.py",
        line=7,
        end_line=7,
        level="failure",
        message="FileNotFoundError: [Errno 2] No such file or directory: 'x.pt'",
        title="FileNotFoundError",
    )


def test_both_tracebacks_of_a_chain_are_told() -> None:
    text = """\
Traceback (most recent call last):
  File "/workspace/a.py", line 2, in <module>
    {}["x"]
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/workspace/a.py", line 4, in <module>
    raise ValueError
ValueError
"""
    assert places(text) == [("a.py", 2, None, "KeyError: 'x'"), ("a.py", 4, None, "ValueError")]


def test_an_exception_group_tells_of_the_exceptions_in_it() -> None:
    text = """\
  + Exception Group Traceback (most recent call last):
  |   File "/workspace/a.py", line 1, in <module>
  |     raise ExceptionGroup("two", [ValueError(1)])
  | ExceptionGroup: two (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/workspace/b.py", line 5, in f
    |     raise ValueError(1)
    | ValueError: 1
    +------------------------------------
"""
    assert places(text) == [
        ("a.py", 1, None, "ExceptionGroup: two (1 sub-exception)"),
        ("b.py", 5, None, "ValueError: 1"),
    ]


def test_a_syntax_error_stands_where_it_is() -> None:
    text = '  File "/workspace/a.py", line 3\n    def f(:\n          ^\nSyntaxError: invalid syntax'
    assert places(text) == [("a.py", 3, None, "SyntaxError: invalid syntax")]


def test_the_ranks_of_torchrun_do_not_hide_a_traceback() -> None:
    text = "\n".join(f"[rank0]: {line}" for line in TRACEBACK.split("\n"))
    assert [place[:2] for place in places(text)] == [("model/net.py", 7)]


def test_a_traceback_wholly_outside_the_repository_is_dropped() -> None:
    text = (
        'Traceback (most recent call last):\n  File "<stdin>", line 1, in <module>\n'
        '  File "/usr/lib/python3.11/json/decoder.py", line 355, in f\nValueError: no'
    )
    assert places(text) == []


PYTEST = """\
=================================== FAILURES ===================================
____________________________ TestNet.test_shape[2-3] ____________________________

    def test_shape(self, a, b):
>       assert helper(a) == b
tests/test_net.py:12: AssertionError
_________________________________ test_loss ____________________________________
tests/test_net.py:20: in test_loss
    helper(1)
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

tests/test_net.py:4: in helper
    other.call(x)
tests/helper.py:3: ValueError
=========================== short test summary info ============================
FAILED tests/test_net.py::TestNet::test_shape[2-3] - assert 4 == 3
FAILED tests/test_net.py::test_loss - ValueError: no - really
ERROR tests/test_other.py - ModuleNotFoundError: No module named 'nope'
========================= 2 failed, 1 error in 0.12s ==========================
"""


def test_pytest_tells_which_tests_failed_and_on_which_line() -> None:
    assert places(PYTEST) == [
        ("tests/test_net.py", 12, None, "assert 4 == 3"),
        ("tests/test_net.py", 4, None, "ValueError: no - really"),
        ("tests/test_other.py", 1, None, "ModuleNotFoundError: No module named 'nope'"),
    ]
    assert find_problems(PYTEST.split("\n"))[0].title == "TestNet::test_shape[2-3] failed"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "src/main.c:10:5: error: unknown type name 'foo'",
            ("src/main.c", 10, 5, "unknown type name 'foo'"),
        ),
        (
            "/workspace/a.cc:1:10: fatal error: x.h: No such file",
            ("a.cc", 1, 10, "x.h: No such file"),
        ),
        (
            "a.py:3: error: Name 'x' is not defined  [name-defined]",
            ("a.py", 3, None, "Name 'x' is not defined  [name-defined]"),
        ),
        (
            "pkg/a.py:3:5: F401 [*] `os` imported but unused",
            ("pkg/a.py", 3, 5, "F401 [*] `os` imported but unused"),
        ),
        ("src/a.ts(3,5): error TS2322: Type 'x'.", ("src/a.ts", 3, 5, "TS2322: Type 'x'.")),
        ("src/a.ts:3:5 - error TS2322: Type 'x'.", ("src/a.ts", 3, 5, "TS2322: Type 'x'.")),
        (
            "/workspace/a.js:1:10: 'x' is not defined. [Error/no-undef]",
            ("a.js", 1, 10, "'x' is not defined. [Error/no-undef]"),
        ),
        ("./cmd/main.go:5:2: undefined: x", ("cmd/main.go", 5, 2, "undefined: x")),
        ("vet: ./main.go:7:1: expected '}'", ("main.go", 7, 1, "expected '}'")),
        (
            "error[E0308]: mismatched types\n  --> src/main.rs:4:18\n   |",
            ("src/main.rs", 4, 18, "error[E0308]: mismatched types"),
        ),
        (
            "F401 [*] `os` imported but unused\n --> x.py:1:8",
            ("x.py", 1, 8, "F401 [*] `os` imported but unused"),
        ),
    ],
)
def test_what_compilers_and_linters_write(text: str, place: tuple[str, int, int | None, str]) -> None:
    assert places(text) == [place]
    coloured = "\n".join(f"\x1b[1m\x1b[31m{line}\x1b[0m" for line in text.split("\n"))
    assert places(coloured) == [place]


def test_a_note_of_rustc_is_no_problem_of_its_own() -> None:
    text = (
        "error[E0382]: borrow of moved value: `v`\n --> src/main.rs:6:10\n"
        "note: `into_iter` takes ownership\n --> src/lib.rs:2:3"
    )
    assert [place[:2] for place in places(text)] == [("src/main.rs", 6)]


def test_failures_come_before_warnings_and_each_thing_once() -> None:
    lines = ["a.c:1:1: warning: w", "b.c:2:2: error: e", "b.c:2:2: error: e"]
    assert [(found.path, found.level) for found in find_problems(lines)] == [
        ("b.c", "failure"),
        ("a.c", "warning"),
    ]


def test_a_time_of_day_is_no_place() -> None:
    assert places("2026-01-01T10:30:12: error: x\n10:30:12: error: x") == []


def test_very_many_problems_are_bounded() -> None:
    lines = [f"a.c:{number}:1: error: e" for number in range(1, 500)]
    assert [found.line for found in find_problems(lines)] == list(range(1, PROBLEMS_KEPT + 1))


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/workspace/a/b.py", "a/b.py"),
        ("./a/../b.py", "b.py"),
        ("a.py", "a.py"),
        ("../a.py", None),
        ("/workspace/../etc/passwd", None),
        ("/workspaces/a.py", None),
        ("/workspace", None),
        ("/usr/lib/python3/os.py", None),
        ("/workspace/.venv/lib/site-packages/x.py", None),
        ("<frozen importlib._bootstrap>", None),
    ],
)
def test_only_paths_of_the_repository_count(path: str, inside: str | None) -> None:
    assert repository_path(path) == inside


@settings(deadline=None)
@given(st.lists(st.text(alphabet='aF_ -:.>[]()0123456789"\t|/\n\x1berorwning')))
def test_whatever_a_log_holds_gives_places_that_a_forge_takes(lines: list[str]) -> None:
    for found in find_problems(lines):
        assert found.line > 0
        assert found.path
        assert not found.path.startswith(("/", ".."))
