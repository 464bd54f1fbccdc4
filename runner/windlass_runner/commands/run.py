"""`windlass run`: a workflow here and now, in the working tree as it is, with live progress."""

from __future__ import annotations

import contextlib
import gc
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.options import add_answers, add_inputs, add_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from windlass_runner.commands.early_lanes import EarlyLanes
    from windlass_runner.engines.base import Engine
    from windlass_runner.plan.model import Plan
    from windlass_runner.run.storage import Storage

EXAMPLE = """
windlass run .windlass/workflows/train.yaml --input epochs=10
windlass run train --job prepare           # that job and what it needs
windlass run train --from evaluate         # from there on, with the results of the last run before it
windlass run train --engine process        # without Docker; nothing is isolated
"""


def configure(parser: ArgumentParser) -> None:
    """The file, the part of it, where and how."""
    parser.add_argument("file", metavar="FILE", help="a workflow file, or its name without the folder")
    add_inputs(parser)
    parser.add_argument(
        "--job", "-j", metavar="NAME", action="append", default=[], help="only that job and what it needs"
    )
    parser.add_argument("--from", metavar="JOB", dest="start", help="that job and all that depend on it")
    parser.add_argument("--engine", choices=("docker", "process"), help="what runs the jobs (docker)")
    parser.add_argument("--host", metavar="NAME", help="a host of the settings")
    parser.add_argument(
        "--secret",
        metavar="NAME",
        action="append",
        default=[],
        help="give the jobs the variable NAME of this environment as a secret",
    )
    add_answers(parser)
    parser.add_argument("--parallel", "-p", metavar="N", type=_count, help="jobs at once (4)")
    parser.add_argument("--plain", action="store_true", help="plain lines, also on a terminal")
    parser.add_argument("--config", metavar="FILE", help="the daemon's settings, as ./windlass.toml")
    add_json(parser)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"'{text}' is not a number of at least 1")
    return int(text)


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Run it; 0 where it succeeded, 1 where it failed, 130 where it was interrupted."""
    gc.disable()  # while modules and plan are made, there is no garbage, and to look for it takes a sixth
    try:
        return _execute(arguments, invocation)
    finally:
        gc.enable()


def _execute(arguments: Namespace, invocation: Invocation) -> int:
    from windlass_runner.commands.engine_choice import choose_host, open_engine
    from windlass_runner.commands.local_state import open_state
    from windlass_runner.commands.planning import one_file, own_settings
    from windlass_runner.commands.warmth import Warmth

    file = one_file(arguments.file, invocation.folder)
    settings = own_settings(arguments, invocation)
    host = choose_host(arguments.host, engine=arguments.engine, settings=settings)
    storage = open_state(file.root)
    engine = open_engine(
        host.engine, storage=storage, environment=invocation.environment, address=host.docker
    )
    warmth = Warmth(engine.facts)  # asked while the rest is imported and the plan is made
    try:
        from windlass_runner.commands.preparing import prepare

        plan, secrets = prepare(arguments, invocation, file, storage=storage, settings=settings)
        facts = warmth.wait()
        for note in (*plan.notes, *facts.notes):
            invocation.say(f"note: {note}")
        parallelism = arguments.parallel or host.parallelism
        with contextlib.closing(_early_lanes(engine, storage, plan, parallelism=parallelism)) as early:
            from windlass_runner.commands.running import run_prepared  # takes as long as making the lanes

            gc.freeze()  # what is loaded stays
            gc.enable()
            return run_prepared(
                arguments,
                invocation,
                plan,
                root=file.root,
                storage=storage,
                engine=engine,
                host=host,
                secrets=secrets,
                early=early,
            )
    finally:
        engine.close()


def _early_lanes(engine: Engine, storage: Storage, plan: Plan, *, parallelism: int) -> EarlyLanes:
    """The lanes of the first jobs, for a run of an id that is new in all likelihood."""
    from secrets import randbits

    from windlass_runner.commands.early_lanes import EarlyLanes
    from windlass_runner.ledger.ids import next_run_id
    from windlass_runner.run.lanes import first_lanes

    run_id = next_run_id(None, at=time.time(), random_bits=randbits)
    return EarlyLanes(engine, storage, run_id=run_id, lanes=first_lanes(plan, parallelism=parallelism))
