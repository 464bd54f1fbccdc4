"""Runs JupyterLab on a folder, which is an output when it ends.

Python 3.8 and later: this file runs in whatever image the job names.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

from serving import Failure, Serving, complain

LEFT_OUT = shutil.ignore_patterns(".git", ".ipynb_checkpoints", "__pycache__")


def main(serving: Serving) -> int:
    folder, notebook = serving.placed(serving.read("FOLDER") or "."), serving.read("NOTEBOOK")
    if not folder.is_dir():
        raise Failure(f"there is no folder '{folder}'")
    if notebook and not (folder / notebook).is_file():
        raise Failure(f"there is no notebook '{notebook}' in {folder}")
    serving.need("jupyterlab")
    start = f"/lab/tree/{quote(notebook)}" if notebook else "/lab"
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        f"--ServerApp.ip={serving.host}",
        f"--ServerApp.port={serving.port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.base_url={serving.base}",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url={start}",
        "--ServerApp.allow_remote_access=True",
        "--IdentityProvider.token=",  # who has the link is let in by the daemon
    ]
    target = serving.placed("/outputs") / "notebook"
    return serving.run(command, lambda: save(folder, target))


def save(folder: Path, target: Path) -> None:
    """The folder becomes the output, for jobs that declare it."""
    if folder in target.parents:
        return
    shutil.copytree(folder, target, symlinks=True, ignore=LEFT_OUT, dirs_exist_ok=True)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(Serving(os.environ, say)))
    except Failure as failure:
        say(complain(failure))
        sys.exit(1)
