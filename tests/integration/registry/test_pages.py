"""The registry's pages over HTTP: what they show, and what strangers' texts cannot do there."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import registry_world
from integration.registry.served import Answer, Served, serving
from windlass_registry.archive import pack

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'
MANIFEST = f"""\
name: Train
description: {EVIL!r}
version: 1.0.0
inputs:
  epochs: {{type: number, default: 3, description: {EVIL!r}}}
outputs:
  loss: {{description: the last one, value: '1'}}
runs:
  using: composite
  steps: [{{run: echo hello}}]
"""
README = f"""# Title

Some *text*, a [link](https://example.org), a [bad one](javascript:alert(1)), {EVIL}

![picture](https://evil.example/x.png)
"""
SAMPLE = """\
name: flow
description: Two jobs.
version: 1.0.0
license: MIT
agreement: Be kind.
picture: shown.svg
parameters: {properties: {epochs: {type: integer, default: 3}, size: {enum: [small, large], default: small}}}
"""
GRAPH = """\
name: Both
description: Trains, and judges.
version: 1.0.0
inputs:
  data: {type: volume, required: true}
  epochs: {type: number, required: true}
runs:
  using: workflow
  jobs:
    train: {inputs: {data: workflow.inputs.data}, uses: acme/train@v1, outputs: {model: {type: volume}}}
    judge: {inputs: {model: train.outputs.model}, steps: [{run: ./judge}]}
"""
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 1"><rect width="2" height="1"/></svg>'
WORKFLOW = """\
jobs:
  prepare: {uses: script@v1, with: {script: 'true'}, outputs: {data: {type: volume}}}
  train:
    inputs: {data: prepare.outputs.data}
    strategy: {matrix: {n: [1, 2]}}
    steps: [{run: 'echo ${{ parameters.epochs }}'}]
"""


class Seen(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    world = registry_world.begin(tmp_path)
    world.publish(version="1.0.0", archive=pack(world.package(manifest=MANIFEST, **{"README.md": README})))
    newer = MANIFEST.replace("1.0.0", "1.1.0")
    world.publish(version="1.1.0", archive=pack(world.package(manifest=newer, **{"new.py": "print(1)\n"})))
    flow = world.package("flow", **{"sample.yml": SAMPLE, "workflow.yaml": WORKFLOW, "shown.svg": PICTURE})
    (flow / "action.yml").unlink()
    world.publish("acme/flow", "1.0.0", archive=pack(flow), kind="sample", picture="shown.svg")
    both = world.package("both", manifest=GRAPH)
    world.publish("acme/both", "1.0.0", archive=pack(both), uses=["acme/train@v1"])
    with serving(world) as found:
        yield found


def assert_harmless(answer: Answer) -> Seen:
    assert answer.status == 200
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    text = answer.body.decode()
    assert "\u202e" not in text
    seen = Seen(text)
    for tag, attributes in seen.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        if tag == "img":
            assert re.fullmatch(r"/acme/flow/1\.0\.0/picture", str(attributes["src"]))
        for name in ("href", "src", "action"):
            assert not str(attributes.get(name, "")).startswith(("javascript:", "//")), attributes
        if tag == "script":
            assert str(attributes["src"]).startswith("/static/")
    return seen


def test_strangers_texts_stay_texts_on_every_page(served: Served) -> None:
    for path in (
        "/",
        "/?q=train",
        "/acme",
        "/acme/train",
        "/acme/train/1.0.0",
        "/acme/flow",
        "/acme/both",
        "/acme/train/diff/1.0.0...1.1.0",
    ):
        assert_harmless(served.call(path))


def test_what_is_typed_is_found_and_shown_as_it_is(served: Served) -> None:
    listed = served.call("/?q=fl&part=1").body.decode()
    assert "flow" in listed
    assert "train" not in listed
    assert "<html" not in listed
    nothing = served.call("/?q=%22%3E%3Cscript%3E").body.decode()
    assert "Nothing for" in nothing
    assert "<script>" not in nothing


def test_a_package_page_tells_how_to_use_it_and_what_it_takes(served: Served) -> None:
    text = served.call("/acme/train/1.0.0").body.decode()
    for wanted in (
        "uses: acme/train@v1",
        "epochs",
        "the last one",
        "There is a newer release, 1.1.0",
        "sha256:",
    ):
        assert wanted in text
    assert 'rel="nofollow noopener ugc"' in text
    assert "ann, from https://git.example.org/actions at 111111111111" in text


def test_a_sample_page_draws_the_graph_and_asks_for_the_parameters(served: Served) -> None:
    page = served.call("/acme/flow")
    seen = assert_harmless(page)
    text = page.body.decode()
    assert 'aria-label="Jobs: prepare, train after prepare"' in text
    assert "windlass subscribe acme/flow@v1" in text
    assert "Be kind." in text
    fields = {str(attributes["name"]) for tag, attributes in seen.elements if tag in ("input", "select")}
    assert {"epochs", "size"} <= fields


def test_the_page_of_a_graph_draws_its_jobs_and_hands_it_files_as_files(served: Served) -> None:
    text = served.call("/acme/both").body.decode()
    assert "<h2>Jobs</h2>" in text
    assert 'aria-label="Jobs: train, judge after train"' in text
    assert "    inputs:\n      data: JOB.outputs.NAME\n    with:\n      epochs: …</pre>" in text
    assert "<h2>Jobs</h2>" not in served.call("/acme/train").body.decode()


def test_a_picture_is_shown_and_is_no_document_of_the_registry(served: Served) -> None:
    for path in ("/", "/acme/flow"):
        images = [found for tag, found in Seen(served.call(path).body.decode()).elements if tag == "img"]
        assert [image["src"] for image in images] == ["/acme/flow/1.0.0/picture"]
    picture = served.call("/acme/flow/1.0.0/picture")
    assert picture.body.decode() == PICTURE
    assert picture.headers["Content-Type"] == "image/svg+xml"
    policy = picture.headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert not any(rule.startswith("script-src") for rule in policy)
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert picture.headers["Content-Disposition"] == 'attachment; filename="picture.svg"'
    assert "immutable" in picture.headers["Cache-Control"]
    seen = {"If-None-Match": picture.headers["ETag"]}
    assert served.call("/acme/flow/1.0.0/picture", headers=seen).status == 304
    listed = {entry["name"]: entry["picture"] for entry in served.call("/index.json").json["packages"]}
    assert listed == {"acme/both": None, "acme/flow": "shown.svg", "acme/train": None}


@pytest.mark.parametrize("path", ["/acme/train/1.0.0/picture", "/acme/flow/2.0.0/picture"])
def test_what_has_no_picture_has_none(served: Served, path: str) -> None:
    assert served.call(path).status == 404


def test_a_diff_shows_what_changed(served: Served) -> None:
    text = served.call("/acme/train/diff/1.0.0...1.1.0").body.decode()
    assert "-version: 1.0.0" in text
    assert "+version: 1.1.0" in text
    assert re.search(r"new\.py <span class=\"quiet\">added", text)
    assert re.search(r"README\.md <span class=\"quiet\">removed", text)


def test_feeds_and_badges_are_what_they_say(served: Served) -> None:
    feed = ET.fromstring(served.call("/feed.xml").body)
    titles = {
        entry.findtext("{http://www.w3.org/2005/Atom}title") for entry in feed.iter() if "entry" in entry.tag
    }
    assert titles == {"acme/train 1.0.0", "acme/train 1.1.0", "acme/flow 1.0.0", "acme/both 1.0.0"}
    badge = served.call("/acme/train/badge.svg")
    assert badge.headers["Content-Type"].startswith("image/svg+xml")
    assert "v1.1.0" in ET.tostring(ET.fromstring(badge.body), encoding="unicode")


@pytest.mark.parametrize(
    "path", ["/nobody", "/acme/nothing", "/acme/train/9.9.9", "/acme/train/diff/1.0.0...9.9.9"]
)
def test_what_is_not_there_is_told_on_a_page(served: Served, path: str) -> None:
    answer = served.call(path)
    assert answer.status == 404
    assert "There is nothing here" in answer.body.decode()


def test_a_yanked_release_says_so_on_its_page(served: Served) -> None:
    from dataclasses import replace

    from windlass_registry.releases import Yank

    world = served.world
    namespace = world.namespace()
    (facts,) = [one for one in namespace.releases("acme/train") if str(one.version) == "1.1.0"]
    yanked = replace(facts, yanked=Yank(reason="it deletes data", at=world.now))
    world.registry.accept(world.signed(namespace, [yanked], world.signers(namespace)))
    assert "it deletes data" in served.call("/acme/train/1.1.0").body.decode()
    assert '<span class="version">1.0.0</span>' in served.call("/acme/train").body.decode()
