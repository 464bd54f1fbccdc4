"""Which run a command means: by id, the beginning of an id, `WORKFLOW#NUMBER`, or the latest."""

from __future__ import annotations

from typing import Final

from windlass_registry.errors import OperatorError
from windlass_runner.ledger.errors import UnknownRun
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.records import RunRecord

LATEST: Final = "latest"
_LOOKED_AT: Final = 1000


def find_run(ledger: Ledger, wanted: str) -> RunRecord:
    """The run that is meant.

    Raises:
        UnknownRun: none, or more than one.
        OperatorError: there are no runs at all.
    """
    if wanted == LATEST:
        newest = ledger.runs.list(limit=1)
        if not newest:
            raise OperatorError("no runs yet", remedy="run something with 'windlass run'")
        return newest[0]
    workflow, mark, number = wanted.rpartition("#")
    if mark and number.isdigit():
        found = ledger.runs.list(workflow=workflow or None, limit=_LOOKED_AT)
        named = [run for run in found if run.number == int(number)]
        if len(named) == 1:
            return named[0]
        raise UnknownRun(wanted, message=f"more than one run is '{wanted}'" if named else None)
    return ledger.runs.find(wanted)
