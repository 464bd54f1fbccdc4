"""What the step was given: GitHub hands its inputs over as variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from failures import Failed


class Inputs(NamedTuple):
    """What the step was given."""

    server: str
    token: str
    workflow: str
    repository: str | None
    ref: str | None
    inputs: dict[str, Any]
    timeout_s: float


def read_inputs(environ: Mapping[str, str]) -> Inputs:
    """Raises Failed where one is missing, or not what it has to be."""

    def given(name: str) -> str:
        return environ.get(f"INPUT_{name}", "").strip()

    for name in ("server", "token", "workflow"):
        if not given(name.upper()):
            raise Failed(f"the input '{name}' is empty")
    server = given("SERVER").rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise Failed(
            f"the input 'server' is '{server}'; write an address such as https://windlass.example.org"
        )
    minutes = given("TIMEOUT_MINUTES") or "360"
    try:
        timeout_s = float(minutes) * 60
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s < float("inf"):
        raise Failed(f"the input 'timeout-minutes' is '{minutes}'; write a number above 0")
    return Inputs(
        server=server,
        token=given("TOKEN"),
        workflow=given("WORKFLOW"),
        repository=given("REPOSITORY") or None,
        ref=given("REF") or None,
        inputs=parse_inputs(given("INPUTS")),
        timeout_s=timeout_s,
    )


def parse_inputs(text: str) -> dict[str, Any]:
    """A JSON object, or `name=value` on each line. Raises Failed."""
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise Failed(f"the input 'inputs' is not JSON: {error}") from error
        return dict(found)
    inputs = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = line.partition("=")
        if not sign or not name.strip():
            raise Failed(f"the input 'inputs' has the line '{line}'; write NAME=VALUE, or a JSON object")
        inputs[name.strip()] = value.strip()
    return inputs
