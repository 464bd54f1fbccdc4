"""Downloads a file whose checksum is known, and unpacks it where wanted. Python 3.8 and later."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit

from transfer import CHUNK, Failed, Part, Source, Transfer, source_of
from unpack import Unsafe, unpack

DIGITS = {"sha256": 64, "sha512": 128}
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
TELL_EVERY_S = 10.0
TELL_EVERY_PERCENT = 10.0


def fail(message: str) -> NoReturn:
    """Say what is wrong, as an annotation, and stop."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error::http-download: {escaped}", flush=True)
    sys.exit(1)


def say(text: str) -> None:
    print(text.replace("::", ": :"), flush=True)


def read_input(name: str) -> str:
    return os.environ.get(f"INPUT_{name.upper()}", "").strip()


def read_number(name: str, default: float) -> float:
    text = read_input(name)
    try:
        value = float(text or default)
    except ValueError:
        value = -1.0
    if not 0 <= value < 10**6:
        raise Failed(f"'{name}' is '{text}'; write a number such as {default:g}")
    return value


def read_size(name: str) -> int:
    found = re.match(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\Z", read_input(name) or "10GB", re.IGNORECASE)
    if not found:
        raise Failed(f"'{name}' is '{read_input(name)}'; write a size such as 10GB")
    number, unit, is_binary = found.groups()
    factor = UNITS[unit.upper()]
    return int(float(number) * (1024 ** "KMGT".index(unit.upper()) * 1024 if is_binary and unit else factor))


def read_headers() -> dict[str, str]:
    """Raises Failed; what is wrong with a header is said without its value."""
    text = read_input("headers")
    lines: list[object] = []
    if text.startswith("["):
        try:
            lines = json.loads(text)
        except ValueError as error:
            raise Failed("'headers' is not a list of 'Name: value'") from error
    else:
        lines = list(filter(None, text.splitlines()))
    headers = {}
    for number, line in enumerate(lines, start=1):
        name, colon, value = str(line).partition(":")
        if (
            not colon
            or not re.match(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z", name)
            or re.search(r"[\r\n\x00]", value)
        ):
            raise Failed(f"header {number} of 'headers' is not of the form 'Name: value'")
        headers[name] = value.strip()
    return headers


def read_checksums() -> dict[str, str]:
    """What is known of the file, by algorithm; at least one."""
    known = {}
    for name, digits in DIGITS.items():
        text = re.sub(rf"\A{name}:", "", read_input(name).lower())
        if not text:
            continue
        if not re.match(rf"[0-9a-f]{{{digits}}}\Z", text):
            raise Failed(f"'{name}' is '{read_input(name)}'; a {spelt(name)} has {digits} hexadecimal digits")
        known[name] = text
    if not known:
        raise Failed(
            "give the file's checksum as 'sha256' (or 'sha512'); where its publisher tells none, download it"
            " once, look at it, and take what `sha256sum FILE` prints"
        )
    return known


class Place(NamedTuple):
    """Where the file goes; with `is_folder`, into it under the name of the address."""

    path: Path
    is_folder: bool


def choose_place(path: str) -> Place:
    outputs = Path(os.environ.get("WINDLASS_OUTPUTS") or "/outputs")
    if not path:
        found = sorted(each for each in outputs.iterdir() if each.is_dir()) if outputs.is_dir() else []
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise Failed(
                f"the job has several outputs ({names}); choose one with 'path: /outputs/{found[0].name}/'"
            )
        return Place(found[0] if found else Path.cwd(), True)
    place = Path(path)
    for name, usual in (("OUTPUTS", "/outputs"), ("WORKSPACE", "/workspace")):
        if path == usual or path.startswith(usual + "/"):
            place = Path(os.environ.get(f"WINDLASS_{name}") or usual) / path[len(usual) + 1 :]
    return Place(place, path.endswith("/") or place.is_dir())


def name_of(source: Source) -> str:
    """The file's name: the last part of the address."""
    name = re.sub(r"[\x00-\x1f/\\]", "_", unquote(urlsplit(source.url).path.rpartition("/")[2]))[:200]
    return name if name not in ("", ".", "..") else "download"


def shown(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:,.0f} bytes" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


class Progress:
    """Tells how far it is: each tenth, and every ten seconds, but not more than once a second."""

    def __init__(self) -> None:
        self.begun_at = self._told_at = time.monotonic()
        self._begun_with: int | None = None
        self._told_percent = 0.0

    def hear(self, size: int, total: int | None) -> None:
        now = time.monotonic()
        if self._begun_with is None:
            self._begun_with, self.begun_at = size, now
        percent = 100 * size / total if total else 0.0
        is_due = percent - self._told_percent >= TELL_EVERY_PERCENT or now - self._told_at >= TELL_EVERY_S
        if not is_due or now - self._told_at < 1:
            return
        self._told_at, self._told_percent = now, percent
        speed = (size - self._begun_with) / max(now - self.begun_at, 0.001)
        if total:
            left_s = (total - size) / max(speed, 1)
            pace = f"{speed / 1e6:.1f} MB/s, {left_s:,.0f} s left"
            say(f"{percent:3.0f} %  {shown(size)} of {shown(total)}, {pace}")
        else:
            say(f"{shown(size)}, {speed / 1e6:.1f} MB/s")


def check_space(folder: Path, wanted: int) -> None:
    """Raises Failed before the disk is filled."""
    free = shutil.disk_usage(str(folder)).free
    if wanted > free:
        raise Failed(
            f"{shown(wanted)} are still to come, and {shown(free)} are free; free some space on the host"
        )


def digests(path: Path) -> dict[str, str]:
    found = {name: hashlib.new(name) for name in DIGITS}
    with path.open("rb") as stream:
        while True:
            chunk = stream.read(CHUNK)
            if not chunk:
                return {name: digest.hexdigest() for name, digest in found.items()}
            for digest in found.values():
                digest.update(chunk)


def spelt(algorithm: str) -> str:
    return algorithm.upper().replace("SHA", "SHA-")


def wrong(found: dict[str, str], known: dict[str, str]) -> str:
    """What differs, in words; '' where nothing does."""
    return "; ".join(
        f"its {spelt(name)} is {found[name]}, not {value} as given"
        for name, value in known.items()
        if found[name] != value
    )


def fetch(source: Source, part: Part, known: dict[str, str]) -> dict[str, str]:
    """Fill the part and check it: its digests. Raises Failed."""
    part.open_again(source.url)
    progress = Progress()
    transfer = Transfer(
        source, part, check_space=lambda more: check_space(part.place.parent, more), on_bytes=progress.hear
    )
    begun_with = part.size
    if begun_with:
        say(f"Going on after {shown(begun_with)} of {source.shown}")
    else:
        say(f"Downloading {source.shown}")
    for is_last in (False, True):
        transfer.run(int(read_number("retries", 5)), read_number("retry-pause", 1), time.sleep, say)
        found = digests(part.place)
        difference = wrong(found, known)
        if not difference:
            break
        part.forget()
        if is_last or not transfer.may_be_torn:
            raise Failed(f"{source.shown} is not the file that was meant: {difference}. It was thrown away")
        say("Its pieces do not make up the file; downloading it once more from its beginning")
    took_s = max(time.monotonic() - progress.begun_at, 0.001)
    speed = (part.size - begun_with) / took_s / 1e6
    say(f"Downloaded {shown(part.size)} ({speed:.1f} MB/s); the checksum is right")
    return found


def part_for(source: Source, folder: Path) -> Part:
    """In the folder that survives a retry of the job, where there is one."""
    kept = os.environ.get("WINDLASS_CHECKPOINT_DIR", "")
    place = Path(kept) if kept and os.access(kept, os.W_OK) else folder
    mark = hashlib.sha256(source.url.encode()).hexdigest()[:12]
    return Part(place / f".{name_of(source)[:100]}.{mark}.part")


def settle(part: Part, target: Path, known: dict[str, str]) -> None:
    """Give the file its name; it is never seen there unless it is whole."""
    beside = target.with_name(f".{target.name[:200]}.new")
    try:
        part.place.replace(target)
    except OSError:  # another file system
        check_space(target.parent, part.size)
        shutil.copyfile(str(part.place), str(beside))
        if wrong(digests(beside), known):
            beside.unlink()
            raise Failed(
                "the file changed while it was copied; the host's disk or memory is at fault"
            ) from None
        beside.replace(target)
    target.chmod(0o644)
    part.forget()


def download() -> dict[str, str]:
    """The outputs of the step. Raises Failed, Unsafe, OSError."""
    known = read_checksums()
    source = source_of(read_input("url"), read_headers(), read_number("timeout", 60) or 60)
    is_archive, limit_bytes = read_input("extract").lower() == "true", read_size("extract-limit")
    place = choose_place(read_input("path"))
    folder = place.path if place.is_folder or is_archive else place.path.parent
    target = place.path / name_of(source) if place.is_folder else place.path
    if is_archive and folder.is_file():
        raise Failed(f"'{read_input('path')}' is a file; give a folder to extract into")
    folder.mkdir(parents=True, exist_ok=True)
    if not is_archive and target.is_file() and not target.is_symlink():
        found = digests(target)
        if not wrong(found, known):
            say(f"{target.name} is there already, and its checksum is right")
            return outputs_of(target, target.stat().st_size, found)
    part = part_for(source, folder)
    found = fetch(source, part, known)
    size = part.size
    if not is_archive:
        settle(part, target, known)
        return outputs_of(target, size, found)
    try:
        files, unpacked = unpack(part.place, folder, limit_bytes=limit_bytes)
    finally:
        part.forget()
    say(f"Unpacked {files:,} {'file' if files == 1 else 'files'}, {shown(unpacked)}")
    return outputs_of(folder, size, found)


def outputs_of(path: Path, size: int, found: dict[str, str]) -> dict[str, str]:
    return {"path": str(path), "size": str(size), "sha256": found["sha256"]}


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        outputs = download()
    except (Failed, Unsafe) as failure:
        fail(str(failure))
    except OSError as error:
        fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    place = os.environ.get("GITHUB_OUTPUT")
    if place:
        with Path(place).open("a", encoding="utf-8") as stream:
            stream.write("".join(f"{name}={value}\n" for name, value in outputs.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
