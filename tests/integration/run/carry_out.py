"""Carries one run out, in a process that a test will kill. Usage: FOLDER ENGINE OWNER RUN [METHOD]

With METHOD, one of `Attempt`'s, it kills itself as soon as that has done its work.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from conftest import Runner, make_engine

from windlass_runner.run.attempt import Attempt


def dying_after(work: Callable[..., object]) -> Callable[..., None]:
    """The same, and then the end of the process."""

    def work_and_die(*words: object) -> None:
        work(*words)
        os.kill(os.getpid(), signal.SIGKILL)

    return work_and_die


folder, kind, owner, run_id, *methods = sys.argv[1:]
for name in methods:
    setattr(Attempt, name, dying_after(getattr(Attempt, name)))
runner = Runner(root=Path(folder), engine=make_engine(kind, Path(folder), owner), owner=owner)
runner.conductor.begin(run_id)
runner.conductor.wait(run_id)
