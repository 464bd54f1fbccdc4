"""Every sample that comes with Windlass: subscribed to in an empty folder, checked, and really run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from integration.commands.conftest import ROOT, Answer, Here, Project, environment_for
from windlass_registry.samples.outline import layers, outline
from windlass_registry.samples.releases import BuiltinSamples

SMALL = {
    "classify": ("epochs=1",),
    "finetune": ("epochs=4",),
    "regress": ("folds=3",),
    "retrain": ("weeks=8",),
    "ship": (),
    "sweep": ("folds=2",),
}
IN_DOCKER = ("regress", "ship")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A sample that ran: its repository, and what the run came to."""

    root: Path
    facts: dict[str, Any]

    @property
    def jobs(self) -> dict[str, Any]:
        return {job["key"]: job for job in self.facts["jobs"]}

    def metric(self, job: str, name: str) -> float:
        return float(self.jobs[job]["metrics"][name]["last"])

    def output(self, job: str, *path: str) -> Path:
        return self.root.joinpath(".windlass", "out", "latest", job, *path)


def attempt(
    sample: str, folder: Path, *parameters: str, engine: str = "process", words: tuple[str, ...] = ()
) -> tuple[Path, Answer]:
    """As somebody does who has nothing but an empty folder; gives that, and what the run said."""
    home, root = folder / "home", folder / "empty"
    home.mkdir()
    root.mkdir()
    project = Here(root=root, environment=environment_for(home))
    given = [word for each in parameters for word in ("--param", each)]
    subscribed = project.windlass("subscribe", f"{sample}@v1", "--accept", *given)
    assert subscribed.code == 0, subscribed.err
    checked = project.windlass("validate")
    assert checked.code == 0, checked.out
    return root, Project.windlass(project, "run", sample, "--engine", engine, "--yes", "--json", *words)


def subscribe_and_run(sample: str, folder: Path, *parameters: str, **how: Any) -> Ran:
    """One that has to succeed."""
    root, answer = attempt(sample, folder, *parameters, **how)
    assert answer.code == 0, answer.out + answer.err
    return Ran(root=root, facts=json.loads(answer.out))


def test_there_is_a_test_for_each() -> None:
    assert tuple(sorted(SMALL)) == BuiltinSamples.installed().names()


def test_digits_are_learnt_and_read(tmp_path: Path) -> None:
    ran = subscribe_and_run("classify", tmp_path, *SMALL["classify"])
    assert ran.metric("train", "accuracy") > 0.85
    assert len(json.loads(ran.output("train", "model", "model.json").read_text())["weights"]) == 10


def test_a_network_that_knew_straight_letters_reads_crooked_ones_better(tmp_path: Path) -> None:
    ran = subscribe_and_run("finetune", tmp_path, *SMALL["finetune"], words=("--input", "examples=1"))
    others = [ran.metric("evaluate", name) for name in ("before", "scratch")]
    assert ran.metric("evaluate", "finetuned") > max(others)
    assert ran.output("finetune", "model", "network.json").is_file()


def test_forecasts_are_made_anew_and_compared(tmp_path: Path) -> None:
    ran = subscribe_and_run("retrain", tmp_path, *SMALL["retrain"], words=("--input", "day=2026-03-02"))
    new, before = ran.metric("compare", "error"), ran.metric("compare", "error_before")
    kept = ran.jobs["compare"]["outputs"]["kept"]["text"]
    assert kept == ("new" if new <= before else "before")
    model = json.loads(ran.output("compare", "model", "model.json").read_text())
    assert model["until"] == ("2026-02-22" if kept == "new" else "2026-02-15")


def test_the_best_of_six_forests_is_grown(tmp_path: Path) -> None:
    ran = subscribe_and_run("sweep", tmp_path, *SMALL["sweep"])
    card = json.loads(ran.output("best", "model", "card.json").read_text())
    scores = {
        name: float(output["text"])
        for key, job in ran.jobs.items()
        if key != "best"
        for name, output in job["outputs"].items()
        if output["text"]
    }
    assert len(scores) == 6
    assert scores[f"t{card['trees']}-d{card['depth']}"] == max(scores.values()) > 0.85
    assert ran.metric("best", "accuracy") == pytest.approx(card["accuracy"])


def check_regression(ran: Ran) -> None:
    assert 40 < ran.metric("fit", "rmse") < 55
    assert ran.metric("fit", "r2") > 0.4
    ElementTree.fromstring(ran.output("draw", "picture.svg").read_text())


def check_deployment(ran: Ran) -> None:
    assert ran.metric("evaluate", "accuracy") > 0.9
    answer = json.loads(ran.jobs["deploy"]["outputs"]["answer"]["text"])
    site = ran.output("deploy", "site")
    assert (site / "current").readlink() == Path("releases") / answer["release"]
    assert (site / "current" / "model.json").is_file()


CHECKS = {"regress": check_regression, "ship": check_deployment}


@pytest.mark.parametrize("sample", IN_DOCKER)
def test_a_gate_and_a_deployment(sample: str, tmp_path: Path) -> None:
    CHECKS[sample](subscribe_and_run(sample, tmp_path, *SMALL[sample]))


@pytest.mark.docker
@pytest.mark.parametrize("sample", IN_DOCKER)
def test_any_image_with_python_will_do(sample: str, tmp_path: Path) -> None:
    image = "image=windlass-test/python:1"
    CHECKS[sample](subscribe_and_run(sample, tmp_path, *SMALL[sample], image, engine="docker"))


def test_an_error_above_the_limit_fails_the_run(tmp_path: Path) -> None:
    root, answer = attempt("regress", tmp_path, "limit=30", "folds=2")
    assert answer.code == 1
    jobs = Ran(root=root, facts=json.loads(answer.out)).jobs
    assert (jobs["fit"]["state"], jobs["draw"]["state"]) == ("failure", "skipped")
    assert "rmse" in jobs["fit"]["reason"]


def test_a_model_that_does_not_load_is_not_put_into_service(tmp_path: Path) -> None:
    program = ROOT / "samples" / "windlass_samples" / "ship" / "files"
    good, site = tmp_path / "model", tmp_path / "site"
    subprocess.run([sys.executable, "-B", program / "train.py", "--out", good], check=True)
    deploy = [sys.executable, "-B", program / "deploy.py", "--to", site, "--model"]
    subprocess.run([*deploy, good / "model.json"], check=True, capture_output=True)
    current = (site / "current").readlink()
    (tmp_path / "bad.json").write_text("{")
    refused = subprocess.run([*deploy, tmp_path / "bad.json"], capture_output=True, check=False)
    assert refused.returncode == 1
    assert b"nothing was switched" in refused.stderr
    assert (site / "current").readlink() == current


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_sample_says_what_a_gallery_shows(name: str) -> None:
    release = BuiltinSamples.installed().releases(name)[0]
    manifest = release.load().manifest
    assert manifest.license
    assert manifest.tags
    assert len(manifest.description) <= 110
    assert "windlass run" in (BuiltinSamples.installed().folder(name) / "README.md").read_text()
    drawn = layers(outline(release.load().template))
    assert len(drawn) > 1
