"""What `windlass action test --measure` leaves for `windlass publish`, of the very same files.

Kept in the user's cache by the package's digest: change a file of the package, and it is measured anew or
published without. `--measured FILE` carries it to another machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from windlass_registry.archive import pack
from windlass_registry.errors import OperatorError
from windlass_registry.measurements import Measured, measured_file, read_measured_file, tell_measured
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.registries import cache_folder
from windlass_runner.commands.wrong_words import WrongWords

if TYPE_CHECKING:
    from windlass_runner.engines.measuring import Peaks


def open_peaks(asked: str | None) -> Peaks | None:
    """What hears of memory, where `--measure` asks for it."""
    if asked is None:
        return None
    from windlass_runner.engines.measuring import Peaks

    return Peaks()


def tell_and_keep(
    seconds: Sequence[float], peaks: Peaks, folder: Path, asked: str, invocation: Invocation
) -> None:
    """Leave what the examples of that folder took for `windlass publish`."""
    measured = Measured(
        examples=len(seconds),
        milliseconds=round(max(seconds) * 1000),
        peak_memory_bytes=peaks.memory_bytes,
        image_bytes=peaks.image_bytes,
    )
    place = keep_measured(
        measured,
        digest=f"sha256:{sha256(pack(folder)).hexdigest()}",
        file=invocation.folder / asked if asked else None,
        environment=invocation.environment,
    )
    invocation.say("measured: " + ", ".join(f"{title} {text}" for title, text in tell_measured(measured)))
    invocation.say(f"'windlass publish' takes that along, from {place}")


def keep_measured(
    measured: Measured, *, digest: str, file: Path | None, environment: Mapping[str, str]
) -> Path:
    """Write it down; gives the file. Raises OperatorError where it cannot be written."""
    place = file or _place(digest, environment)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(measured_file(measured, digest=digest))
    except OSError as error:
        raise OperatorError(f"cannot write what was measured to {place}: {error.strerror}") from error
    return place


def find_measured(digest: str, *, file: Path | None, environment: Mapping[str, str]) -> Measured | None:
    """What was measured of a package; None where nobody did.

    Raises:
        WrongWords: the file that was named is none, or of other files.
    """
    try:
        found, measured = read_measured_file((file or _place(digest, environment)).read_bytes())
    except (OSError, ValueError) as error:
        if file is None:
            return None
        raise WrongWords(f"{file} cannot be read: {error}", remedy="see 'action test --measure'") from error
    if found == digest:
        return measured
    if file is None:
        return None
    raise WrongWords(
        f"{file} was measured of other files ({found[:19]}…)", remedy="measure again: windlass action test"
    )


def _place(digest: str, environment: Mapping[str, str]) -> Path:
    return cache_folder(environment) / "measured" / f"{digest.removeprefix('sha256:')}.json"
