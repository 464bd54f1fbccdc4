"""What a lock means for the images of a run: which it holds still, and the words where one is another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from windlass_registry.lockfile import LOCK_PATH
from windlass_runner.engines.base import ImageBuild, ImageNotBuilt, ImageUnavailable
from windlass_runner.run.dockerfiles import with_bases

LOCK_IT: Final = "run 'windlass lock', and commit the file"
_ONE_LINE: Final = "write it as one line: FROM NAME"
NOT_LOCKED: Final = f"it is not in {LOCK_PATH}, and the settings of this runner ask for that"


def is_pinned(image: str, images: Iterable[str]) -> bool:
    """Whether a name means one image for ever: by the lock that pins `images`, or by its own digest."""
    return "@sha256:" in image or image in images


def not_as_locked(reference: str, pin: str, here: str | None, *, why: str | None = None) -> ImageUnavailable:
    """An image that is not to be had as it is pinned. `here`: what has its name on this host."""
    reason = f"the lock pins it to {pin}"
    if why is not None:
        reason += f", which cannot be had ({why})"
    elif here is None:
        reason += ", which was built on one machine and is not on this one"
    if here is not None:
        reason += f"; it is {here} here"
    remedy = f"bring that image here, or take what is there now: windlass lock --upgrade '{reference}'"
    return ImageUnavailable(reference, reason, remedy=remedy)


def joined(problems: Sequence[ImageUnavailable]) -> ImageUnavailable:
    """Several images that are not as the lock says, in one: the first with its reason, the others by name."""
    first = problems[0]
    if len(problems) == 1:
        return first
    names = " ".join(f"'{each.image}'" for each in problems)
    return ImageUnavailable(
        first.image,
        f"{first.reason}; nor are these what it pins: {', '.join(each.image for each in problems[1:])}",
        remedy=f"bring them here, or take what is there now: windlass lock --upgrade {names}",
    )


def from_bases(build: ImageBuild, bases: Mapping[str, str]) -> ImageBuild:
    """The build from these images in place of those that its Dockerfile names. Its own name tells them, so
    that what was built from others is not taken.

    Raises:
        ImageNotBuilt: they cannot be put into the Dockerfile.
    """
    if not bases:
        return build
    text = (build.context / build.dockerfile).read_text(encoding="utf-8", errors="replace")
    try:
        recipe = with_bases(text, bases)
    except ValueError as error:
        raise ImageNotBuilt(
            build.what, f"its base {error}, which the lock pins, is not named in one line", remedy=_ONE_LINE
        ) from error
    mark = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    return replace(build, reference=f"{build.reference}-{mark}", recipe=recipe)
