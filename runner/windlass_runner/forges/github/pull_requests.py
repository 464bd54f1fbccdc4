"""Opens a pull request for a branch that was pushed, once. Used by `forge`.

https://docs.github.com/en/rest/pulls/pulls#create-a-pull-request
"""

from __future__ import annotations

from typing import Any

from windlass_registry.errors import UpstreamError
from windlass_runner.forges.base import Proposal
from windlass_runner.forges.github.client import Client


def open_pull_request(client: Client, repository: str, proposal: Proposal) -> str:
    """The page of the pull request from that branch: the open one where there is one already, else a new one.

    Raises:
        OperatorError: GitHub does not allow it.
        UpstreamError: it does not answer.
    """
    path = f"/repos/{repository}/pulls"
    owner = repository.partition("/")[0]
    query = {"state": "open", "head": f"{owner}:{proposal.branch}", "base": proposal.base}
    for found in client.request("GET", path, query=query):
        return _page(found)
    body = {
        "title": proposal.title,
        "head": proposal.branch,
        "base": proposal.base,
        "body": proposal.text,
    }
    return _page(client.write("POST", path, body))


def _page(found: Any) -> str:
    page = found.get("html_url") if isinstance(found, dict) else None
    if not isinstance(page, str):
        raise UpstreamError("GitHub gave a pull request without an address")
    return page
