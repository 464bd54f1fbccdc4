"""Puts a job's root together: everything of the host's, and its mounts at their places.

Runs in a mount namespace of its own, so nothing of it is ever seen on the host, and nothing is made
there. Like `process_supervisor`, on which each start waits, it imports next to nothing.
"""

from __future__ import annotations

import ctypes
import errno
import os

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC = 1, 32, 4096, 16384
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_UNBINDABLE, MS_PRIVATE, MS_RELATIME = 1 << 17, 1 << 18, 1 << 21
MNT_DETACH = 2
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
KEPT_FLAGS = 0b1111 | 1024 | 2048
"""Read-only, nosuid, nodev, noexec, noatime, nodiratime: the same bits in statvfs and in mount."""
ST_RELATIME = 4096
LINKS_AT_MOST = 40

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)


def make_root(folder: str, mounts: list[tuple[str, str, bool]], workdir: str) -> None:
    """A root of our own: every entry of the host's, the mounts at their places, nothing made on
    the host."""
    unshare(CLONE_NEWNS)
    root = f"{folder}/root"
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("windlass", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    mount("none", root, None, MS_UNBINDABLE)
    mirror("/", root, but="proc")
    os.mkdir(f"{root}/proc")
    try:
        mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError:
        mount("/proc", f"{root}/proc", None, MS_BIND | MS_REC)
    place_mounts(root, sorted(mounts, key=lambda item: item[1].count("/")), workdir)
    os.chdir(root)
    check(_libc.pivot_root(b".", b"."), "pivot_root")
    check(_libc.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")


def mirror(folder: str, shadow: str, *, but: str = "") -> None:
    """Let every entry of `folder` appear in `shadow`, an empty tmpfs."""
    with os.scandir(folder) as entries:
        for entry in entries:
            here = f"{shadow}/{entry.name}"
            if entry.name == but:
                continue
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), here)
                continue
            make_point(here, is_folder=entry.is_dir())
            try:
                mount(entry.path, here, None, MS_BIND | MS_REC)
            except OSError:
                continue  # what cannot be shown stays empty


def place_mounts(root: str, mounts: list[tuple[str, str, bool]], workdir: str) -> None:
    """First make all mount points that the host's folders do not have, then mount."""
    targets = [target for _, target, _ in mounts]
    shadows = {os.stat(root).st_dev}
    for source, target, _ in mounts:
        if not any(target.startswith(f"{other}/") for other in targets):
            ensure(root, target, shadows, is_folder=os.path.isdir(source))
    if not any(f"{workdir}/".startswith(f"{target}/") for target in targets):
        ensure(root, workdir, shadows, is_folder=True)
    for source, target, is_read_only in mounts:
        place = resolve(root, target)
        if not os.path.lexists(place):  # inside another mount: made there, as Docker does
            os.makedirs(os.path.dirname(place), exist_ok=True)
            make_point(place, is_folder=os.path.isdir(source))
        bind(source, place, is_read_only=is_read_only)
    inside = resolve(root, workdir)
    if not os.path.isdir(inside):
        os.makedirs(inside)


def bind(source: str, place: str, *, is_read_only: bool) -> None:
    """One mount. Only what lies on the source's own file system appears, where that is allowed."""
    try:
        mount(source, place, None, MS_BIND)
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            raise
        mount(source, place, None, MS_BIND | MS_REC)
    if is_read_only:
        status = os.statvfs(place).f_flag
        kept = (status & KEPT_FLAGS) | (MS_RELATIME if status & ST_RELATIME else 0)
        mount("none", place, None, MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def ensure(root: str, target: str, shadows: set[int], *, is_folder: bool) -> None:
    """Let `target` exist in the new root: a host's folder that lacks it is shadowed by a tmpfs with
    the same entries, for nothing may be made in the folder itself. `shadows` are their devices."""
    place = resolve(root, target)
    missing: list[str] = []
    while not os.path.lexists(place):
        place, _, name = place.rpartition("/")
        missing.append(name)
    if not missing:
        return
    if os.stat(place).st_dev not in shadows:
        host = place[len(root) :]
        mount("windlass", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
        shadows.add(os.stat(place).st_dev)
        mirror(host, place)
    while missing:
        place = f"{place}/{missing.pop()}"
        make_point(place, is_folder=is_folder or bool(missing))


def resolve(root: str, target: str) -> str:
    """Where `target` leads when `root` is the root: links are followed inside of it only."""
    waiting = target.split("/")[::-1]
    place, links = root, 0
    while waiting:
        name = waiting.pop()
        if name in ("", "."):
            continue
        if name == "..":
            place = place.rpartition("/")[0] if place != root else root
            continue
        step = f"{place}/{name}"
        if os.path.islink(step) and links < LINKS_AT_MOST:
            links += 1
            link = os.readlink(step)
            place = root if link.startswith("/") else place
            waiting += link.split("/")[::-1]
        else:
            place = step
    return place


def make_point(path: str, *, is_folder: bool) -> None:
    if is_folder:
        os.mkdir(path, 0o755)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind.encode() if kind else None, flags, options.encode()
    )
    check(result, f"mount {source} on {target}")


def unshare(flags: int) -> None:
    check(_libc.unshare(flags), "unshare")


def become_subreaper() -> None:
    """Let orphans below us become our children."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Be killed when the process that forked us ends, however it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
