"""GitHub's filter pattern cheat sheet, row by row, and what it leaves unsaid."""

from __future__ import annotations

import time

import pytest

from windlass_runner.workflow import patterns

CHEAT_SHEET = [
    # branches and tags
    (["feature/*"], ["feature/my-branch", "feature/your-branch"], ["feature/a/b", "feature", "x/feature/a"]),
    (
        ["feature/**"],
        ["feature/beta-a/my-branch", "feature/your-branch", "feature/mona/the/octocat"],
        ["main"],
    ),
    (["main"], ["main"], ["main2", "a/main", "Main"]),
    (["releases/mona-the-octocat"], ["releases/mona-the-octocat"], ["releases/mona"]),
    (["*"], ["main", "releases"], ["all/the/branches"]),
    (["**"], ["all/the/branches", "every/tag", "main"], []),
    (["*feature"], ["mona-feature", "feature", "ver-10-feature"], ["a/feature", "feature2"]),
    (["v2*"], ["v2", "v2.0", "v2.9"], ["v1", "v2/0"]),
    (["v[12].[0-9]+.[0-9]+"], ["v1.10.1", "v2.0.0"], ["v3.0.0", "v1.0", "v1.x.0"]),
    # paths
    (["*"], ["README.md", "server.rb"], ["docs/README.md"]),
    (["*.jsx?"], ["page.js", "page.jsx"], ["page.jsxx", "page.j"]),
    (["**"], ["all/the/files.md"], []),
    (["*.js"], ["app.js", "index.js"], ["src/app.js"]),
    (["**.js"], ["index.js", "js/index.js", "src/js/app.js"], ["index.jsx"]),
    (["docs/*"], ["docs/README.md", "docs/file.txt"], ["docs/a/b.md"]),
    (["docs/**"], ["docs/README.md", "docs/mona/octocat.txt"], ["src/docs/a.md"]),
    (
        ["docs/**/*.md"],
        ["docs/README.md", "docs/mona/hello-world.md", "docs/a/markdown/file.md"],
        ["docs/a.txt", "README.md"],
    ),
    (["**/docs/**"], ["docs/hello.md", "dir/docs/my-file.txt", "space/docs/plan/space.doc"], ["mydocs/a"]),
    (["**/README.md"], ["README.md", "js/README.md"], ["README.md2", "xREADME.md"]),
    (["**/*src/**"], ["a/src/app.js", "my-src/code/js/app.js"], ["src.js"]),
    (["**/*-post.md"], ["my-post.md", "path/their-post.md"], ["post.md"]),
    (
        ["**/migrate-*.sql"],
        ["migrate-10909.sql", "db/migrate-v1.0.sql", "db/sept/migrate-v1.sql"],
        ["db/migrate.sql"],
    ),
    (["*.md", "!README.md"], ["hello.md"], ["README.md", "docs/hello.md"]),
    (["*.md", "!README.md", "README*"], ["hello.md", "README.md", "README.doc"], ["docs/hello.md"]),
]


@pytest.mark.parametrize(("wanted", "taken", "refused"), CHEAT_SHEET)
def test_every_row_of_the_cheat_sheet_holds(wanted: list[str], taken: list[str], refused: list[str]) -> None:
    assert [text for text in taken if not patterns.selects(wanted, text)] == []
    assert [text for text in refused if patterns.selects(wanted, text)] == []


def test_the_examples_of_lists_hold() -> None:
    assert patterns.matches("[CB]at", "Cat")
    assert patterns.matches("[CB]at", "Bat")
    assert patterns.matches("[1-2]00", "200")
    assert not patterns.matches("[1-2]00", "300")
    assert patterns.matches("Octo*", "Octocat")


def test_a_negation_before_any_positive_pattern_takes_nothing_away() -> None:
    assert patterns.selects(["!main", "**"], "main")
    assert not patterns.selects(["**", "!main"], "main")
    assert not patterns.selects(["!main"], "dev")


def test_an_exclamation_mark_inside_is_an_ordinary_character() -> None:
    assert patterns.matches("a!b", "a!b")


def test_a_backslash_makes_an_ordinary_character() -> None:
    assert patterns.matches(r"a\*b", "a*b")
    assert not patterns.matches(r"a\*b", "axb")
    assert patterns.matches(r"c\+\+", "c++")


def test_the_signs_of_regular_expressions_are_ordinary_characters() -> None:
    assert patterns.matches("a.b|(c){2}^$", "a.b|(c){2}^$")
    assert not patterns.matches("a.b", "axb")


@pytest.mark.parametrize("pattern", ["", "!", "[abc", "[]", "?a", "+", "a**+", "a?+", "[z-a]", "x" * 1025])
def test_a_pattern_without_meaning_is_refused(pattern: str) -> None:
    with pytest.raises(patterns.PatternError):
        patterns.check(pattern)


def test_many_stars_cost_no_more_than_a_walk() -> None:
    start = time.process_time()
    assert not patterns.matches("**a" * 200 + "b", "a" * 2000)
    assert time.process_time() - start < 5
