"""What a publisher hands a registry, and how the registry says no.

The registry may be a folder of this machine or a server: both take the same value through `Publishing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from windlass_registry.errors import WindlassError

Why = Literal[
    "signature",  # not signed by those who may
    "outdated",  # made on top of a state that is not the newest: make it again
    "exists",  # that very version is there already
    "changed",  # it would change or take away what was published
    "archive",  # the bytes are not what is signed, or no package
    "manifest",  # the package does not say what is signed of it
    "name",
    "clock",
    "size",
    "form",  # it cannot be understood
]


class Refused(WindlassError):
    """A registry does not take a publication. Nothing of it is kept. `why` is for programs."""

    exit_code = 2

    def __init__(self, message: str, *, why: Why, remedy: str | None = None) -> None:
        super().__init__(message + (f"; {remedy}" if remedy else ""))
        self.message = message
        self.why: Why = why
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Signed roles and the files that they newly name; taken as a whole or not at all."""

    roles: Mapping[str, bytes]
    """By role name: `targets`, `acme`, `acme.releases`."""
    archives: Mapping[str, bytes] = field(default_factory=dict)
    """Canonical archives, by digest."""
    statements: Mapping[str, bytes] = field(default_factory=dict)
    """Provenance, by digest."""


class Publishing(Protocol):
    """Where a publication goes. Safe to use from several threads and processes."""

    address: str

    def accept(self, publication: Publication) -> None:
        """Check all of it, and make it visible at once.

        May be called again with the same publication after a failure that is not a refusal.

        Raises:
            Refused: the registry does not want it. Nothing is changed.
            OperatorError: the registry's host has no room or may not write. Nothing is changed.
            UpstreamError: no answer came; whether it was taken shows when the registry is read.
        """
        ...
