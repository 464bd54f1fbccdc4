"""What a build of an image sees of a package's folder."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from windlass_runner.engines.docker_builds import context_archive


def package(folder: Path) -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch")
    (folder / "src" / "run.sh").write_text("#!/bin/sh")
    (folder / "src" / "link").symlink_to("run.sh")
    (folder / "notes.txt").write_text("left out")
    (folder / ".dockerignore").write_text("# a remark\n\n*.txt\n")
    return folder


def entries(archive: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        return {entry.name: entry for entry in found.getmembers()}


def test_the_same_files_give_the_same_bytes_whoever_wrote_them_and_when(tmp_path: Path) -> None:
    one, two = package(tmp_path / "one"), package(tmp_path / "two")
    os.utime(two / "src" / "run.sh", (1, 1))
    (two / "Dockerfile").chmod(0o444)
    assert context_archive(one, dockerfile="Dockerfile") == context_archive(two, dockerfile="Dockerfile")
    (two / "src" / "run.sh").chmod(0o755)
    assert context_archive(one, dockerfile="Dockerfile") != context_archive(two, dockerfile="Dockerfile")


def test_what_is_to_be_ignored_stays_behind_and_links_stay_links(tmp_path: Path) -> None:
    found = entries(context_archive(package(tmp_path / "one"), dockerfile="Dockerfile"))
    assert "notes.txt" not in found
    assert {"Dockerfile", "src/run.sh", "src/link"} <= found.keys()
    assert (found["src/link"].issym(), found["src/link"].linkname) == (True, "run.sh")
    assert found["src"].mode == 0o755
    assert found["src/run.sh"].mode == 0o644
