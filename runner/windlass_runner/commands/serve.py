"""`windlass serve`: the daemon, in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import faulthandler
import os
import threading
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from windlass_runner.commands.invocation import Invocation, is_terminal

_LONGEST_STOP_S: Final = 10.0
EXAMPLE = """
windlass serve --config windlass.toml
curl http://127.0.0.1:8470/healthz
"""


def configure(parser: ArgumentParser) -> None:
    """The settings file."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="the settings (windlass.toml here or in /etc/windlass, else defaults for one machine)",
    )


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Serve until told to stop; 0."""
    from windlass_runner.daemon.journal import start_journal, stop_journal
    from windlass_runner.daemon.server import serve, stop_on_signals
    from windlass_runner.daemon.settings import find_settings, load_settings

    named = arguments.config
    path = invocation.folder / Path(named).expanduser() if named else find_settings(invocation.folder)
    settings = load_settings(path, invocation.environment)
    stopping = threading.Event()

    def ready(address: str) -> None:
        invocation.print(f"listening on {address}")
        invocation.out.flush()

    threading.Thread(target=_end_at_last, args=(stopping,), name="windlass-end", daemon=True).start()
    journal = start_journal(invocation.err, has_terminal=is_terminal(invocation.err))
    try:
        with stop_on_signals(stopping):
            serve(settings, invocation.environment, ready=ready, stopping=stopping)
    finally:
        stop_journal(journal)
    return 0


def _end_at_last(stopping: threading.Event) -> None:
    """Whoever stops the daemon waits for seconds, never for ever. All that counts is on disk by then,
    and containers run on; what still hangs is told on stderr."""
    stopping.wait()
    if not threading.Event().wait(_LONGEST_STOP_S):
        faulthandler.dump_traceback(all_threads=True)
        os._exit(0)
