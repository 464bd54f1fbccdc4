"""What stands in the way between us and a store: its refusals in its own words, and when to try again."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError

LONGEST_PAUSE_S = 20.0
KEYS = "check 'access-key' and 'secret-access-key'"
REMEDIES = {
    "AccessDenied": "the keys do not allow it: give others, or allow s3:ListBucket and s3:GetObject",
    "AuthorizationHeaderMalformed": "check 'region'",
    "ExpiredToken": "the session is over: give a new 'session-token' and its keys",
    "InvalidAccessKeyId": "the store does not know this key: " + KEYS,
    "InvalidToken": "check 'session-token'",
    "NoSuchBucket": "there is no such bucket: check 'url' and 'endpoint'",
    "NoSuchKey": "check 'url'",
    "PermanentRedirect": "check 'region'",
    "RequestTimeTooSkewed": "the clock of this machine is wrong: set it",
    "SignatureDoesNotMatch": "the secret is not that of the key: " + KEYS,
}
BY_STATUS = {401: KEYS, 403: KEYS, 404: "check 'url'"}
CHANGED = "the object changed while it was copied; run it again"


class Failure(Exception):
    """What to tell the author of the workflow."""


class Refused(Failure):
    """The store answered, and not with what was asked for."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Patience(NamedTuple):
    """How often to try again, and how to wait."""

    retries: int
    pause_s: float
    sleep: Callable[[float], Any]
    say: Callable[[str], Any]

    def tried(self, work: Callable[[], Any], what: str) -> Any:
        """Do it, again where time may help. Raises Failure where it does not."""
        failures = 0
        while True:
            try:
                return work()
            except HTTPError as error:
                status, why = error.code, explain(error)
            except (URLError, OSError, HTTPException) as error:
                if getattr(error, "errno", None) == 28:  # ENOSPC: of ours, not of the store
                    raise Failure("the disk is full; free some space on the host") from error
                reason = getattr(error, "reason", None) or error
                text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
                status, why = 0, f"the store does not answer: {text}"
            failures += 1
            if (0 < status < 500 and status not in (408, 429)) or failures > self.retries:
                raise Refused(status, f"{what}: {why}")
            pause_s = min(self.pause_s * 2 ** (failures - 1), LONGEST_PAUSE_S)
            self.say(f"{what}: {why}; retry {failures} of {self.retries} in {pause_s:.1f} s")
            self.sleep(pause_s)


def explain(error: HTTPError) -> str:
    """The store's own words about a refusal, and what to do."""
    with error:
        body = error.read(65536).decode("utf-8", "replace")
    code = re.search(r"<Code>([^<]*)</Code>", body)
    message = re.search(r"<Message>([^<]*)</Message>", body)
    said = ": ".join(found.group(1) for found in (code, message) if found) or str(error.reason)
    if error.code == 412:
        return CHANGED
    remedy = REMEDIES.get(code.group(1) if code else "") or BY_STATUS.get(error.code)
    return f"the store answers {error.code} ({said.rstrip('.')})" + (f"; {remedy}" if remedy else "")
