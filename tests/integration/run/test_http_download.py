"""http-download@v1 in a job that is tried again."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from unit.actions.web_site import Site, served

WORKFLOW = """
jobs:
  fetch:
    uses: http-download@v1
    retry: 1
    with:
      url: ADDRESS/data.bin
      sha256: DIGEST
      path: /outputs/data
    outputs: {data: {type: artifact}}
"""


@pytest.mark.parametrize("runner", ["process"], indirect=True)
def test_the_next_attempt_of_a_job_goes_on_with_the_download(runner: Any) -> None:
    with served(Site(tricks=["cut 100000", "status 404"])) as site:
        text = WORKFLOW.replace("ADDRESS", site.address)
        done = runner.run(text.replace("DIGEST", hashlib.sha256(site.content).hexdigest()))
        assert "404 Not Found" in done.log("fetch")
        assert done.state == "success", done.log("fetch", attempt=2)
        assert "Going on after 100.0 kB" in done.log("fetch", attempt=2)
        assert site.ranges[-1] == "bytes=100000-"
        assert (runner.storage.outputs(done.id, "fetch") / "data").read_bytes() == site.content
