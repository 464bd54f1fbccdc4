"""What is asked of every place where a registry's public files may lie: a folder, and a bucket of a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.actions.s3_server import Server, running_server
from integration.registry.stored import settings_for
from windlass_registry.hosting.bucket import BucketFiles
from windlass_registry.hosting.public_files import FolderFiles, Overtaken, PublicFiles

PATH = "metadata/7.acme.releases.json"
Open = Callable[[], PublicFiles]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        server.check_who_asks(on=True)
        yield server


@pytest.fixture(params=["folder", "bucket"])
def open_place(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same place each time, as another process would."""
    if request.param == "folder":
        return lambda: FolderFiles(tmp_path / "place")
    server: Server = request.getfixturevalue("server")
    settings = settings_for(server, tmp_path, prefix=tmp_path.name)
    return lambda: BucketFiles(settings)


@pytest.fixture
def files(open_place: Open) -> PublicFiles:
    return open_place()


def test_what_is_put_is_there_for_everybody(files: PublicFiles, open_place: Open) -> None:
    assert (files.read(PATH), files.find(PATH), files.open(PATH)) == (None, None, None)
    files.put(PATH, b"one")
    assert open_place().read(PATH) == b"one"
    found = files.find(PATH)
    assert found is not None
    assert found.size_bytes == 3
    files.put(PATH, b"two")
    assert files.read(PATH) == b"two"
    assert files.find(PATH) != found


def test_a_file_is_read_in_pieces(files: PublicFiles) -> None:
    content = bytes(range(256)) * 3000
    files.put("packages/sha256/aa/bb.tar", content)
    whole = files.open("packages/sha256/aa/bb.tar")
    assert whole is not None
    chunks = list(whole.chunks)
    assert len(chunks) > 1
    assert b"".join(chunks) == content
    for begin, end in ((0, 1), (1000, 700_000), (700_000, None)):
        piece = files.open("packages/sha256/aa/bb.tar", begin=begin, end=end)
        assert piece is not None
        assert b"".join(piece.chunks) == content[begin:end]
        assert piece.size_bytes == len(content[begin:end])
        assert piece.tag == whole.tag


def test_of_two_who_write_the_first_one_wins(files: PublicFiles, open_place: Open) -> None:
    tag = files.put_over(PATH, b"mine", tag=None)
    with pytest.raises(Overtaken):
        open_place().put_over(PATH, b"theirs", tag=None)
    newer = open_place().put_over(PATH, b"next", tag=tag)
    with pytest.raises(Overtaken):
        files.put_over(PATH, b"late", tag=tag)
    assert files.read(PATH) == b"next"
    found = files.find(PATH)
    assert found is not None
    assert found.tag == newer


def test_who_would_write_over_what_was_removed_is_overtaken(files: PublicFiles) -> None:
    tag = files.put_over(PATH, b"mine", tag=None)
    files.remove(PATH)
    files.remove(PATH)
    with pytest.raises(Overtaken):
        files.put_over(PATH, b"again", tag=tag)
    assert files.read(PATH) is None
