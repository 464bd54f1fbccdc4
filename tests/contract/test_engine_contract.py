"""What every engine promises (`engines/base.py`), tried on docker, process (with and without
namespaces) and the fake."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from contract.conftest import IMAGE, Bench
from windlass_registry.errors import OperatorError
from windlass_runner.engines.base import (
    CommandNotStartable,
    ContainerExit,
    HealthCheck,
    ImageBuild,
    ImageFacts,
    ImageNotBuilt,
    ImageUnavailable,
    Lane,
    Limits,
    Mount,
)
from windlass_runner.testing import FakeEngine, FakeProcess, says

PRIVATE = Lane(name="private-1", is_private=True)


def waits_for(path: Path) -> Callable[[FakeProcess], int]:
    """The fake's part of `while [ ! -e FILE ]`: says `begun`, then `done` once the file is there."""

    def act(process: FakeProcess) -> int:
        process.write(b"begun\n")
        while not path.exists():
            if process.is_stopping.wait(0.005):
                return 143
        process.write(b"done\n")
        return 0

    return act


WAIT_SCRIPT = 'echo begun; while [ ! -e "$1/go" ]; do sleep 0.05; done; echo done'


# -- an engine ------------------------------------------------------------------------------------


def test_an_engine_says_who_it_is(bench: Bench) -> None:
    facts = bench.engine.facts()

    assert facts.name == bench.engine.name
    assert facts.cpus > 0
    assert facts.memory_bytes > 0
    assert facts.isolation == ("container" if bench.kind == "docker" else "none")
    assert facts.notes or facts.isolation == "container"


def test_an_image_that_is_here_is_told(bench: Bench) -> None:
    facts = bench.engine.fetch_image(IMAGE)

    assert facts.reference == IMAGE
    assert bool(facts.digest) == (bench.kind in ("docker", "fake"))


def test_an_image_is_looked_for_without_being_fetched(bench: Bench) -> None:
    assert bench.engine.find_image(IMAGE) == bench.engine.fetch_image(IMAGE)
    if bench.kind == "docker":
        assert bench.engine.find_image("127.0.0.1:9/nothing:1") is None


def test_a_digest_names_the_image_for_a_container(bench: Bench) -> None:
    image = bench.engine.fetch_image(IMAGE).digest or IMAGE
    spec = bench.spec("digest", "echo from it", act=says(b"from it\n"), image=image)
    made = bench.engine.create(spec)
    found = bench.another_engine().find(spec.name)
    again = bench.another_engine().create(replace(spec, image=IMAGE))
    made.start()

    assert b"".join(made.logs()) == b"from it\n"
    assert found is not None
    assert made.image == found.image == again.image == (image if image != IMAGE else "")


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[ImageBuild]:
    """An image that nobody has built yet; it goes with the test."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "greeting").write_text("from the package\n")
    (folder / "Dockerfile").write_text(
        f'FROM {IMAGE}\nCOPY greeting /\nRUN echo built\nCMD ["cat", "/greeting"]'
    )
    name = f"windlass-action:test-{uuid.uuid4().hex[:12]}"
    yield ImageBuild(
        reference=name,
        what="the test",
        context=folder,
        dockerfile="Dockerfile",
        labels={"windlass.action": "x"},
    )
    if shutil.which("docker"):  # the other engines are tested where there is none
        subprocess.run(["docker", "rmi", "-f", name], check=False, capture_output=True)


def test_an_image_is_built_once_with_its_output_told(bench: Bench, recipe: ImageBuild) -> None:
    if bench.kind not in ("docker", "fake"):
        with pytest.raises(ImageNotBuilt, match="the process engine has no images; use the docker engine"):
            bench.engine.build_image(recipe, on_line=lambda _: None)
        return
    lines: list[str | None] = []
    built = bench.engine.build_image(recipe, on_line=lines.append)
    assert [line for line in lines if line]
    assert built.reference == recipe.reference
    assert built.digest
    if bench.kind == "docker":
        assert "built" in lines
        lines.clear()
        assert bench.another_engine().build_image(recipe, on_line=lines.append) == built
        assert lines == []
        made = bench.engine.create(replace(bench.spec("built", ""), image=built.digest, command=None))
        made.start()
        assert b"".join(made.logs()) == b"from the package\n"


@pytest.mark.docker
def test_several_that_want_an_image_at_once_share_one_build(docker_bench: Bench, recipe: ImageBuild) -> None:
    def build() -> tuple[ImageFacts, list[str | None]]:
        lines: list[str | None] = []
        return docker_bench.engine.build_image(recipe, on_line=lines.append), lines

    with ThreadPoolExecutor(3) as pool:
        answers = [each.result(timeout=60) for each in [pool.submit(build) for _ in range(3)]]
    assert len({facts.digest for facts, _ in answers}) == 1
    assert sum("built" in lines for _, lines in answers) >= 1


@pytest.mark.docker
def test_a_build_that_nobody_waits_for_ends_and_may_begin_anew(
    docker_bench: Bench, recipe: ImageBuild
) -> None:
    dockerfile = recipe.context / "Dockerfile"
    brief = dockerfile.read_text()
    slow = "for i in $(seq 1000); do echo $i; sleep 0.1; done"
    dockerfile.write_text(f"{brief}\nRUN {slow}\n")

    class GivenUp(Exception):
        pass

    def give_up(line: str | None) -> None:
        if line == "3":
            raise GivenUp

    with pytest.raises(GivenUp):
        docker_bench.engine.build_image(recipe, on_line=give_up)
    building = [thread for thread in threading.enumerate() if thread.name == "build"]
    for thread in building:
        thread.join(timeout=30)
        assert not thread.is_alive()
    dockerfile.write_text(brief)
    assert docker_bench.engine.build_image(recipe, on_line=lambda _: None).digest


@pytest.mark.docker
@pytest.mark.parametrize(
    ("dockerfile", "reason"),
    [
        ("FROM registry.invalid/no/such:1", "bring the image behind FROM to this host"),
        (f"FROM {IMAGE}\nRUN exit 3", "returned a non-zero code: 3; mend Dockerfile"),
        ("FORM x", "unknown instruction: FORM; mend Dockerfile"),
        (f"FROM {IMAGE}\nCOPY left-out /", "mend Dockerfile"),
    ],
)
def test_a_build_that_fails_says_why(
    docker_bench: Bench, recipe: ImageBuild, dockerfile: str, reason: str
) -> None:
    (recipe.context / "Dockerfile").write_text(dockerfile)
    (recipe.context / "left-out").touch()
    (recipe.context / ".dockerignore").write_text("# not these\nleft-*\n")
    with pytest.raises(ImageNotBuilt) as caught:
        docker_bench.engine.build_image(recipe, on_line=lambda _: None)
    assert str(caught.value).startswith("the image of the test could not be built: ")
    assert reason in str(caught.value)


# -- the life of a container ----------------------------------------------------------------------


def test_a_container_is_created_runs_and_ends(bench: Bench, tmp_path: Path) -> None:
    mounts = (Mount(source=tmp_path, target="/signal"),)
    spec = bench.spec("life", WAIT_SCRIPT, "/signal", act=waits_for(tmp_path / "go"), mounts=mounts)
    container = bench.engine.create(spec)
    states = [container.state()]
    container.start()
    states.append(container.state())
    (tmp_path / "go").touch()
    container.wait()
    states.append(container.state())

    assert states == ["created", "running", "ended"]
    assert container.name == spec.name


@pytest.mark.parametrize("code", [0, 1, 3, 125, 255])
def test_an_exit_code_is_a_result(bench: Bench, code: int) -> None:
    output, end = bench.result("code", f"exit {code}", act=says(code=code))

    assert end == ContainerExit(code=code)
    assert output == b""


def test_creating_twice_gives_the_same_container(bench: Bench) -> None:
    spec = bench.spec("twice", "echo once", act=says(b"once\n"))
    first, second = bench.engine.create(spec), bench.engine.create(spec)
    first.start()
    second.start()

    assert b"".join(second.logs()) == b"once\n"
    assert first.wait() == second.wait() == ContainerExit(code=0)


def test_starting_again_does_nothing(bench: Bench) -> None:
    container = bench.started("again", "echo once", act=says(b"once\n"))
    container.start()
    container.wait()
    container.start()

    assert b"".join(container.logs()) == b"once\n"


def test_a_name_that_another_run_holds_is_refused(bench: Bench) -> None:
    spec = bench.spec("held", "true")
    bench.engine.create(spec)
    other = f"{bench.run_id}-other"
    try:
        with pytest.raises(OperatorError, match="is not of run"):
            bench.engine.create(replace(spec, run_id=other))
    finally:
        bench.engine.destroy(other)


def test_waiting_from_several_threads_gives_all_the_same(bench: Bench) -> None:
    container = bench.started("waits", "sleep 0.2; exit 7", act=says(code=7))
    with ThreadPoolExecutor(4) as threads:
        ends = list(threads.map(lambda _: container.wait(), range(4)))

    assert ends == [ContainerExit(code=7)] * 4


def test_a_container_is_found_by_name(bench: Bench) -> None:
    spec = bench.spec("found", "exit 5", act=says(code=5))
    assert bench.engine.find(spec.name) is None
    bench.engine.create(spec).start()
    found = bench.another_engine().find(spec.name)

    assert found is not None
    assert found.name == spec.name
    assert found.wait() == ContainerExit(code=5)


def test_a_removed_container_is_found_no_longer(bench: Bench) -> None:
    container = bench.started("removed", "true")
    container.wait()
    container.remove()
    container.remove()
    bench.engine.destroy(bench.run_id)

    assert bench.engine.find(container.name) is None


def test_a_running_container_can_be_removed(bench: Bench, tmp_path: Path) -> None:
    act = waits_for(tmp_path / "never")
    container = bench.started("removed", "echo up; sleep 600", act=act)
    next(iter(container.logs()))
    container.remove()
    bench.engine.destroy(bench.run_id)

    assert bench.engine.find(container.name) is None


def test_a_command_that_is_not_there_says_so(bench: Bench) -> None:
    spec = replace(bench.spec("missing", ""), command=("no-such-program", "x"))
    container = bench.engine.create(spec)
    try:
        container.start()
    except CommandNotStartable as exc:
        said = str(exc)
    else:
        said = b"".join(container.logs()).decode()
        assert container.wait().code == 127

    assert "no such" in said.lower()


# -- logs -----------------------------------------------------------------------------------------


def test_both_streams_come_in_the_order_of_arrival(bench: Bench) -> None:
    script = "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three"
    output, _ = bench.result("streams", script, act=says(b"one\ntwo\nthree\n"))

    assert output == b"one\ntwo\nthree\n"


def test_logs_are_followed_while_it_runs(bench: Bench, tmp_path: Path) -> None:
    mounts = (Mount(source=tmp_path, target="/signal"),)
    container = bench.started("live", WAIT_SCRIPT, "/signal", act=waits_for(tmp_path / "go"), mounts=mounts)
    logs = container.logs()
    assert next(logs) == b"begun\n"
    assert container.state() == "running"
    (tmp_path / "go").touch()

    assert b"".join(logs) == b"done\n"


def test_logs_after_the_end_are_complete_and_repeat(bench: Bench) -> None:
    container = bench.started("after", "echo a; echo b", act=says(b"a\nb\n"))
    container.wait()

    assert b"".join(container.logs()) == b"".join(container.logs()) == b"a\nb\n"


def test_a_last_line_without_its_newline_is_kept(bench: Bench) -> None:
    output, _ = bench.result("open-line", "echo a; printf tail", act=says(b"a\ntail"))

    assert output == b"a\ntail"


def test_a_megabyte_in_many_lines_comes_whole(bench: Bench) -> None:
    expected = b"".join(b"%08d abcdefghijklmnopqrstuvwxyz\n" % number for number in range(28_000))
    script = """awk 'BEGIN { for (; i < 28000; i++) printf "%08d abcdefghijklmnopqrstuvwxyz\\n", i }'"""
    output, _ = bench.result("lines", script, act=says(expected))

    assert output == expected


def test_a_megabyte_in_one_line_comes_whole(bench: Bench) -> None:
    expected = b"z" * 1_000_000 + b"\nend\n"
    output, _ = bench.result(
        "one-line", "head -c 1000000 /dev/zero | tr '\\0' z; echo; echo end", act=says(expected)
    )

    assert output == expected


def test_bytes_that_are_no_text_do_not_stop_the_log(bench: Bench) -> None:
    expected = b"a\x00b\xff\xfe\x1b[31m\n"
    output, _ = bench.result("binary", r"printf 'a\000b\377\376\033[31m\n'", act=says(expected))
    if bench.kind == "docker":  # its log is JSON text
        assert output.decode() == expected.decode(errors="replace")
    else:
        assert output == expected


def test_writing_to_dev_stderr_does_not_cut_the_log(bench: Bench) -> None:
    output, _ = bench.result("dev", "echo a; echo b > /dev/stderr; echo c", act=says(b"a\nb\nc\n"))

    assert sorted(output.split()) == [b"a", b"b", b"c"]  # Docker reads the two streams side by side


# -- stopping -------------------------------------------------------------------------------------


def test_a_job_that_heeds_sigterm_ends_in_its_own_way(bench: Bench) -> None:
    def act(process: FakeProcess) -> int:
        process.write(b"ready\n")
        process.is_stopping.wait()
        process.write(b"saved\n")
        return 9

    script = "trap 'echo saved; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    container = bench.started("heeds", script, act=act)
    logs = container.logs()
    assert next(logs) == b"ready\n"
    container.stop(grace_s=30)

    assert b"".join(logs).endswith(b"saved\n")  # a shell may say that its `sleep` was terminated
    assert container.wait() == ContainerExit(code=9)


def test_a_job_that_ignores_sigterm_is_killed_after_the_grace(bench: Bench) -> None:
    def act(process: FakeProcess) -> int:
        process.write(b"ready\n")
        threading.Event().wait(20)
        return 0

    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    container = bench.started("ignores", script, act=act)
    assert next(container.logs()) == b"ready\n"
    begun = time.monotonic()
    container.stop(grace_s=1)

    assert container.wait() == ContainerExit(code=137)
    assert 0.9 <= time.monotonic() - begun < 8


def test_a_plain_sleep_heeds_sigterm(bench: Bench) -> None:
    act = says(b"up\n", after=threading.Event())
    container = bench.started("sleeps", "echo up; exec sleep 600", act=act)
    assert next(container.logs()) == b"up\n"
    container.stop(grace_s=30)

    assert container.wait() == ContainerExit(code=143)


def test_stopping_what_has_ended_does_nothing(bench: Bench) -> None:
    container = bench.started("ended", "exit 4", act=says(code=4))
    container.wait()
    container.stop(grace_s=1)
    container.stop(grace_s=1)

    assert container.wait() == ContainerExit(code=4)


def test_stop_from_another_thread_ends_log_and_wait(bench: Bench) -> None:
    container = bench.started("thread", "echo up; sleep 600", act=says(b"up\n", after=threading.Event()))
    logs = container.logs()
    next(logs)
    stopper = threading.Thread(target=container.stop, kwargs={"grace_s": 1})
    stopper.start()

    assert b"".join(logs) == b""
    assert container.wait().code in (137, 143)
    stopper.join()


# -- what it sees ---------------------------------------------------------------------------------


def test_a_job_reads_and_writes_its_mounts(bench: Bench, tmp_path: Path) -> None:
    def act(process: FakeProcess) -> int:
        process.path("/outputs/result").write_bytes(process.path("/inputs/data/f").read_bytes())
        return 0

    inputs, outputs = tmp_path / "in", tmp_path / "with space and ü"
    inputs.mkdir()
    outputs.mkdir()
    (inputs / "f").write_text("content\n")
    mounts = (
        Mount(source=inputs, target="/inputs/data", is_read_only=True),
        Mount(source=outputs, target="/outputs"),
    )
    words = ("/inputs/data/f", "/outputs/result")
    output, end = bench.result("mounts", 'cat "$1" > "$2"', *words, act=act, mounts=mounts)

    assert (output, end) == (b"", ContainerExit(code=0))
    assert (outputs / "result").read_text() == "content\n"


def test_a_single_file_can_be_mounted(bench: Bench, tmp_path: Path) -> None:
    def act(process: FakeProcess) -> int:
        process.write(process.path("/etc/windlass/note").read_bytes())
        return 0

    (tmp_path / "note").write_text("a file\n")
    mounts = (Mount(source=tmp_path / "note", target="/etc/windlass/note", is_read_only=True),)
    output, _ = bench.result("file", 'cat "$1"', "/etc/windlass/note", act=act, mounts=mounts)

    assert output == b"a file\n"
    assert not Path("/etc/windlass").exists()


def test_a_read_only_mount_cannot_be_written(bench: Bench, tmp_path: Path) -> None:
    def act(process: FakeProcess) -> int:
        return 1 if process.is_read_only("/inputs/x") else 0

    if not bench.has_mounts:
        pytest.skip("without namespaces the folder behind a mount is used as it is; facts() says so")
    mounts = (Mount(source=tmp_path, target="/inputs", is_read_only=True),)
    _, end = bench.result("read-only", "echo no > /inputs/x 2>/dev/null", act=act, mounts=mounts)

    assert end.code != 0
    assert not (tmp_path / "x").exists()


def test_a_job_begins_in_its_workdir(bench: Bench, tmp_path: Path) -> None:
    def act(process: FakeProcess) -> int:
        process.path(f"{process.spec.workdir}/here").touch()
        return 0

    (tmp_path / "sub").mkdir()
    mounts = (Mount(source=tmp_path, target="/workspace"),)
    _, end = bench.result("workdir", "touch here", act=act, mounts=mounts, workdir="/workspace/sub")

    assert end == ContainerExit(code=0)
    assert (tmp_path / "sub" / "here").exists()


def test_values_of_the_environment_arrive_unchanged(bench: Bench) -> None:
    env = {
        "QUOTES": 'it\'s "so" $HOME `id`',
        "LINES": "one\ntwo\n",
        "UNICODE": "größer ☃",
        "EMPTY": "",
        "A.B": "x=y",
    }

    def act(process: FakeProcess) -> int:
        process.write("|".join(process.spec.env[name] for name in list(env)[:4]).encode())
        return 0

    script = 'printf "%s|%s|%s|%s" "$QUOTES" "$LINES" "$UNICODE" "$EMPTY"'
    output, _ = bench.result("env", script, act=act, env=env)

    assert output.decode() == "|".join(list(env.values())[:4])


def test_nothing_of_our_own_environment_reaches_a_job(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_TEST_SECRET", "hush")
    output, _ = bench.result("clean", "env", act=says(b"PATH=/bin\n"))

    assert b"PATH=" in output
    assert b"hush" not in output


# -- lanes ----------------------------------------------------------------------------------------


def test_jobs_follow_each_other_in_one_lane(bench: Bench) -> None:
    bench.engine.open_lane(bench.run_id, bench.lane)
    bench.engine.open_lane(bench.run_id, bench.lane)
    codes = []
    for number in range(3):
        _, end = bench.result(f"job-{number}", f"exit {number}", act=says(code=number))
        codes.append(end.code)
    bench.engine.close_lane(bench.run_id, bench.lane)
    bench.engine.close_lane(bench.run_id, bench.lane)

    assert codes == [0, 1, 2]


def test_many_threads_may_open_lanes_and_run_jobs(bench: Bench) -> None:
    lanes = [Lane(name=f"lane-{number}") for number in range(4)]
    numbers = itertools.count()

    def job(lane: Lane) -> int:
        bench.engine.open_lane(bench.run_id, lane)
        number = next(numbers)
        return bench.result(f"job-{number}", "exit 3", act=says(code=3), lane=lane)[1].code

    with ThreadPoolExecutor(4) as threads:
        codes = list(threads.map(job, lanes * 2))

    assert codes == [3] * 8


def test_a_container_may_be_made_before_its_lane_is_free(bench: Bench) -> None:
    first = bench.started("first", "sleep 0.2; exit 1", act=says(code=1))
    second = bench.engine.create(bench.spec("second", "exit 2", act=says(code=2)))
    assert second.state() == "created"
    first.wait()
    second.start()

    assert second.wait() == ContainerExit(code=2)


# -- those who come next --------------------------------------------------------------------------


def test_another_engine_goes_on_with_a_running_container(bench: Bench, tmp_path: Path) -> None:
    mounts = (Mount(source=tmp_path, target="/signal"),)
    spec = bench.spec("adopted", WAIT_SCRIPT, "/signal", act=waits_for(tmp_path / "go"), mounts=mounts)
    first = bench.engine.create(spec)
    first.start()
    assert next(first.logs()) == b"begun\n"

    second = bench.another_engine().create(spec)
    assert second.state() == "running"
    second.start()
    logs = second.logs()
    assert next(logs) == b"begun\n"
    (tmp_path / "go").touch()

    assert b"".join(logs) == b"done\n"
    assert second.wait() == first.wait() == ContainerExit(code=0)


def test_another_engine_starts_what_was_only_made(bench: Bench) -> None:
    spec = bench.spec("made", "echo late; exit 2", act=says(b"late\n", code=2))
    bench.engine.create(spec)
    found = bench.another_engine().find(spec.name)
    assert found is not None
    found.start()

    assert b"".join(found.logs()) == b"late\n"
    assert found.wait() == ContainerExit(code=2)


def test_destroy_leaves_nothing(bench: Bench) -> None:
    engine = bench.engine
    ended = bench.started("ended", "true")
    ended.wait()
    running = bench.started("running", "echo up; sleep 600", act=says(b"up\n", after=threading.Event()))
    next(iter(running.logs()))
    made = engine.create(bench.spec("made", "true"))
    assert bench.run_id in bench.another_engine().present_runs()
    bench.another_engine().destroy(bench.run_id)

    assert bench.run_id not in engine.present_runs()
    assert [engine.find(item.name) for item in (ended, running, made)] == [None] * 3
    engine.destroy(bench.run_id)


def test_destroy_leaves_other_runs_alone(bench: Bench) -> None:
    other = f"{bench.run_id}-other"
    try:
        spec = bench.spec("other", "exit 6", act=says(code=6), run_id=other)
        container = bench.engine.create(spec)
        bench.started("own", "true").wait()
        bench.engine.destroy(bench.run_id)
        container.start()

        assert container.wait() == ContainerExit(code=6)
        assert other in bench.engine.present_runs()
    finally:
        bench.engine.destroy(other)


def test_reclaimed_folders_can_be_deleted(bench: Bench, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    mounts = (Mount(source=scratch, target="/workspace"),)
    script = 'mkdir -p "$1/a/b"; echo x > "$1/a/b/c"; ln -s /etc/passwd "$1/link"'
    bench.result("files", script, "/workspace", mounts=mounts)
    bench.engine.reclaim([scratch, tmp_path / "not-there"], image=IMAGE)

    assert all(path.lstat().st_uid == scratch.stat().st_uid for path in scratch.rglob("*"))
    assert Path("/etc/passwd").stat().st_uid == 0


# -- what only some can do ------------------------------------------------------------------------


def test_services_are_refused_where_there_is_no_network_to_put_them_in(bench: Bench) -> None:
    if bench.kind in ("docker", "fake"):
        pytest.skip("has services")
    with pytest.raises(OperatorError, match="has no services"):
        bench.engine.create(bench.spec("service", "true", service_alias="db", lane=PRIVATE))


@pytest.mark.docker
def test_a_missing_image_says_what_to_do(docker_bench: Bench) -> None:
    with pytest.raises(ImageUnavailable) as caught:
        docker_bench.engine.fetch_image("registry.invalid/no/such:1")
    assert caught.value.image == "registry.invalid/no/such:1"
    assert caught.value.remedy

    with pytest.raises(ImageUnavailable):
        docker_bench.engine.create(
            replace(docker_bench.spec("x", "true"), image="registry.invalid/no/such:1")
        )


@pytest.mark.docker
@pytest.mark.parametrize("script", ["exec {}", "sh -c '{}'; exit 1"], ids=["itself", "in a child"])
def test_running_out_of_memory_is_told_apart(docker_bench: Bench, script: str) -> None:
    eats = 'awk "BEGIN { x = \\"aaaaaaaa\\"; while (1) x = x x }"'
    limits = Limits(memory_bytes=24 << 20)
    _, end = docker_bench.result("oom", script.format(eats), limits=limits)

    assert end.oom_killed
    assert end.code != 0


@pytest.mark.docker
def test_limits_reach_the_container(docker_bench: Bench) -> None:
    limits = Limits(cpus=0.5, memory_bytes=64 << 20, shm_bytes=8 << 20)
    script = "df -k /dev/shm | tail -n 1 | awk '{ print $2 }'"
    output, _ = docker_bench.result("limits", script, limits=limits)

    assert int(output) == 8 << 10


@pytest.mark.docker
def test_more_cpus_than_the_host_has_are_refused(docker_bench: Bench) -> None:
    with pytest.raises(OperatorError, match="CPUs") as caught:
        docker_bench.engine.create(docker_bench.spec("cpus", "true", limits=Limits(cpus=10_000)))

    assert caught.value.remedy


@pytest.mark.docker
def test_a_gpu_without_its_runtime_is_a_clear_error_and_leaves_nothing(docker_bench: Bench) -> None:
    container = docker_bench.engine.create(docker_bench.spec("gpu", "true", limits=Limits(gpu_ids=("0",))))
    info = subprocess.check_output(["docker", "info", "--format", "{{json .Runtimes}}"], text=True)
    if "nvidia" in info:
        pytest.skip("this engine has the NVIDIA runtime")
    with pytest.raises(OperatorError, match="nvidia-container-toolkit"):
        container.start()

    assert docker_bench.engine.find(container.name) is None


@pytest.mark.docker
def test_a_service_is_reached_by_its_name_in_a_private_lane(docker_bench: Bench) -> None:
    script = "mkdir /w; echo served > /w/x; exec httpd -f -p 80 -h /w"
    health = HealthCheck(command="wget -q -O /dev/null http://127.0.0.1/x", interval_s=0.5)
    fields = {"lane": PRIVATE, "service_alias": "web", "health": health}
    service = docker_bench.started("web", script, **fields)
    assert service.wait_healthy(timeout_s=30)
    output, _ = docker_bench.result("client", "wget -q -O - http://web/x", lane=PRIVATE)
    assert output == b"served\n"

    found = docker_bench.another_engine().find(service.name)
    assert found is not None
    assert found.wait_healthy(timeout_s=5)

    docker_bench.engine.close_lane(docker_bench.run_id, PRIVATE)
    assert docker_bench.engine.find(service.name) is None


@pytest.mark.docker
def test_a_service_that_never_gets_healthy_is_told(docker_bench: Bench) -> None:
    health = HealthCheck(command="exit 1", interval_s=0.1, retries=2)
    sick = docker_bench.started("sick", "sleep 600", lane=PRIVATE, service_alias="a", health=health)
    gone = docker_bench.started("gone", "exit 1", lane=PRIVATE, service_alias="b", health=health)

    assert not sick.wait_healthy(timeout_s=30)
    assert not gone.wait_healthy(timeout_s=30)


@pytest.mark.docker
def test_another_run_is_out_of_reach(docker_bench: Bench) -> None:
    script = (
        "mkdir /w; echo here > /w/x; ip -4 addr show eth0 | awk '/inet/ { print $2 }' | cut -d/ -f1; "
        "exec httpd -f -p 80 -h /w"
    )
    server = docker_bench.started("server", script)
    address = next(server.logs()).decode().strip()
    knock = (
        f"for i in 1 2 3; do printf 'GET /x HTTP/1.0\\r\\n\\r\\n' | nc -w 1 {address} 80 | grep here"
        " && exit; sleep 0.1; done; exit 1"
    )
    own, _ = docker_bench.result("neighbour", knock, lane=Lane(name="lane-2"))
    other = f"{docker_bench.run_id}-other"
    try:
        stranger, end = docker_bench.result("stranger", knock, run_id=other)
    finally:
        docker_bench.engine.destroy(other)

    assert own.endswith(b"here\n")
    assert end.code == 1
    assert b"here" not in stranger


def test_what_a_container_serves_is_reached_from_the_host(bench: Bench) -> None:
    listen, port = bench.engine.serve_on(8123)
    script = (
        'if command -v httpd > /dev/null; then exec httpd -f -p "$1:$2" -h /; fi; '
        'exec python3 -m http.server --bind "$1" "$2"'
    )
    bench.started("server", script, listen, str(port))
    address = bench.engine.address_of(bench.run_id, bench.lane)

    assert bench.another_engine().address_of(bench.run_id, bench.lane) == address
    deadline = time.monotonic() + 30
    while bench.kind != "fake":
        try:
            socket.create_connection((address, port), timeout=5).close()
            break
        except OSError:
            assert time.monotonic() < deadline, f"nobody serves at {address}:{port}"
            threading.Event().wait(0.02)


@pytest.mark.docker
def test_no_container_or_network_is_left_in_the_engine(docker_bench: Bench) -> None:
    def listed() -> list[str]:
        mine = f"label=windlass.run={docker_bench.run_id}"
        commands = (["ps", "-aq"], ["network", "ls", "-q"], ["volume", "ls", "-q"])
        return [
            line
            for command in commands
            for line in subprocess.check_output(["docker", *command, "--filter", mine], text=True).split()
        ]

    docker_bench.started("job", "true").wait()
    docker_bench.started("web", "sleep 600", lane=PRIVATE, service_alias="web")
    docker_bench.started("with-service", "true", lane=PRIVATE).wait()
    assert len(listed()) == 7  # three containers, two sandboxes, two networks
    docker_bench.engine.destroy(docker_bench.run_id)

    assert listed() == []


def test_the_fake_records_calls_and_fails_on_demand(bench: Bench) -> None:
    engine = bench.engine
    if not isinstance(engine, FakeEngine):
        pytest.skip("only the fake is scripted")
    engine.fail_next("create", OperatorError("no room"))
    spec = bench.spec("x", "true")
    with pytest.raises(OperatorError, match="no room"):
        engine.create(spec)
    engine.create(spec).start()

    assert [call.method for call in engine.calls] == ["create", "create", "start"]


def _until_stopped(process: FakeProcess) -> int:
    process.write(b"here\n")
    process.is_stopping.wait()
    return 143


def test_logs_and_wait_end_when_somebody_removes_the_container(bench: Bench) -> None:
    container = bench.started("gone", "echo here; sleep 60", act=_until_stopped)
    chunks: list[bytes] = []
    reader = threading.Thread(target=lambda: chunks.extend(container.logs()), daemon=True)
    reader.start()
    bench.another_engine().destroy(bench.run_id)
    reader.join(20)
    assert not reader.is_alive()
