"""An engine without containers, for tests: of the project, and of authors who build upon it.

`FakeEngine` keeps the contract of `engines.base` and runs *programs*: Python functions that stand
for what a container would do. A program is found by the container's command and image.

    engine = FakeEngine()
    engine.add_program(says(b"hello\\n", code=3), command=("sh", "-c", "greet"))

Two engines that share a `FakeHost` are two lives of one daemon on one machine.
"""

from windlass_runner.testing.engine import FakeEngine
from windlass_runner.testing.host import Call, FakeContainer, FakeHost
from windlass_runner.testing.programs import FakeProcess, Program, says

__all__ = ["Call", "FakeContainer", "FakeEngine", "FakeHost", "FakeProcess", "Program", "says"]
