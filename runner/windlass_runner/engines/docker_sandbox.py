"""The image of a network sandbox: one program of nine instructions that sleeps for ever.

A sandbox only has to exist, so that other containers can join its network. Its image is made here,
from bytes, because no registry may be at hand: a static ELF executable without a C library.

x86-64 (Linux: rax = number of the call, 34 = pause):

    b8 22 00 00 00    mov  eax, 34
    0f 05             syscall
    eb f7             jmp  -9          (pause returns when a signal was handled)

aarch64 (x8 = number of the call, 73 = ppoll with no descriptors and no timeout; it has no pause):

    d2800000 … d2800004    mov x0 … x4, #0
    d2800928               mov x8, #73
    d4000001               svc #0
    17fffff9               b   -28

As the first process of its container it gets no signal without a handler but SIGKILL.
"""

from __future__ import annotations

import io
import struct
import tarfile

IMAGE = "windlass/sandbox:1"
PROGRAM = "/pause"
_LOAD_ADDRESS = 0x400000
_HEADERS_BYTES = 64 + 56
_ARM_CODE = (0xD2800000, 0xD2800001, 0xD2800002, 0xD2800003, 0xD2800004, 0xD2800928, 0xD4000001, 0x17FFFFF9)
_PROGRAMS: dict[str, tuple[int, bytes]] = {
    # architecture as Docker names it: (ELF e_machine, code)
    "amd64": (62, bytes.fromhex("b822000000 0f05 ebf7")),
    "arm64": (183, struct.pack("<8I", *_ARM_CODE)),
}


def pause_program(architecture: str) -> bytes:
    """A whole executable file. Raises `KeyError` for an architecture that we have no code for."""
    machine, code = _PROGRAMS[architecture]
    size = _HEADERS_BYTES + len(code)
    identification = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bits, little endian, version 1
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        identification,
        2,  # ET_EXEC
        machine,
        1,
        _LOAD_ADDRESS + _HEADERS_BYTES,  # entry
        64,  # program headers follow
        0,
        0,
        64,
        56,
        1,
        0,
        0,
        0,
    )
    load_readable_executable = struct.pack(
        "<IIQQQQQQ", 1, 5, 0, _LOAD_ADDRESS, _LOAD_ADDRESS, size, size, 0x1000
    )
    return header + load_readable_executable + code


def image_archive(architecture: str) -> bytes:
    """A tar that `docker import` makes the image of."""
    program = pause_program(architecture)
    entry = tarfile.TarInfo(PROGRAM.lstrip("/"))
    entry.size, entry.mode = len(program), 0o755
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(program))
    return buffer.getvalue()
