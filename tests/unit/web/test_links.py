from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from windlass_runner.web.links import LIFETIME_S, LinkEnded, LinkRefused, Links

LINKS = Links(address="https://ci.example.org/windlass", key=b"k" * 32)
WORDS = ("artifacts", "r1", "train (lr=0.1)", "weights")


def opened(url: str, *, at: float = 0.0, links: Links = LINKS) -> str:
    """The path that a link opens, as a server behind a proxy sees it."""
    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix("/windlass")
    links.check(path, dict(parse_qsl(parts.query)), at=at)
    return path


@pytest.mark.parametrize("name", ["weights", "a b", "ü", "50%", "a?b#c&d=e", "train/loss", "\ud800"])
def test_a_link_opens_what_it_names(name: str) -> None:
    url = LINKS.make("plots", "r1", "train", name, since=0.0)
    assert url.startswith("https://ci.example.org/windlass/plots/r1/train/")
    assert url.isascii()
    assert opened(url) == f"/plots/r1/train/{name}".replace("\ud800", "?")


def test_it_is_the_same_whenever_it_is_made() -> None:
    assert LINKS.make(*WORDS, since=5.0) == LINKS.make(*WORDS, since=5.0)


def test_it_ends() -> None:
    url = LINKS.make(*WORDS, since=100.0)
    opened(url, at=100.0 + LIFETIME_S - 1)
    with pytest.raises(LinkEnded):
        opened(url, at=100.0 + LIFETIME_S)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("/r1/", "/r2/"),
        ("weights", "secrets"),
        ("/artifacts/", "/plots/"),
        ("ends=", "ends=9"),
        ("ends=", "end="),
        ("signature=", "signature=A"),
        ("signature=", "sign="),
    ],
)
def test_nothing_else_is_opened_by_its_signature(part: str, other: str) -> None:
    url = LINKS.make(*WORDS, since=0.0)
    assert part in url
    with pytest.raises(LinkRefused):
        opened(url.replace(part, other))


def test_another_key_makes_other_links() -> None:
    with pytest.raises(LinkRefused):
        opened(LINKS.make(*WORDS, since=0.0), links=Links(address=LINKS.address, key=b"l" * 32))


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(LINKS)
