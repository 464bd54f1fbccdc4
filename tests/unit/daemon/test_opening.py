from __future__ import annotations

import pytest

from windlass_registry.errors import OperatorError, UpstreamError
from windlass_runner.daemon.opening import Opening
from windlass_runner.daemon.wiring import Daemon
from windlass_runner.ledger.errors import LedgerFull


def test_what_it_waits_for_is_told_once_and_again_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    reasons = [LedgerFull("no space"), LedgerFull("no space"), UpstreamError("no database"), LedgerFull("x")]

    def make() -> Daemon:
        raise reasons.pop(0)

    opening = Opening(make, version="1.2.3")
    with caplog.at_level("WARNING", logger="windlass_runner"):
        while reasons:
            opening.attempt()
    told = [str(vars(record)["fields"]["reason"]) for record in caplog.records]
    assert told == ["no space", "no database", "x"]
    status, body = opening.health()
    assert (status, body["status"], body["version"]) == (503, "failing", "1.2.3")
    assert opening.receive("git", [({}, b"")])[0][0] == 503
    opening.close()


def test_what_no_waiting_mends_is_raised() -> None:
    def make() -> Daemon:
        raise OperatorError("another daemon works here")

    with pytest.raises(OperatorError, match="another daemon"):
        Opening(make, version="1").attempt()
