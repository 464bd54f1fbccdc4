"""What went wrong, as problem details for HTTP APIs (RFC 9457): what every answer of an API from 400 on is.

Its `type` is always ``about:blank``: the status is the kind, `detail` names the thing and the place, and
the extension `remedy` says what to do. Used by the registry's server and by the daemon's.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from windlass_registry.errors import OperatorError, UpstreamError, WindlassError

_RETRY_AFTER_S = 5


class HttpProblem(Exception):
    """A call that is answered with a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        remedy: str | None = None,
        headers: Mapping[str, str] | None = None,
        why: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.remedy = remedy
        self.headers = dict(headers or {})
        self.why = why
        """One word for programs, where the status alone does not tell."""


def problem_of(error: Exception) -> HttpProblem:
    """Any error as the problem that a client is told. Of a mistake of the program it is told nothing."""
    match error:
        case HttpProblem():
            return error
        case HTTPException():
            return HttpProblem(
                HTTPStatus(error.status_code),
                HTTPStatus(error.status_code).description,
                remedy="GET /api/v1/openapi.json lists what there is",
                headers=error.headers,
            )
        case UpstreamError():
            return unavailable(error.message, retry_after_s=error.retry_after_s)
        case OperatorError():
            return unavailable(error.message, remedy=error.remedy)
        case WindlassError():
            return unavailable(str(error))
    return HttpProblem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "this is a mistake of ours", remedy="see the daemon's log"
    )


def unavailable(detail: str, *, remedy: str | None = None, retry_after_s: float | None = None) -> HttpProblem:
    """It cannot be done now; later it may."""
    headers = {"Retry-After": str(round(retry_after_s or _RETRY_AFTER_S))}
    return HttpProblem(HTTPStatus.SERVICE_UNAVAILABLE, detail, remedy=remedy, headers=headers)


def unreadable(detail: str, *, remedy: str | None = None) -> HttpProblem:
    """The call itself is not one that there is."""
    return HttpProblem(HTTPStatus.BAD_REQUEST, detail, remedy=remedy)


def problem_response(problem: HttpProblem) -> Response:
    """The answer."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
    }
    if problem.remedy is not None:
        body["remedy"] = problem.remedy
    if problem.why is not None:
        body["why"] = problem.why
    headers = {"Cache-Control": "no-store", **problem.headers}
    return JSONResponse(body, problem.status, headers=headers, media_type="application/problem+json")


async def answer_problem(_request: Request, error: Exception) -> Response:
    """For Starlette, which calls it with whatever an endpoint raised."""
    return problem_response(problem_of(error))
