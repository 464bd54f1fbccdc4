"""What TUF's findings mean for whoever wants to run something: a mirror behind, a wrong clock, an attack."""

from __future__ import annotations

from tuf.api import exceptions

from windlass_registry.errors import OperatorError
from windlass_registry.index import WrongPackage


class TrustError(OperatorError):
    """The registry is not believed. `kind` says why, in one word."""

    def __init__(self, message: str, *, kind: str, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.kind = kind


class ReplacedArchive(TrustError, WrongPackage):
    """An archive is not the one that was signed. Whoever resolves tells it of that very action."""


def explain(error: Exception, *, address: str) -> TrustError:
    """What one of TUF's exceptions means for whoever wants to run something."""
    said = str(error) or type(error).__name__
    match error:
        case exceptions.ExpiredMetadataError():
            return _expired(said, address)
        case exceptions.BadVersionNumberError():
            return TrustError(
                f"the registry {address} shows an older state than this machine has seen before ({said}): "
                "a mirror that is behind, a restored backup, or somebody who hides the newest releases",
                kind="rollback",
                remedy="read the registry itself instead of a mirror, or ask its owner",
            )
        case exceptions.UnsignedMetadataError():
            return TrustError(
                f"the registry {address} shows something that those who may have not signed ({said})",
                kind="signature",
                remedy="do not use it until its owner has said why; another mirror may be sound",
            )
        case exceptions.DownloadHTTPError() if "timestamp.json" in said:
            return TrustError(
                f"there is no registry at {address}, or not any more ({said})",
                kind="missing",
                remedy="mend the address: 'windlass registry list' shows it",
            )
        case exceptions.DownloadHTTPError():
            return TrustError(
                f"the registry {address} lacks a file that it names ({said}): a mirror that is incomplete",
                kind="missing",
                remedy="copy it again, or read the registry itself",
            )
        case exceptions.DownloadLengthMismatchError() | exceptions.LengthOrHashMismatchError():
            return TrustError(
                f"the registry {address} gives other bytes than were signed ({said})",
                kind="tampered",
                remedy="use another mirror, and tell the registry's owner",
            )
        case _:
            return TrustError(
                f"what the registry {address} gives is no metadata of a registry ({said})",
                kind="tampered",
                remedy="use another mirror, and tell the registry's owner",
            )


def _expired(said: str, address: str) -> TrustError:
    if "timestamp" in said or "snapshot" in said:
        return TrustError(
            f"nobody has confirmed for a while what is newest at the registry {address} ({said}): a mirror "
            "that is behind, a server that stands still, somebody who hides the newest releases, or a wrong "
            "clock here",
            kind="expired",
            remedy="look at this machine's clock; the registry's owner signs anew with 'windlass registry "
            "refresh'",
        )
    return TrustError(
        f"a signature of the registry {address} has run out ({said})",
        kind="expired",
        remedy="look at this machine's clock; else its owner has to sign anew",
    )
