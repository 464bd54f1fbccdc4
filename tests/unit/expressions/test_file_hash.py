"""`hashFiles` over real files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from windlass_runner.expressions import FixedHost, evaluate
from windlass_runner.expressions.file_hash import hash_files

FILES = ["a.lock", "b.txt", "src/a.lock", "src/deep/a.lock", "src/deep/.hidden", "src-b/x.py"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "outside.lock").write_text("outside")
    return folder


def digest_of(*contents: str) -> str:
    total = hashlib.sha256()
    for content in contents:
        total.update(hashlib.sha256(content.encode()).digest())
    return total.hexdigest()


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*.lock"], ["a.lock"]),
        (["**/*.lock"], ["a.lock", "src/a.lock", "src/deep/a.lock"]),
        (["**/*.lock", "!src/**"], ["a.lock"]),
        (["**/*.lock\n!src/deep/**\n# a comment"], ["a.lock", "src/a.lock"]),
        (["src"], ["src/a.lock", "src/deep/.hidden", "src/deep/a.lock"]),
        (["./src/*/a.lock"], ["src/deep/a.lock"]),
        (["[ab].*"], ["a.lock", "b.txt"]),
        (["[!b]*.lock"], ["a.lock"]),
        (["?.txt"], ["b.txt"]),
        (["!a.lock", "a.lock"], ["a.lock"]),
        (["src/**/a.lock"], ["src/a.lock", "src/deep/a.lock"]),
    ],
)
def test_patterns_choose_files(root: Path, patterns: list[str], names: list[str]) -> None:
    assert hash_files(root, patterns) == digest_of(*names)


def test_absolute_patterns_below_the_root_count(root: Path) -> None:
    assert hash_files(root, [f"{root}/b.txt"]) == digest_of("b.txt")


@pytest.mark.parametrize("pattern", ["nothing*", "../outside.lock", "[", "/etc/passwd", ""])
def test_no_match_is_the_empty_string(root: Path, pattern: str) -> None:
    assert hash_files(root, [pattern]) == ""


def test_links_out_of_the_root_are_not_followed(root: Path) -> None:
    (root / "link.lock").symlink_to(root.parent / "outside.lock")
    (root / "inside.lnk").symlink_to(root / "b.txt")
    (root / "folder.lnk").symlink_to(root.parent)
    (root / "loop.lnk").symlink_to(root / "loop.lnk")
    assert hash_files(root, ["link.lock"]) == ""
    assert hash_files(root, ["*.lnk"]) == digest_of("b.txt")


def test_the_function_asks_the_host(root: Path) -> None:
    host = FixedHost(root=root)
    assert evaluate("hashFiles('b.txt', 'no')", {}, host=host) == digest_of("b.txt")
    assert evaluate("hashFiles('b.txt')", {}) == ""
