"""Runs a Streamlit app.

Python 3.8 and later: this file runs in whatever image the job names.
"""

from __future__ import annotations

import json
import os
import sys

from serving import Failure, Serving, complain


def main(serving: Serving) -> int:
    file = serving.placed(serving.read("FILE"))
    if not file.is_file():
        raise Failure(f"there is no file '{file}'")
    serving.need("streamlit")
    command = [
        *(sys.executable, "-m", "streamlit", "run", str(file)),
        f"--server.address={serving.host}",
        f"--server.port={serving.port}",
        f"--server.baseUrlPath={serving.base.strip('/')}",
        "--server.headless=true",
        "--server.fileWatcherType=none",
        "--server.enableCORS=false",  # the daemon has looked at where a request comes from
        "--server.enableXsrfProtection=false",
        "--browser.gatherUsageStats=false",
        "--global.developmentMode=false",  # it takes packages outside of site-packages for its own checkout
        *("--", *words(serving.read("ARGS"))),
    ]
    return serving.run(command)


def words(text: str) -> list[str]:
    """A list input: JSON, or one word for each line."""
    if text.startswith("["):
        return [word if isinstance(word, str) else json.dumps(word) for word in json.loads(text)]
    return [line.strip() for line in text.splitlines() if line.strip()]


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(Serving(os.environ, say)))
    except Failure as failure:
        say(complain(failure))
        sys.exit(1)
