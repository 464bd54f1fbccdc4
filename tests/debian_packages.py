"""Programs of Debian that tests need: installed where that may be, a skip for people, a failure in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import TypeVar

import pytest

Found = TypeVar("Found")


def needed(package: str, find: Callable[[], Found | None]) -> Found:
    """What `find` finds, after an attempt to install the package where it finds nothing."""
    found = find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        waiting = "-oDPkg::Lock::Timeout=300"  # for others who install at the same time
        install = ["apt-get", "install", "-y", "-qq", waiting, "--no-install-recommends", package]
        if not _done(install):  # a bare Debian knows of no packages yet
            _done(["apt-get", "update", "-qq", waiting])
            _done(install)
        found = find()
    if found is not None:
        return found
    if "CI" in os.environ or os.geteuid() == 0:
        pytest.fail(
            f"{package} is not installed and cannot be; run: apt-get update && apt-get install {package}"
        )
    pytest.skip(f"{package} is not installed; run: apt-get install {package}")


def _done(command: list[str]) -> bool:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, check=False, env=quiet, stdout=subprocess.DEVNULL).returncode == 0
