"""Archives that are attacks: what no good tool writes, and somebody will."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable


def header(name: str, kind: bytes, *, size: int = 0, link: str = "", content: bytes = b"") -> bytes:
    """One raw entry of a tar, as no good tool writes it."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, size or len(content), 0o644
    return info.tobuf(tarfile.PAX_FORMAT) + content + b"\0" * (-len(content) % 512)


def archive_of(*entries: bytes) -> bytes:
    return b"".join(entries) + b"\0" * 1024


def many() -> bytes:
    return archive_of(*(header(f"f{number:06}", tarfile.REGTYPE) for number in range(100_000)))


def compressed() -> bytes:
    """A bomb: a megabyte of zeros in a kilobyte."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 1 << 20
        tar.addfile(info, io.BytesIO(bytes(1 << 20)))
    return stream.getvalue()


def sparse() -> bytes:
    """A file of no bytes that calls itself a terabyte (GNU's sparse files)."""
    info = tarfile.TarInfo("huge")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return archive_of(bytes(block))


ATTACKS: dict[str, Callable[[], bytes]] = {
    "upwards": lambda: archive_of(header("../evil", tarfile.REGTYPE, content=b"x")),
    "absolute": lambda: archive_of(header("/etc/evil", tarfile.REGTYPE, content=b"x")),
    "link out": lambda: archive_of(header("out", tarfile.SYMTYPE, link="../../etc/passwd")),
    "hard link": lambda: archive_of(header("hard", tarfile.LNKTYPE, link="/etc/passwd")),
    "device": lambda: archive_of(header("null", tarfile.CHRTYPE)),
    "pipe": lambda: archive_of(header("pipe", tarfile.FIFOTYPE)),
    "control characters": lambda: archive_of(header("a\x1b[31m", tarfile.REGTYPE)),
    "git's own folder": lambda: archive_of(header(".git/config", tarfile.REGTYPE, content=b"x")),
    "100,000 files": many,
    "compressed": compressed,
    "sparse": sparse,
    "twice the same": lambda: archive_of(header("a", tarfile.REGTYPE), header("a", tarfile.REGTYPE)),
    "cut short": lambda: header("a", tarfile.REGTYPE, size=10_000)[:512],
    "no archive": lambda: b"hello",
    "nothing": lambda: b"",
    "more behind the end": lambda: archive_of(header("a", tarfile.REGTYPE)) + b"hidden" * 100,
}
