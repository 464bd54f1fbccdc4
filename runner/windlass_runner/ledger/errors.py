"""What can go wrong with the ledger, and who can mend it."""

from __future__ import annotations

from windlass_registry.errors import OperatorError, WindlassError


class LedgerFull(OperatorError):
    """No space left where the ledger lies. The same ledger goes on when there is space again."""


class LedgerUnusable(OperatorError):
    """It cannot be opened or written as things stand: its rights, a failing disk, a password. The same
    call goes through when that has been mended."""


class LedgerDamaged(OperatorError):
    """What lies there is not a ledger, or no longer whole."""


class LedgerTooNew(OperatorError):
    """The ledger was written by a later version of this program."""


class LedgerMissing(OperatorError):
    """There is no ledger at that place, and it was not asked to make one."""


class UnknownRun(WindlassError):
    """No run, or more than one, is meant by that id."""

    exit_code = 2

    def __init__(self, run_id: str, *, message: str | None = None, remedy: str | None = None) -> None:
        self.run_id = run_id
        self.message = message or f"there is no run '{run_id}'"
        self.remedy = remedy or "`windlass runs` lists them"
        super().__init__(f"{self.message}; {self.remedy}")


class UnknownJob(WindlassError):
    """A change was told of a job that the run does not have. Nothing was recorded."""

    def __init__(self, run_id: str, keys: tuple[str, ...]) -> None:
        self.run_id = run_id
        self.keys = keys
        super().__init__(f"run '{run_id}' lacks one of the jobs: {', '.join(keys)}")


class TokenNameTaken(OperatorError):
    """There is a token of that name already."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"there is a token '{name}' already",
            remedy=f"choose another name, or take that one away with 'windlass tokens revoke {name}'",
        )


class UnknownToken(OperatorError):
    """No token has that name or id."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(f"there is no token '{wanted}'", remedy="'windlass tokens list' names them")
