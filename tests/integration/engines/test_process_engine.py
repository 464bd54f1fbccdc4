"""What the process engine adds to the contract, on the real kernel."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from windlass_registry.errors import OperatorError
from windlass_runner.engines.base import ContainerSpec, Lane, Limits, Mount
from windlass_runner.engines.process import ProcessEngine, without_targets

SPEC = ContainerSpec(name="job", run_id="r1", lane=Lane(name="l"), image="none")


def script(text: str, *words: str, **fields: object) -> ContainerSpec:
    values = {name: getattr(SPEC, name) for name in SPEC.__dataclass_fields__}
    return ContainerSpec(**{**values, "command": ("sh", "-c", text, "sh", *words), **fields})


@pytest.fixture(params=[None, "none"], ids=["namespaces", "plain"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> ProcessEngine:
    return ProcessEngine(tmp_path / "engine", isolation=request.param)


def supervisor_of(tmp_path: Path, name: str = "job") -> int:
    return int((tmp_path / "engine" / name / "supervisor").read_text().split()[0])


def is_running(marker: str) -> bool:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (process / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


def test_orphans_do_not_survive_their_job(engine: ProcessEngine, tmp_path: Path) -> None:
    marker = f"98765.{os.getpid()}"
    container = engine.create(script(f"setsid sleep {marker} & echo begun"))
    container.start()

    assert b"".join(container.logs()) == b"begun\n"
    assert container.wait().code == 0
    assert not is_running(marker)


def test_a_killed_supervisor_takes_its_job_along(engine: ProcessEngine, tmp_path: Path) -> None:
    marker = f"98764.{os.getpid()}"
    container = engine.create(script(f"echo begun; sleep {marker}"))
    container.start()
    logs = container.logs()
    assert next(logs) == b"begun\n"
    os.kill(supervisor_of(tmp_path), signal.SIGKILL)

    assert container.wait().code == 137
    assert b"".join(logs) == b""
    container.remove()
    assert not is_running(marker)


def test_commands_and_secrets_do_not_stay_on_disk(engine: ProcessEngine, tmp_path: Path) -> None:
    container = engine.create(script("true", env={"TOKEN": "hush-hush"}))
    container.start()
    container.wait()
    files = [path for path in (tmp_path / "engine").rglob("*") if path.is_file()]

    assert files
    assert not any(b"hush-hush" in path.read_bytes() for path in files)


def test_gpus_are_named_in_the_environment(engine: ProcessEngine) -> None:
    container = engine.create(script("echo $CUDA_VISIBLE_DEVICES", limits=Limits(gpu_ids=("2", "5"))))
    container.start()

    assert b"".join(container.logs()) == b"2,5\n"


def test_python_is_the_one_that_runs_us(engine: ProcessEngine) -> None:
    container = engine.create(script("python3 -c 'import sys; print(sys.version_info[:2])'"))
    container.start()
    container.wait()

    assert b"".join(container.logs()).startswith(b"(3, ")


def test_an_image_has_no_command_of_its_own_here(engine: ProcessEngine) -> None:
    with pytest.raises(OperatorError, match="no images"):
        engine.create(SPEC)


def test_a_mount_inside_a_folder_of_the_host_leaves_the_host_alone(tmp_path: Path) -> None:
    engine = ProcessEngine(tmp_path / "engine")
    if len(engine.facts().notes) > 2:
        pytest.skip("this host allows no namespaces")
    sources = [tmp_path / name for name in ("a", "b")]
    for source in sources:
        source.mkdir()
    mounts = tuple(Mount(source=one, target=f"/usr/share/windlass-test/{one.name}/x") for one in sources)
    nested = Mount(source=sources[1], target="/usr/share/windlass-test/a/x/in")
    text = "touch /usr/share/windlass-test/a/x/1 /usr/share/windlass-test/b/x/2; ls /usr/share | wc -l"
    container = engine.create(script(text, mounts=(nested, *mounts)))
    container.start()

    entries = len(list(Path("/usr/share").iterdir()))
    assert int(b"".join(container.logs())) == entries + 1
    assert (sources[0] / "1").exists()
    assert (sources[1] / "2").exists()
    assert not Path("/usr/share/windlass-test").exists()


def test_without_namespaces_paths_are_those_behind_the_mounts() -> None:
    mounts = (
        Mount(source=Path("/s/w"), target="/workspace"),
        Mount(source=Path("/s/i"), target="/workspace/in"),
    )
    spec = script("x", "/workspace/in/f", "/workspaces", mounts=mounts, env={"A": "/workspace"})
    translated = without_targets(spec)

    assert translated.command is not None
    assert translated.command[-2:] == ("/s/i/f", "/workspaces")
    assert translated.env == {"A": "/s/w"}
    assert translated.mounts == ()
