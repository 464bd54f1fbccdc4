from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass_registry.archive import (
    ArchiveLimits,
    Entry,
    checked_entries,
    digest_folder,
    pack,
    unpack,
)
from windlass_registry.errors import AuthorError

parts = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cf", "Cn", "Cs", "Zl", "Zp"], exclude_characters="/\\\x00"
    ),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in (".", "..", ".git", "__pycache__") and len(name.encode()) < 100)
contents = st.tuples(st.binary(max_size=600), st.booleans())


def siblings(inner: st.SearchStrategy[object], most: int) -> st.SearchStrategy[dict[str, object]]:
    """A folder, no two of whose names look the same."""
    named = st.tuples(parts, inner)
    return st.lists(
        named, max_size=most, unique_by=lambda one: normalize("NFD", normalize("NFD", one[0]).casefold())
    ).map(dict)


trees = st.recursive(contents, lambda inner: siblings(inner, 4), max_leaves=8)
folders = siblings(trees, 5)


def build(place: Path, tree: object) -> None:
    if isinstance(tree, dict):
        place.mkdir()
        for name, inner in tree.items():
            build(place / name, inner)
    elif isinstance(tree, tuple):
        content, is_executable = tree
        place.write_bytes(content)
        place.chmod(0o711 if is_executable else 0o640)


@settings(max_examples=60, deadline=None)
@given(tree=folders)
def test_what_is_packed_comes_out_the_same(tree: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("tree")
    build(root / "in", tree)
    digest = digest_folder(root / "in")
    assert unpack(pack(root / "in"), root / "out") == digest
    assert digest_folder(root / "out") == digest


@settings(max_examples=150, deadline=None)
@given(tree=folders, at=st.integers(min_value=0), value=st.integers(0, 255))
def test_no_changed_byte_of_an_archive_is_taken_for_the_same(
    tree: object, at: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("tree")
    build(root / "in", tree)
    archive = bytearray(pack(root / "in"))
    place = at % len(archive)
    if archive[place] == value:
        return
    archive[place] = value
    try:
        digest = unpack(bytes(archive), root / "out")
    except AuthorError:
        assert not (root / "out").exists()
    else:
        assert digest != digest_folder(root / "in")


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=3000))
def test_any_bytes_are_an_archive_or_refused(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("tree")
    try:
        unpack(data, root / "out")
    except AuthorError:
        assert not (root / "out").exists()


def sample(root: Path) -> Path:
    folder = root / "package"
    (folder / "sub").mkdir(parents=True)
    (folder / "action.yml").write_text("name: x\n")
    (folder / "sub" / "run.sh").write_text("echo\n")
    (folder / "sub" / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("sub/run.sh")
    return folder


def test_the_digest_of_a_folder_never_changes(tmp_path: Path) -> None:
    assert digest_folder(sample(tmp_path)) == (
        "sha256:fde93a8d496190262e7dc426191ec96a7ca54e458cd74cbd9b2ed01e3ad0c939"
    )


def test_times_owners_and_unix_modes_do_not_count(tmp_path: Path) -> None:
    folder = sample(tmp_path)
    before = digest_folder(folder)
    os.utime(folder / "action.yml", (1, 1))
    (folder / "action.yml").chmod(0o600)
    (folder / "sub" / "run.sh").chmod(0o700)
    (folder / "empty").mkdir()
    assert digest_folder(folder) == before


def test_content_names_and_the_executable_bit_count(tmp_path: Path) -> None:
    folder = sample(tmp_path)
    digests = {digest_folder(folder)}
    (folder / "action.yml").write_text("name: y\n")
    digests.add(digest_folder(folder))
    (folder / "action.yml").chmod(0o755)
    digests.add(digest_folder(folder))
    (folder / "action.yml").rename(folder / "action.yaml")
    digests.add(digest_folder(folder))
    assert len(digests) == 4


def test_what_git_and_python_leave_behind_is_no_part(tmp_path: Path) -> None:
    folder = sample(tmp_path)
    before = digest_folder(folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / "sub" / "__pycache__").mkdir()
    (folder / "sub" / "__pycache__" / "x.pyc").write_text("x")
    assert digest_folder(folder) == before


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../outside", "sub/../../outside", "nothing", "self", "chain", "sub/../action.yml", "."],
)
def test_a_link_that_leaves_the_folder_or_leads_nowhere_is_refused(tmp_path: Path, target: str) -> None:
    folder = sample(tmp_path)
    (tmp_path / "outside").write_text("secret")
    (folder / "chain").symlink_to("link")
    (folder / "self").symlink_to(target)
    with pytest.raises(AuthorError, match="a link to"):
        digest_folder(folder)


def test_a_link_through_another_link_cannot_leave(tmp_path: Path) -> None:
    folder = sample(tmp_path)
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "f").write_text("")
    (folder / "a" / "b" / "up").symlink_to("../../sub")
    (folder / "a" / "b" / "out").symlink_to("up/../../outside")
    with pytest.raises(AuthorError, match="a link to"):
        digest_folder(folder)


def test_a_link_to_a_folder_inside_is_kept(tmp_path: Path) -> None:
    folder = sample(tmp_path)
    (folder / "sub" / "deep").mkdir()
    (folder / "sub" / "deep" / "up").symlink_to("..")
    (folder / "dir").symlink_to("sub")
    unpack(pack(folder), tmp_path / "out")
    assert (tmp_path / "out" / "dir").readlink() == Path("sub")


def test_pipes_sockets_and_devices_are_refused(tmp_path: Path) -> None:
    folder = sample(tmp_path)
    os.mkfifo(folder / "pipe")
    with pytest.raises(AuthorError, match="neither a file nor a folder"):
        digest_folder(folder)
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        with pytest.raises(AuthorError, match="neither a file nor a folder"):
            digest_folder(folder)


@pytest.mark.parametrize(
    "name",
    [
        *(b"a\nb", b"a\\b", b"\xff", b"a\x1b[1m", "a\x9b1m".encode()),
        *(letter.encode() for letter in ("a\u202egpj.exe", "a\u200b", "\ufeffaction.yml", "a\u2028b")),
    ],
)
def test_strange_file_names_are_refused(tmp_path: Path, name: bytes) -> None:
    folder = sample(tmp_path)
    with open(os.fsencode(folder) + b"/" + name, "wb"):  # noqa: PTH123
        pass
    with pytest.raises(AuthorError, match="rename it") as caught:
        digest_folder(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("one", "other"),
    [("main.py", "Main.py"), ("caf\u00e9", "cafe\u0301"), ("a", "A/inner"), ("stra\u00dfe", "STRASSE")],
)
def test_files_that_some_disks_take_for_one_are_refused(one: str, other: str) -> None:
    entries = [Entry(name=one), Entry(name=other)]
    with pytest.raises(AuthorError, match="file systems take for one file; rename one"):
        checked_entries(entries, shown_as="here")
    checked_entries([Entry(name="Docs/a"), Entry(name="docs/b")], shown_as="here")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("b" * 256, "a file name of more than 255 bytes"),
        ("/".join(["\u00e9" * 100] * 6), "a path of more than 1024 bytes"),
        (".GIT/config", "not a path that a package can hold"),
    ],
)
def test_names_that_a_disk_cannot_hold_are_refused(name: str, says: str) -> None:
    with pytest.raises(AuthorError, match=says):
        checked_entries([Entry(name=name)], shown_as="here")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_headers_before_headers_are_refused(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("h")
    header.type, header.size = kind, 512
    content = b"11 path=ab\n" if kind == tarfile.XHDTYPE else b"ab"
    archive = (header.tobuf(tarfile.USTAR_FORMAT) + content.ljust(512, b"\0")) * 5000 + pack(sample(tmp_path))
    with pytest.raises(AuthorError, match="archive"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_much_is_refused(tmp_path: Path) -> None:
    folder = sample(tmp_path)
    with pytest.raises(AuthorError, match="too large"):
        digest_folder(folder, limits=ArchiveLimits(size_bytes=9))
    with pytest.raises(AuthorError, match="more than 2 files"):
        digest_folder(folder, limits=ArchiveLimits(files=2))
    with pytest.raises(AuthorError, match="no such folder"):
        digest_folder(tmp_path / "nothing")


@pytest.mark.parametrize("kind", ["up", "absolute", "device", "hardlink", "link out", "folder", "owner"])
def test_no_archive_writes_outside_its_folder(tmp_path: Path, kind: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo({"up": "../evil", "absolute": "/tmp/evil"}.get(kind, "evil"))
        member.mode = 0o644
        match kind:
            case "device":
                member.type = tarfile.CHRTYPE
            case "hardlink":
                member.type, member.linkname = tarfile.LNKTYPE, "../evil"
            case "link out":
                member.type, member.linkname = tarfile.SYMTYPE, "../evil"
            case "folder":
                member.type = tarfile.DIRTYPE
            case "owner":
                member.uid = 1000
        tar.addfile(member)
    with pytest.raises(AuthorError):
        unpack(stream.getvalue(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_archive_as_packed_by_tar_is_the_same_archive(tmp_path: Path) -> None:
    folder = sample(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(pack(folder))) as tar:
        assert tar.getnames() == ["action.yml", "link", "sub/run.sh"]
        assert {member.mtime for member in tar} == {0}
