"""Why the step fails."""

from __future__ import annotations


class Failed(Exception):
    """The step fails, and this is why."""


class Overdue(Failed):
    """The time is over."""
