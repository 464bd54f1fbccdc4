from __future__ import annotations

import struct

import pytest

from windlass_registry.archive import Entry
from windlass_registry.errors import AuthorError
from windlass_registry.samples.picture import LARGEST_BYTES, Picture, read_picture
from windlass_registry.samples.releases import BuiltinSamples

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'


def read(content: str | bytes, name: str = "picture.svg", target: str | None = None) -> Picture:
    data = content.encode() if isinstance(content, str) else content
    return read_picture(Entry(name=name, content=data, target=target), path=f"acme/flow/{name}")


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0) + b"0000"


@pytest.mark.parametrize(
    "inner",
    [
        '<rect width="2" height="1" fill="url(#g)" style="stroke: url( \'#g\' )"/>',
        '<use href="#a"/><use xlink:href=" #a"/>',
        '<image href="data:image/png;base64,AAAA"/>',
        "<style>@media (prefers-color-scheme: dark) { text { fill: #fff } }</style>",
        "<!-- <script> --><text>onload=alert(1), javascript:alert(1)</text>",
    ],
)
def test_what_only_draws_is_a_picture(inner: str) -> None:
    assert read(f"<?xml version='1.0'?>\n{HEAD}{inner}</svg>").media_type == "image/svg+xml"


def test_a_doctype_alone_does_no_harm() -> None:
    doctype = (
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    )
    assert read(f"{doctype}{HEAD}</svg>").name == "picture.svg"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HEAD}<script>alert(1)</script></svg>", "has a <script>"),
        (f"{HEAD}\n<g xmlns='http://www.w3.org/1999/xhtml'><SCRIPT/></g></svg>", "has a <SCRIPT>"),
        (f"{HEAD}<foreignObject/></svg>", "has a <foreignObject>"),
        (f'{HEAD}<rect onload="alert(1)"/></svg>', "script in 'onload'"),
        (f'{HEAD}<a xlink:href="javascript:alert(1)"/></svg>', "leads to 'javascript:"),
        (f'{HEAD}<image href="https://evil.example/x.png"/></svg>', "loads or leads to 'https:"),
        (f'{HEAD}<use href="data:image/svg+xml,x"/></svg>', "loads or leads to 'data:image/svg"),
        (f'{HEAD}<rect fill="url( https://evil.example)"/></svg>', "loads something in 'fill'"),
        (f"{HEAD}<style>@imp<!-- -->ort 'x'; a{{b:url(x)}}</style></svg>", "loads something in its <style>"),
        (f"<?xml-stylesheet href='x'?>{HEAD}</svg>", "processing instruction"),
        (f"<!DOCTYPE svg [<!ENTITY a 'b'>]>{HEAD}&a;</svg>", "declares entities"),
        ("<svg></svg>", "this is no SVG"),
        ("<html xmlns='http://www.w3.org/1999/xhtml'/>", "this is no SVG"),
        (HEAD, "this is no SVG"),
    ],
)
def test_what_does_more_than_draw_is_refused(content: str, message: str) -> None:
    with pytest.raises(AuthorError, match=r"acme/flow/picture\.svg") as caught:
        read(content)
    assert message in caught.value.problems[0].message


def test_the_line_is_told() -> None:
    with pytest.raises(AuthorError) as caught:
        read(f"{HEAD}\n<g/>\n<script/></svg>")
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (3, 1)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (png(5000, 10), "a.png", "5000 by 10 points"),
        (png(0, 10), "a.png", "0 by 10 points"),
        (b"GIF89a", "a.png", "this is no PNG"),
        (b"\xff\xd8", "a.jpg", "an SVG or a PNG"),
        (b"<svg", "svg", "an SVG or a PNG"),
        (b" " * (LARGEST_BYTES + 1), "a.svg", "more than 262,144"),
        (b"", "a" * 300 + ".svg", "a name that cannot be shown"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, name: str, message: str) -> None:
    with pytest.raises(AuthorError) as caught:
        read(content, name)
    assert message in caught.value.problems[0].message


def test_a_link_is_no_picture() -> None:
    with pytest.raises(AuthorError, match="is a link"):
        read("", target="other.svg")


def test_a_png_is_a_picture() -> None:
    assert read(png(480, 240), "docs/Shown.PNG").media_type == "image/png"


def test_every_sample_that_comes_with_windlass_has_a_light_picture_for_both_schemes() -> None:
    samples = BuiltinSamples.installed()
    for name in samples.names():
        picture = samples.releases(name)[0].load().picture
        assert picture is not None, name
        assert len(picture.content) < 30_000
        assert b"prefers-color-scheme:dark" in picture.content
