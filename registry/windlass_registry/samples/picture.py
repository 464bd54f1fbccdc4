"""The picture of a sample: an SVG or PNG of its package, which pages show beside its name.

It is a stranger's. Pages show it by `<img>` alone, where no browser runs a script or loads anything; what
would do so if somebody opened it by itself is refused here, so that it is never published either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from xml.parsers import expat

from windlass_registry.archive import Entry
from windlass_registry.errors import AuthorError, Problem
from windlass_registry.releases import PICTURE_CHARS

LARGEST_BYTES: Final = 256 * 1024
LARGEST_PIXELS: Final = 4096
"""Of a PNG's side: a small file may unfold into gigabytes."""
MEDIA_TYPES: Final = {".svg": "image/svg+xml", ".png": "image/png"}
_PNG: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_SVG: Final = "http://www.w3.org/2000/svg"
_ACTIVE: Final = frozenset(
    ("script", "foreignobject", "handler", "listener", "iframe", "object", "embed", "audio", "video")
)
_LOADED: Final = re.compile(r"""@import|url\(\s*["']?\s*(?![\s"'#]|data:image/(?:png|jpeg|gif|webp))""", re.I)
_INSIDE: Final = re.compile(r"\s*(?:#|data:image/(?:png|jpeg|gif|webp)[;,])", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that was checked."""

    name: str
    """Its path in the package."""
    content: bytes

    @property
    def media_type(self) -> str:
        """As HTTP names it."""
        return MEDIA_TYPES[suffix_of(self.name)]


def suffix_of(name: str) -> str:
    """`.svg` of `picture.SVG`; '' where there is none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > name.rfind("/") else ""


def read_picture(entry: Entry, *, path: str) -> Picture:
    """The picture in a file. `path` is where problems are reported.

    Raises:
        AuthorError: it is too large, no SVG or PNG, or an SVG that does more than draw.
    """
    found = _wrong(entry)
    if found is not None:
        raise AuthorError(replace(found, path=path))
    return Picture(name=entry.name, content=entry.content)


def _wrong(entry: Entry) -> Problem | None:
    """What is wrong with it, at its place in the file."""
    suffix = suffix_of(entry.name)
    if suffix not in MEDIA_TYPES:
        return _problem("a picture is an SVG or a PNG", "let its name end with .svg or .png")
    if len(entry.name) > PICTURE_CHARS or not entry.name.isprintable():
        return _problem("the picture has a name that cannot be shown", "call it picture.svg")
    if entry.target is not None:
        return _problem("the picture is a link", "put the file itself there")
    if len(entry.content) > LARGEST_BYTES:
        size = f"the picture has {len(entry.content):,} bytes"
        return _problem(f"{size}, more than {LARGEST_BYTES:,}", "make it smaller, or leave details out")
    return _wrong_png(entry.content) if suffix == ".png" else _wrong_svg(entry.content)


def _wrong_png(content: bytes) -> Problem | None:
    """https://www.w3.org/TR/png-3/#5PNG-file-signature, and 11.2.1 for the header."""
    if not content.startswith(_PNG) or len(content) < 33:
        return _problem("this is no PNG", "save it as one again")
    sides = [int.from_bytes(content[start : start + 4], "big") for start in (16, 20)]
    if not all(0 < side <= LARGEST_PIXELS for side in sides):
        text = f"the picture is {sides[0]} by {sides[1]} points"
        return _problem(f"{text}, more than {LARGEST_PIXELS} on a side", "scale it down")
    return None


def _wrong_svg(content: bytes) -> Problem | None:
    check = _SvgCheck()
    try:
        check.parser.Parse(content, True)
    except expat.ExpatError as error:
        what = f"this is no SVG: {expat.ErrorString(error.code)}"
        return _problem(what, "save it as one again", line=error.lineno, column=error.offset + 1)
    return check.wrong


def _problem(message: str, remedy: str, *, line: int = 0, column: int = 0) -> Problem:
    """Line 0: of the whole file."""
    return Problem(path="", line=line, column=column, message=message, remedy=remedy)


class _SvgCheck:
    """Goes over an SVG once; keeps the first thing that does more than draw."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._element
        self.parser.CharacterDataHandler = self._text
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.ProcessingInstructionHandler = self._instruction
        self.wrong: Problem | None = None
        self._depth = 0
        self._style: list[str] | None = None

    def _note(self, what: str, remedy: str = "leave it out: a picture only draws") -> None:
        if self.wrong is None:
            line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
            self.wrong = _problem(what, remedy, line=line, column=column)

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        space, _, tag = name.rpartition(" ")
        if self._depth == 0 and (space, tag) != (_SVG, "svg"):
            self._note("this is no SVG", f'its root is <svg xmlns="{_SVG}">')
        self._depth += 1
        if tag.lower() in _ACTIVE:
            self._note(f"the picture has a <{tag}>")
        if tag.lower() == "style":
            self._style = []
        for key, value in attributes.items():
            self._attribute(key.rpartition(" ")[2].lower(), value)

    def _attribute(self, key: str, value: str) -> None:
        if key.startswith("on"):
            self._note(f"the picture has a script in '{key}'")
        elif key in ("href", "src") and not _INSIDE.match(value):
            self._note(f"the picture loads or leads to '{value[:80]}'", "draw it, or embed it as data:")
        elif _LOADED.search(value):
            self._note(f"the picture loads something in '{key}'", "draw it, or embed it as data:")

    def _text(self, text: str) -> None:
        if self._style is not None:
            self._style.append(text)

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if self._style is not None:
            if _LOADED.search("".join(self._style)):
                self._note("the picture loads something in its <style>", "write the styles out")
            self._style = None

    def _doctype(self, _name: str, _system: str | None, _public: str | None, has_subset: int) -> None:
        if has_subset:
            self._note("the picture declares entities", "write <svg> alone, without <!DOCTYPE … [ … ]>")

    def _instruction(self, target: str, _data: str) -> None:
        self._note(f"the picture has a processing instruction, '{target}'")
