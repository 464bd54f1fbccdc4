"""Security notices and measurements on a registry's pages, in its feeds and its API."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import registry_world
from integration.registry.served import Served, serving
from windlass_registry.advisories import Severity, make_advisory
from windlass_registry.measurements import Measured
from windlass_registry.publication import Refused
from windlass_registry.releases import ReleaseFacts

EVIL = '"><script>alert(1)</script>'
ENTRY = "{http://www.w3.org/2005/Atom}entry"
TITLE = "{http://www.w3.org/2005/Atom}title"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    world = registry_world.begin(tmp_path)
    world.publish(version="1.0.0")
    world.later(days=1)
    world.publish(version="1.1.0")
    with serving(world) as found:
        yield found


def advise(served: Served, *versions: str, severity: Severity = "high") -> str:
    """A notice about these releases; its id."""
    world = served.world
    notice = make_advisory(
        "acme/train",
        severity=severity,
        title=f"Writes the token into the log {EVIL}",
        text=f"Anybody reads it.\nMove on. {EVIL}",
        versions="<1.1.0",
        at=world.now,
    )
    change(served, *(replace(facts, advisories=(notice,)) for facts in releases(served, *versions)))
    return notice.id


def releases(served: Served, *versions: str) -> list[ReleaseFacts]:
    everything = served.world.namespace().releases("acme/train")
    return [facts for facts in everything if str(facts.version) in versions]


def change(served: Served, *facts: ReleaseFacts) -> None:
    world = served.world
    namespace = world.namespace()
    world.registry.accept(world.signed(namespace, facts, world.signers(namespace)))


def page(served: Served, path: str) -> str:
    answer = served.call(path)
    assert answer.status == 200
    text = answer.body.decode()
    assert "<script>alert" not in text
    return text


def test_a_notice_stands_on_the_page_of_each_release_that_it_is_about(served: Served) -> None:
    id = advise(served, "1.0.0")
    old = page(served, "/acme/train/1.0.0")
    assert f'<section class="notice danger" id="{id}">' in old
    assert "Anybody reads it.\nMove on." in old
    assert 'Not affected: <a href="/acme/train/1.1.0">1.1.0</a>' in old
    new = page(served, "/acme/train")
    assert "notice danger" not in new
    assert new.count("security notice</span>") == 1  # of the older one, in the list of releases
    assert "security notice" not in page(served, "/")


def test_a_package_whose_newest_release_is_dangerous_is_marked_in_lists(served: Served) -> None:
    advise(served, "1.0.0", "1.1.0", severity="critical")
    assert "(critical)" in page(served, "/")
    assert "No release is known that is not affected." in page(served, "/acme/train")
    (entry,) = served.call("/api/v1/packages?q=train").json["packages"]
    assert entry["notice"] == "critical"


def test_a_notice_is_in_the_feeds_once(served: Served) -> None:
    advise(served, "1.0.0", "1.1.0")
    for path in ("/feed.xml", "/acme/train/feed.xml"):
        titles = [each.findtext(TITLE, "") for each in ET.fromstring(served.call(path).body).findall(ENTRY)]
        assert len(titles) == 3
        assert titles[0].startswith("Security notice (high): acme/train <1.1.0: Writes the token")


def test_the_api_tells_notices_and_what_was_measured(served: Served) -> None:
    id = advise(served, "1.0.0")
    newest, old = served.call("/api/v1/packages/acme/train").json["releases"]
    assert (newest["advisories"], newest["measured"]) == ([], None)
    assert [each["id"] for each in old["advisories"]] == [id]


def test_notices_come_and_go_and_what_was_measured_never_changes(served: Served) -> None:
    advise(served, "1.0.0")
    change(served, *(replace(facts, advisories=()) for facts in releases(served, "1.0.0")))
    assert "notice danger" not in page(served, "/acme/train/1.0.0")
    measured = Measured(examples=1, milliseconds=1)
    with pytest.raises(Refused, match="what was said of it cannot change"):
        change(served, *(replace(facts, measured=measured) for facts in releases(served, "1.0.0")))
