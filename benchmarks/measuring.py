"""Times, taken in turn: a machine's speed drifts by half from hour to hour, ratios within a run hold."""

from __future__ import annotations

import math
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class BenchmarkFailed(Exception):
    """What was to be measured did not work; says what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement: wall seconds, and of the process that was measured, seconds of processor time and how
    often a thread of its had to wait (for a disk, an answer, or another thread)."""

    wall_s: float
    cpu_s: float = 0.0
    waits: int = 0


@dataclass(frozen=True, slots=True)
class Turns:
    """The samples of several ways, measured in turn (A B C A B C …)."""

    samples: Mapping[str, Sequence[Sample]]

    def wall_s(self, way: str) -> float:
        """Median."""
        return statistics.median(sample.wall_s for sample in self.samples[way])

    def cpu_s(self, way: str) -> float:
        """Median."""
        return statistics.median(sample.cpu_s for sample in self.samples[way])

    def ratios(self, way: str, other: str) -> list[float]:
        """Wall time of one way over the other's, round by round."""
        pairs = zip(self.samples[way], self.samples[other], strict=True)
        return [one.wall_s / two.wall_s for one, two in pairs]

    def differences(self, way: str, other: str, of: Callable[[Sample], float]) -> list[float]:
        """What one way takes more than the other, round by round."""
        pairs = zip(self.samples[way], self.samples[other], strict=True)
        return [of(one) - of(two) for one, two in pairs]


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the median of all values like these lies, with a certainty of 95 %: by their order alone, so
    that no outlier moves it. Of fewer than six: the least and the greatest."""
    ordered, count = sorted(values), len(values)
    below, outside = 0.0, 0
    while outside < count // 2:
        below += math.comb(count, outside) / 2**count
        if below > 0.025:
            break
        outside += 1
    left_out = max(0, outside - 1)
    return ordered[left_out], ordered[count - 1 - left_out]


def in_turn(ways: Mapping[str, Callable[[], Sample]], *, rounds: int, warm: bool = False) -> Turns:
    """Measure each way once in every round, in turn forwards and backwards: what gets slower or faster all
    the time favours none. `warm`: once before, without counting it."""
    taken: dict[str, list[Sample]] = {name: [] for name in ways}
    for number in range(-1 if warm else 0, rounds):
        for name, way in list(ways.items())[:: -1 if number % 2 else 1]:
            sample = way()
            if number >= 0:
                taken[name].append(sample)
    return Turns(taken)


def timed(work: Callable[[], object]) -> Sample:
    """Wall and processor time (all threads) of a call in this process, and how often it waited."""
    wall, cpu, waits = time.perf_counter(), time.process_time(), _waits()
    work()
    return Sample(wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu, waits=_waits() - waits)


def _waits() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


def timed_command(words: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Sample:
    """A whole process, with the children that it waited for.

    Raises:
        BenchmarkFailed: it did not end with 0.
    """
    begin = time.perf_counter()
    with subprocess.Popen(
        words, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkFailed(f"{' '.join(words)}: exit code {process.returncode}\n{said.decode()[-2000:]}")
    return Sample(wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime)


def process_cpu_s(pid: int) -> float:
    """User and system time of a process and of the children that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """The machine, in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, Docker {_docker()}, load {load:.1f}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _docker() -> str:
    words = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "none"
    return done.stdout.strip() or "none"
