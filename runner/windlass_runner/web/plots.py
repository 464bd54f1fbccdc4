"""Plots of metrics, for those who have a link to one: pictures in the checks of a commit."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from windlass_runner.ledger.ledger import Ledger
from windlass_runner.run.courses import read_courses
from windlass_runner.run.plot import plot_svg
from windlass_runner.web.link_gate import SAFE_HEADERS, Shown, behind_link, told

_HEADERS: Final = {
    **SAFE_HEADERS,
    "Cache-Control": "no-cache",  # GitHub's proxy of pictures asks again then: the course goes on
    "Content-Security-Policy": "default-src 'none'",
}


def make_plots(shown: Shown) -> Route:
    """`/plots/<run>/<job>/<metric>.svg` as a part of an application. Jobs and metrics may have slashes in
    their names."""

    def answer(request: Request, ledger: Ledger) -> Response:
        run, rest = request.path_params["run"], request.path_params["rest"]
        courses = read_courses(ledger, run, ledger.runs.jobs(run))
        for key, course in courses.items():
            name = rest.removeprefix(f"{key}/")
            if name != rest and name in course:
                return Response(plot_svg(name, course[name]), media_type="image/svg+xml", headers=_HEADERS)
        return told(HTTPStatus.GONE, "There was a metric here; it has been removed.")

    return Route("/plots/{run}/{rest:path}.svg", behind_link(shown, answer), methods=["GET"])
