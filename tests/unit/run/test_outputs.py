import os
from pathlib import Path

import pytest

from windlass_registry.documents import Position
from windlass_runner.run.outputs import STRING_LIMIT, Collection, collect_outputs
from windlass_runner.workflow.model import OutputSpec, OutputType


def spec(name: str, sort: OutputType, **more: str) -> OutputSpec:
    return OutputSpec(name=name, type=sort, at=Position(line=1, column=1), **more)


class Scratch:
    def __init__(self, folder: Path) -> None:
        self.source = folder / "scratch" / "outputs"
        self.target = folder / "runs" / "r1" / "outputs" / "train"
        self.source.mkdir(parents=True)

    def write(self, path: str, content: bytes = b"x") -> None:
        place = self.source / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def collect(self, *specs: OutputSpec, needed: bool = True) -> Collection:
        return collect_outputs("train", specs, source=self.source, target=self.target, needed=needed)


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path)


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"", ""), (b"0.97\n", "0.97"), (b"a\n\n", "a\n"), (b"a\r\n", "a"), ("é".encode(), "é")],
)
def test_a_string_is_the_files_text_without_its_last_line_end(
    scratch: Scratch, content: bytes, text: str
) -> None:
    scratch.write("score", content)
    (output,) = scratch.collect(spec("score", "string")).outputs
    assert output.text == text
    assert output.path == scratch.target / "score"


def test_folders_move_to_their_place_and_become_read_only(scratch: Scratch) -> None:
    scratch.write("model/deep/weights", b"123")
    scratch.write("report", b"12")
    model, report = scratch.collect(spec("model", "model"), spec("report", "artifact")).outputs
    assert (model.path / "deep" / "weights").read_bytes() == b"123"
    assert (model.path / "deep" / "weights").stat().st_mode & 0o222 == 0
    assert (model.size_bytes, report.size_bytes) == (3, 2)
    assert model.digest.startswith("sha256:")
    assert list(scratch.source.iterdir()) == []


def test_collecting_again_after_a_crash_gives_the_same(scratch: Scratch) -> None:
    scratch.write("a/x")
    scratch.write("b/y")
    first = scratch.collect(spec("a", "artifact"))
    both = (spec("a", "artifact"), spec("b", "artifact"))
    second = scratch.collect(*both)
    assert second.outputs[0] == first.outputs[0]
    assert scratch.collect(*both) == second


def test_the_same_content_has_the_same_digest_wherever_it_lies(tmp_path: Path) -> None:
    found = []
    for name, order in (("one", "ab"), ("two", "ba")):
        scratch = Scratch(tmp_path / name)
        for letter in order:
            scratch.write(f"d/{letter}", letter.encode())
        found.append(scratch.collect(spec("d", "dataset")).outputs[0].digest)
    assert found[0] == found[1]


@pytest.mark.parametrize("sort", ["string", "artifact", "dataset", "model", "volume"])
def test_a_missing_output_is_told_with_its_remedy(scratch: Scratch, sort: OutputType) -> None:
    (problem,) = scratch.collect(spec("out", sort)).problems
    assert "job 'train' declared the output 'out' but wrote nothing to /outputs/out" in str(problem)
    assert problem.remedy


def test_a_job_that_failed_keeps_what_there_is(scratch: Scratch) -> None:
    scratch.write("log")
    found = scratch.collect(spec("log", "artifact"), spec("model", "model"), needed=False)
    assert [output.name for output in found.outputs] == ["log"]
    assert found.problems == ()


def test_an_empty_folder_is_no_dataset(scratch: Scratch) -> None:
    (scratch.source / "data").mkdir()
    assert scratch.collect(spec("data", "dataset")).problems
    assert scratch.collect(spec("data", "volume")).problems == ()


def test_an_output_that_is_an_expression_is_no_file(scratch: Scratch) -> None:
    assert scratch.collect(spec("x", "string", value="${{ steps.a.outputs.b }}")) == Collection()


def test_with_one_problem_nothing_moves(scratch: Scratch) -> None:
    scratch.write("good/x")
    found = scratch.collect(spec("good", "artifact"), spec("bad", "artifact"))
    assert found.outputs == ()
    assert (scratch.source / "good" / "x").exists()
    assert not scratch.target.exists()


@pytest.mark.parametrize(
    ("link", "aim"),
    [
        ("d/l", "/etc/passwd"),
        ("d/l", "../../other"),
        ("d/l", ".."),
        ("d/sub/l", "../../../x"),
        ("d", "other"),
    ],
)
def test_links_that_lead_out_are_refused(scratch: Scratch, link: str, aim: str) -> None:
    place = scratch.source / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(aim)
    (problem,) = scratch.collect(spec("d", "artifact")).problems
    assert "link" in problem.message


def test_links_that_lead_out_over_another_link_are_refused(scratch: Scratch) -> None:
    scratch.write("d/a/b/x")
    (scratch.source / "d" / "up").symlink_to("a/b")
    (scratch.source / "d" / "a" / "b" / "top").symlink_to("../..")
    (scratch.source / "d" / "out").symlink_to("a/b/top/../secret")
    assert scratch.collect(spec("d", "artifact")).problems


def test_links_inside_an_output_are_kept(scratch: Scratch) -> None:
    scratch.write("d/step-100/x")
    (scratch.source / "d" / "latest").symlink_to("step-100")
    (output,) = scratch.collect(spec("d", "artifact")).outputs
    assert (output.path / "latest").readlink() == Path("step-100")


def test_special_files_and_wrong_kinds_are_refused(scratch: Scratch) -> None:
    scratch.write("model")
    scratch.write("d/x")
    os.mkfifo(scratch.source / "d" / "pipe")
    os.mkfifo(scratch.source / "s")
    scratch.write("bin", b"\xff")
    scratch.write("big", b"x" * (STRING_LIMIT + 1))
    found = scratch.collect(
        spec("model", "model"),
        spec("d", "artifact"),
        spec("s", "string"),
        spec("bin", "string"),
        spec("big", "string"),
    )
    assert [problem.name for problem in found.problems] == ["model", "d", "s", "bin", "big"]
