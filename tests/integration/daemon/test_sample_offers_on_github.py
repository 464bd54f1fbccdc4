"""A real daemon, a repository on GitHub that is subscribed to a sample: the pull request comes by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from github_double.world import Repository as Hosted
from integration.daemon.serving import Repository, Serving, git, wait_until
from integration.daemon.test_github import hosted, hub, on_github
from windlass_registry.samples.changes import files_of
from windlass_registry.samples.releases import BuiltinSamples
from windlass_registry.samples.subscriptions import SUBSCRIPTIONS_PATH, dump_subscriptions, object_name
from windlass_runner.upkeep.sample_updates import Answers, record

__all__ = ["hosted", "hub", "on_github"]

BRANCH = "windlass/update-finetune-v1.0.0"


def subscribe_to_an_older_release(repository: Repository) -> None:
    """As a release before the one that is installed would have left it."""
    release = BuiltinSamples.installed().releases("finetune")[0]
    sample = release.load()
    parameters = sample.manifest.parameters.complete({}, path="finetune")
    answers = Answers(parameters=parameters, accepted="", asked="finetune@v1")
    files = files_of(sample, parameters, name="finetune", folder="code", shown_as="finetune")
    written = {path: file.content.decode() for path, file in files.items()}
    written["code/learn.py"] = "# as it was\n"
    now = record(release, sample, answers, files, name="finetune", folder="code")
    old = replace(
        now,
        version="0.9.0",
        digest=f"sha256:{'0' * 64}",
        files={path: object_name(text.encode()) for path, text in written.items()},
    )
    workflow = ".windlass/workflows/finetune.yaml"
    written[workflow] = written[workflow].replace("branches: ['main']", "branches: ['never']")
    repository.commit({**written, SUBSCRIPTIONS_PATH: dump_subscriptions({"finetune": old})})
    repository.push()


def test_a_newer_release_becomes_a_pull_request_and_only_one(
    on_github: Serving, hosted: Hosted, repository: Repository, tmp_path: Path
) -> None:
    subscribe_to_an_older_release(repository)
    on_github.start()
    wait_until(lambda: hosted.pulls, what="the pull request", timeout_s=90)
    (pull,) = hosted.pulls.values()
    assert (pull["head"]["ref"], pull["base"]["ref"]) == (BRANCH, "main")
    learn = git(repository.bare, "show", f"{BRANCH}:code/learn.py")
    assert learn.startswith('"""Teaches the crooked letters')
    assert pull["title"] == "Update finetune to finetune 1.0.0"

    def told() -> list[dict[str, object]]:
        return list(on_github.health()[1]["sample_updates"])

    wait_until(lambda: told()[0]["state"] == "offered", what="the offer on /healthz")
    (offer,) = told()
    assert (offer["from"], offer["to"], offer["page"]) == ("0.9.0", "1.0.0", pull["html_url"])
    on_github.kill()
    on_github.start()
    wait_until(lambda: told() == [offer], what="the offer, remembered")
    assert on_github.health()[1]["repositories"][0]["sample_error"] is None
    assert len(hosted.pulls) == 1
