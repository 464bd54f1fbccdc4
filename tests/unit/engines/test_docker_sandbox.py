from __future__ import annotations

import io
import os
import platform
import signal
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest

from windlass_runner.engines.docker_sandbox import image_archive, pause_program


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_the_program_is_a_static_executable_that_begins_behind_its_headers(
    architecture: str, machine: int
) -> None:
    program = pause_program(architecture)
    kind, of, _, entry = struct.unpack_from("<HHIQ", program, 16)
    segment, flags, offset, address, _, size, _, _ = struct.unpack_from("<IIQQQQQQ", program, 64)

    assert program[:6] == b"\x7fELF\x02\x01"
    assert (kind, of) == (2, machine)
    assert (segment, flags, offset, size) == (1, 5, 0, len(program))
    assert entry - address == 64 + 56


def test_the_arm_program_branches_back_to_its_first_instruction() -> None:
    code = struct.unpack("<8I", pause_program("arm64")[120:])
    offset = (code[-1] & 0x3FFFFFF) - (1 << 26)

    assert code[-1] >> 26 == 0b000101
    assert len(code) - 1 + offset == 0
    assert (code[5] >> 5) & 0xFFFF == 73


def test_an_unknown_architecture_has_no_program() -> None:
    with pytest.raises(KeyError):
        pause_program("riscv64")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="runs the x86-64 program")
def test_the_program_sleeps_until_it_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause_program("amd64"))
    program.chmod(0o755)
    with subprocess.Popen([program]) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        os.kill(process.pid, signal.SIGKILL)

    assert process.returncode == -signal.SIGKILL


def test_the_archive_holds_the_program_alone() -> None:
    with tarfile.open(fileobj=io.BytesIO(image_archive("amd64"))) as archive:
        assert [(item.name, item.mode) for item in archive] == [("pause", 0o755)]
