"""Keeps a served registry believable: what is newest is signed anew before it runs out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from windlass_registry.errors import WindlassError
from windlass_registry.hosting.folder import RegistryFolder
from windlass_registry.layout import TIMESTAMP
from windlass_registry.trust.hosted import RoleError, believed_until

LOOK_EVERY_S: Final = 3600.0


def trouble_of(folder: RegistryFolder, *, now: datetime) -> str | None:
    """Why a registry cannot be read, or is believed by nobody; None: it is fine."""
    try:
        newest = folder.read(TIMESTAMP)
        if newest is None:
            return f"{folder.files.address} holds no registry; restore it from a backup"
        until = believed_until(newest)
    except (WindlassError, RoleError) as error:
        return str(error)
    if until <= now:
        return f"its signatures ended on {until:%Y-%m-%d %H:%M} UTC; sign anew: windlass registry refresh"
    return None


class Keeping:
    """A thread that looks after a registry's folder. Start once; `stop` may be called twice.

    `told` hears of what went wrong, and is then called again with the next look.
    """

    def __init__(
        self, folder: RegistryFolder, *, told: Callable[[str], None], look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._folder = folder
        self._told = told
        self._look_every_s = look_every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="windlass-registry", daemon=True)

    def start(self) -> None:
        """Begin, with a look at once."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _keep(self) -> None:
        while True:
            try:
                if self._folder.is_ours():
                    self._folder.refresh()
            except WindlassError as error:
                self._told(str(error))
            if self._stopping.wait(self._look_every_s):
                return
