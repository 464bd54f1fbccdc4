"""Starts one process in place of a container and outlives whoever asked for it.

Run by `process_container` in an interpreter of its own, with a marshalled launch (see `Launch`) on
stdin; answers on stdout with one line, `ok` or what went wrong, and leaves. What stays:

    supervisor    copies output to `log`, forwards signals, writes `exit`; sees the host
      init        process 1 of a PID namespace: when it goes, the kernel kills all that is left
        job       the command, in a process group of its own

The supervisor understands SIGTERM (ask the job to stop) and SIGUSR1 (kill everything). Imports are
few, because each start pays for them: no `json`, no `pathlib`, nothing of Windlass.
"""

from __future__ import annotations

import errno
import marshal
import os
import resource
import select
import signal
import sys

from windlass_runner.engines import process_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, TypedDict

    class Launch(TypedDict):
        """What to start. `isolation`: 'root' and 'user' (say who may make namespaces), or 'none'.
        An empty `argv` tries whether the namespaces can be made, and runs nothing."""

        folder: str
        argv: list[str]
        env: dict[str, str]
        workdir: str
        mounts: list[tuple[str, str, bool]]
        isolation: str


LAST_OUTPUT_S = 1.0
FOR_INIT = (signal.SIGCHLD, signal.SIGTERM)
RESET_FOR_JOB = (*FOR_INIT, signal.SIGUSR1, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)
COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE = 127, 126


def main() -> None:
    """Read the launch, leave a supervisor behind, pass on what it reports."""
    launch: Launch = marshal.load(sys.stdin.buffer)
    report, report_end = os.pipe()
    if os.fork() == 0:
        os.close(report)
        os.setsid()
        try:
            supervise(launch, report_end)
        except OSError as exc:
            os.write(report_end, f"supervisor: {exc}".encode())
        os._exit(0)
    os.close(report_end)
    answer = b""
    while piece := os.read(report, 4096):
        answer += piece
    os.write(1, answer or b"ok")


# -- the supervisor ------------------------------------------------------------------------------


def supervise(launch: Launch, report: int) -> None:
    """Start init and the job, keep their output and their end."""
    folder, isolation = launch["folder"], launch["isolation"]
    wake = watch_signals(signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)
    if launch["argv"] and not claim(folder):
        return  # somebody else has started it
    log = os.open(f"{folder}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    output, output_end = os.pipe()
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.chdir("/")
    enter_namespaces(isolation)
    signal.pthread_sigmask(signal.SIG_BLOCK, FOR_INIT)  # so that init loses none
    init = os.fork()
    if init == 0:
        os.close(output)
        be_init(launch, output_end, report)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_INIT)
    os.close(output_end)
    os.close(report)
    code = follow(init, output, log, wake, is_sweeping=isolation == "none")
    if launch["argv"]:
        keep_exit(folder, code)


def watch_signals(*numbers: int) -> int:
    """A descriptor that gives a byte, the signal's number, for each that comes."""
    wake, wake_end = os.pipe()
    os.set_blocking(wake_end, False)
    signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    return wake


def claim(folder: str) -> bool:
    """Write down who supervises, exactly once, and reserve the room for the exit code."""
    with open("/proc/self/stat") as status:
        started = status.read().rpartition(")")[2].split()[19]
    mine = f"{folder}/supervisor.{os.getpid()}"
    with open(mine, "w") as file:
        file.write(f"{os.getpid()} {started}")
    try:
        os.link(mine, f"{folder}/supervisor")
    except FileExistsError:
        return False
    finally:
        os.unlink(mine)
    with open(f"{folder}/exit.new", "w") as file:
        file.write("    ")
    return True


def keep_exit(folder: str, code: int) -> None:
    """Overwrite what `claim` reserved (a full disk cannot refuse that), then show it at once."""
    try:
        with open(f"{folder}/peak", "w") as file:  # bytes; Linux counts in kilobytes
            file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
    except OSError:
        pass  # the disk is full: nobody's job fails of that
    with open(f"{folder}/exit.new", "r+") as file:
        file.write(f"{code:4d}")
    os.rename(f"{folder}/exit.new", f"{folder}/exit")


def enter_namespaces(isolation: str) -> None:
    """From now on, children live in a PID namespace; or, without, their orphans come to us."""
    if isolation == "none":
        process_root.become_subreaper()
        return
    if isolation == "root":
        process_root.unshare(process_root.CLONE_NEWPID)
        return
    user, group = os.geteuid(), os.getegid()
    process_root.unshare(process_root.CLONE_NEWUSER | process_root.CLONE_NEWPID)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def follow(init: int, output: int, log: int, wake: int, *, is_sweeping: bool) -> int:
    """Copy output until everybody has ended; init's exit code, as a shell would say it."""
    code: int | None = None
    is_open = True
    while is_open or code is None:
        sources = [wake, output] if is_open else [wake]
        ready, _, _ = select.select(sources, [], [], LAST_OUTPUT_S if code is not None else None)
        if not ready:
            break  # it has ended, but its pipe was handed to a stranger
        if output in ready:
            piece = os.read(output, 1 << 16)
            is_open = bool(piece)
            keep(log, piece)
        if wake in ready:
            code = answer_signals(os.read(wake, 64), init, code, is_sweeping=is_sweeping)
    return code if code is not None else 1


def keep(log: int, piece: bytes) -> None:
    """Write to the log. On a full disk output is lost, never the job."""
    while piece:
        try:
            piece = piece[os.write(log, piece) :]
        except OSError:
            return


def answer_signals(numbers: bytes, init: int, code: int | None, *, is_sweeping: bool) -> int | None:
    """Do what the signals ask; init's exit code as soon as it is known."""
    for number in numbers:
        if number == signal.SIGTERM and code is None:
            os.kill(init, signal.SIGTERM)
        elif number == signal.SIGUSR1 and code is None:
            os.kill(init, signal.SIGKILL)
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == init:
            code = exit_code(status)
        if code is not None and is_sweeping:
            kill_descendants()
        if pid == 0:
            return code


def kill_descendants() -> None:
    """Kill all below us: without a PID namespace, nobody else does."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as status:
                    parents[int(name)] = int(status.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours and pid not in ours}:
        ours |= more
    for pid in ours - {os.getpid()}:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def exit_code(status: int) -> int:
    """128 + n for an end by signal n, as shells and Docker say."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


# -- init and the job ----------------------------------------------------------------------------


def be_init(launch: Launch, output: int, report: int) -> NoReturn:
    """Make the job's world, start it, collect the dead, end as it ends."""
    signal.set_wakeup_fd(-1)
    process_root.die_with_parent()
    try:
        if launch["isolation"] != "none":
            process_root.make_root(launch["folder"], launch["mounts"], launch["workdir"])
        if not launch["argv"]:
            os._exit(0)
        job = os.fork()
        if job == 0:
            become_job(launch, output, report)
    except OSError as exc:
        os.write(report, f"namespaces: {exc}".encode())
        os._exit(COMMAND_NOT_EXECUTABLE)
    os.close(output)
    os.close(report)
    while True:
        if signal.sigwaitinfo(FOR_INIT).si_signo == signal.SIGTERM:
            ask_to_stop(job)
        else:
            collect(job)


def ask_to_stop(job: int) -> None:
    """SIGTERM to the job's process group; to the job alone where it has not made its group yet."""
    try:
        os.killpg(job, signal.SIGTERM)
    except ProcessLookupError:
        os.kill(job, signal.SIGTERM)


def collect(job: int) -> None:
    """Take leave of the dead; with the job among them, of everything."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == job:
            os._exit(exit_code(status))
        if pid == 0:
            return


def become_job(launch: Launch, output: int, report: int) -> NoReturn:
    """Turn into the command. Descriptors other than 0, 1 and 2 close themselves."""
    os.setsid()
    for number in RESET_FOR_JOB:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_INIT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    what = f"folder '{launch['workdir']}'"
    try:
        os.chdir(launch["workdir"])
        what = f"command '{launch['argv'][0]}'"
        os.execvpe(launch["argv"][0], launch["argv"], launch["env"])
    except OSError as exc:
        os.write(report, f"{what}: {exc.strerror}".encode())
        is_missing = exc.errno in (errno.ENOENT, errno.ENOTDIR)
        os._exit(COMMAND_NOT_FOUND if is_missing else COMMAND_NOT_EXECUTABLE)
