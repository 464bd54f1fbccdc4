"""Makes the demo's container image from this machine's own Python and scikit-learn.

No registry is asked and nothing is downloaded, so that it takes seconds, and works where nothing can
be pulled. What goes in: the interpreter with its library, the packages that the demo imports, a
shell with a few tools, and the shared libraries that these need, all at their places on this machine.
Called by demo.py.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import IO

IMAGE = "windlass-demo:1"
TOOLS = ("sh", "env", "cat", "ls", "cp", "mv", "rm", "mkdir", "sleep", "timeout", "head", "tail", "true")
FOLDERS = ("dev", "etc", "home", "inputs", "outputs", "proc", "root", "sys", "var", "workspace")
LEFT_OUT = ("test", "tests", "idlelib", "lib2to3", "ensurepip", "tkinter", "turtledemo", "site-packages")
LINKED = ("bin", "sbin", "lib", "lib32", "lib64")
TIMEOUT_S = 60


class ImageError(Exception):
    """The image cannot be made here, and why."""


def ensure_image() -> None:
    """Make the image where there is none of this Python and these packages.

    Raises:
        ImageError
    """
    key = identity()
    found = docker("image", "inspect", "--format", '{{index .Config.Labels "windlass.demo"}}', IMAGE)
    if found.returncode == 0 and found.stdout.decode().strip() == key:
        return
    changes = [f"LABEL windlass.demo={key}", f"ENV PYTHONPATH={site()}", 'CMD ["python3"]']
    options = [word for change in changes for word in ("--change", change)]
    with subprocess.Popen(
        ["docker", "import", *options, "-", IMAGE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as importing:
        assert importing.stdin is not None
        assert importing.stderr is not None
        try:
            with importing.stdin as stream:
                write_root(stream)
        except BrokenPipeError:
            pass  # docker says why
        said = importing.stderr.read().decode().strip()
    if importing.returncode:
        raise ImageError(said or "docker import failed")
    tried = docker("run", "--rm", "--network", "none", IMAGE, "python3", "-c", "import numpy, scipy.special")
    if tried.returncode:
        docker("rmi", "-f", IMAGE)
        raise ImageError((tried.stderr.decode().strip().splitlines() or ["it does not run"])[-1])


def docker(*words: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["docker", *words], capture_output=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"docker {words[0]} took longer than {TIMEOUT_S} s") from error


def site() -> Path:
    """Where the packages lie."""
    return Path(sysconfig.get_paths()["purelib"])


def interpreter() -> Path:
    """The program behind the virtual environment."""
    return Path(sys.executable).resolve()


def identity() -> str:
    """Differs where the image would."""
    packages = sorted(f"{each.name} {each.version}" for each in distributions("scikit-learn"))
    here = [sys.version, str(site()), *packages]
    text = "\n".join([*here, Path(__file__).read_text(encoding="utf-8")])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_root(stream: IO[bytes]) -> None:
    """The file system, as a tar stream."""
    programs = [Path(found) for name in TOOLS if (found := shutil.which(name))]
    files = dict(python_files())
    binaries = [interpreter(), *programs, *(path for path in files.values() if ".so" in path.name)]
    for path in (*programs, *libraries(binaries)):
        files[target(path)] = path
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for name in FOLDERS:
            add_folder(archive, name, 0o755)
        add_folder(archive, "tmp", 0o1777)
        for name in LINKED:
            if (link := Path("/", name)).is_symlink():  # /bin -> usr/bin, where a system has merged them
                add_link(archive, name, str(link.readlink()))
        add_text(archive, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        for name in ("python", "python3"):
            add_link(archive, f"usr/local/bin/{name}", str(interpreter()))
        for name, path in files.items():
            archive.add(path.resolve(), arcname=name.lstrip("/"), recursive=False, filter=as_root)


def python_files() -> Iterator[tuple[str, Path]]:
    """The interpreter, its library, and the packages: where each lies in the image, and here."""
    yield target(interpreter()), interpreter()
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    for library in {sysconfig.get_path(name, vars=base) for name in ("stdlib", "platstdlib")}:
        for place, inside, names in os.walk(library):
            inside[:] = [name for name in inside if name not in LEFT_OUT and not name.startswith("config-")]
            yield from ((target(path), path) for name in names if (path := Path(place, name)).exists())
    for distribution in distributions("scikit-learn"):
        for file in distribution.files or ():
            if not {"tests", ".."} & set(file.parts):
                path = Path(distribution.locate_file(file))
                compiled = Path(importlib.util.cache_from_source(str(path)))
                yield from ((target(found), found) for found in (path, compiled) if found.exists())


def distributions(name: str) -> list[metadata.Distribution]:
    """An installed package, and those that it needs."""
    found: dict[str, metadata.Distribution] = {}
    wanted = [name]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = metadata.distribution(name)
            needs = (need for need in found[name].requires or () if "extra ==" not in need)
            wanted += [re.split(r"[^A-Za-z0-9_.-]", need, maxsplit=1)[0] for need in needs]
    return list(found.values())


def target(path: Path) -> str:
    """Where a file stands in the image: links in the way to it are gone."""
    return str(path.parent.resolve() / path.name)


def libraries(binaries: Iterable[Path]) -> list[Path]:
    """The shared libraries that these load, the loader among them."""
    command = ["ldd", *map(str, binaries)]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S).stdout
    except FileNotFoundError as error:
        raise ImageError("ldd is not installed") from error
    found = {Path(name) for name in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, flags=re.MULTILINE)}
    return sorted(path for path in found if not path.is_relative_to(site()))


def as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode |= 0o444
    return entry


def add_folder(archive: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    archive.addfile(entry)


def add_link(archive: tarfile.TarFile, name: str, to: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, to
    archive.addfile(entry)


def add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text.encode()), 0o644
    archive.addfile(entry, io.BytesIO(text.encode()))


if __name__ == "__main__":
    ensure_image()
