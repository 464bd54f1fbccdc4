"""Runs TensorBoard on a folder of event files.

Python 3.8 and later: this file runs in whatever image the job names.
"""

from __future__ import annotations

import os
import sys

from serving import Failure, Serving, complain


def main(serving: Serving) -> int:
    logdir = serving.placed(serving.read("LOGDIR") or "/inputs/logs")
    if not logdir.is_dir():
        raise Failure(f"there is no folder '{logdir}': give the job an input named 'logs', or set 'logdir'")
    serving.need("tensorboard")
    command = [
        *(sys.executable, "-m", "tensorboard.main", "--load_fast=false"),
        f"--logdir={logdir}",
        f"--host={serving.host}",
        f"--port={serving.port}",
        f"--path_prefix={serving.base.rstrip('/')}",
    ]
    return serving.run(command)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(Serving(os.environ, say)))
    except Failure as failure:
        say(complain(failure))
        sys.exit(1)
