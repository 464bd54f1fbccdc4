"""The files of a registry that everybody may read, wherever they lie: the seam, and a folder behind it.

The layout is the same everywhere (`windlass_registry.layout`), so that what lies in a bucket can be read from
there like what a web server gives out of a folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from windlass_registry.errors import OperatorError
from windlass_registry.hosting.files import write_whole

_CHUNK: Final = 1 << 18


class Overtaken(Exception):
    """Somebody else wrote the file meanwhile. Nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file that is there. `tag` tells its content from any other that the same path had."""

    size_bytes: int
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFile:
    """A file that is being read. Its chunks have to be read to their end, or closed."""

    size_bytes: int
    """Of what the chunks give."""
    tag: str
    chunks: Iterator[bytes]


class PublicFiles(Protocol):
    """Files by their path. Each is there as a whole or not at all, also for who reads it right now.

    What `put` and `put_over` have come back from is kept, whatever happens to the machine. Safe to use from
    several threads and processes. Every method raises UpstreamError where the place does not answer, and
    OperatorError where its owner has to mend something.
    """

    address: str
    """Where they lie, for people."""

    def read(self, path: str) -> bytes | None:
        """The content; None where there is none."""
        ...

    def find(self, path: str) -> FoundFile | None:
        """What is there, without its content."""
        ...

    def open(self, path: str, *, begin: int = 0, end: int | None = None) -> OpenFile | None:
        """The content from one byte to before another, piece by piece; None where there is no file."""
        ...

    def put(self, path: str, content: bytes) -> None:
        """Put it there, whatever was."""
        ...

    def put_over(self, path: str, content: bytes, *, tag: str | None) -> str:
        """Put it in the place of the file with that tag (None: of no file), and give its own tag.

        Raises:
            Overtaken: another is there.
        """
        ...

    def remove(self, path: str) -> None:
        """Take it away; nothing happens where there is none."""
        ...


class FolderFiles:
    """Implements `PublicFiles` in a folder. Of those who use `put_over`, one at a time may: see its lock."""

    def __init__(self, folder: Path, *, scratch: Path | None = None) -> None:
        self.folder = folder
        self.address = str(folder)
        self._scratch = scratch

    def read(self, path: str) -> bytes | None:
        """See `PublicFiles`."""
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(error) from error

    def find(self, path: str) -> FoundFile | None:
        """See `PublicFiles`."""
        try:
            found = (self.folder / path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(error) from error
        tag = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
        return FoundFile(size_bytes=found.st_size, tag=tag)

    def open(self, path: str, *, begin: int = 0, end: int | None = None) -> OpenFile | None:
        """See `PublicFiles`."""
        found = self.find(path)
        if found is None:
            return None
        last = found.size_bytes if end is None else min(end, found.size_bytes)
        return OpenFile(
            size_bytes=max(0, last - begin), tag=found.tag, chunks=self._chunks(path, begin=begin, end=last)
        )

    def put(self, path: str, content: bytes) -> None:
        """See `PublicFiles`. Raises OSError."""
        write_whole(self.folder / path, content, scratch=self._scratch)

    def put_over(self, path: str, content: bytes, *, tag: str | None) -> str:
        """See `PublicFiles`. Raises OSError."""
        there = self.find(path)
        if (there.tag if there is not None else None) != tag:
            raise Overtaken(path)
        self.put(path, content)
        made = self.find(path)
        assert made is not None
        return made.tag

    def remove(self, path: str) -> None:
        """See `PublicFiles`. Raises OSError."""
        with suppress(FileNotFoundError):
            (self.folder / path).unlink()

    def _chunks(self, path: str, *, begin: int, end: int) -> Iterator[bytes]:
        try:
            with (self.folder / path).open("rb") as stream:
                stream.seek(begin)
                while begin < end and (chunk := stream.read(min(_CHUNK, end - begin))):
                    begin += len(chunk)
                    yield chunk
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> OperatorError:
        return OperatorError(f"cannot read the registry {self.folder}: {error}")
