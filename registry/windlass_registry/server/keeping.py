"""Keeps a served registry believable: what is newest is signed anew before it runs out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from windlass_registry.errors import WindlassError
from windlass_registry.hosting.folder import RegistryFolder

LOOK_EVERY_S: Final = 3600.0


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
                if self._folder.exists() and self._folder.is_ours():
                    self._folder.refresh()
            except WindlassError as error:
                self._told(str(error))
            if self._stopping.wait(self._look_every_s):
                return
