"""What the daemon's API answers from 400 on: problem details, with what only a daemon knows of."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from windlass_registry.server import problems
from windlass_registry.server.problems import HttpProblem, problem_response, unavailable, unreadable
from windlass_runner.ledger.errors import UnknownRun


def problem_of(error: Exception) -> HttpProblem:
    """Any error as the problem that a client is told. Of a mistake of the program it is told nothing."""
    return unknown_run(error.run_id) if isinstance(error, UnknownRun) else problems.problem_of(error)


def unknown_run(run_id: str) -> HttpProblem:
    """There is no such run, or it is not for this token."""
    remedy = "GET /api/v1/runs lists those that the token may see"
    return HttpProblem(HTTPStatus.NOT_FOUND, f"there is no run '{run_id}'", remedy=remedy)


async def answer_problem(_request: Request, error: Exception) -> Response:
    """For Starlette, which calls it with whatever an endpoint raised."""
    return problem_response(problem_of(error))


__all__ = [
    "HttpProblem",
    "answer_problem",
    "problem_of",
    "problem_response",
    "unavailable",
    "unknown_run",
    "unreadable",
]
