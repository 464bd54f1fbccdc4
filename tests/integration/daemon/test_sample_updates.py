"""A newer release of a subscribed sample, offered by the daemon: real git, a real registry, a real ledger."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import registry_world
from integration.commands.sample_world import FIT, MANIFEST, WORKFLOW
from integration.daemon.git_http import git_over_http
from integration.daemon.serving import Repository, git
from integration.registry.test_interrupted import in_a_process
from windlass_registry.archive import pack
from windlass_registry.catalog import Catalog
from windlass_registry.errors import OperatorError, UpstreamError
from windlass_registry.samples.changes import files_of
from windlass_registry.samples.releases import find_sample
from windlass_registry.samples.subscriptions import SUBSCRIPTIONS_PATH, dump_subscriptions
from windlass_registry.sources.builtin import load_builtin
from windlass_registry.sources.registry_samples import RegistrySamples
from windlass_registry.store import Store
from windlass_runner.daemon import sample_offering
from windlass_runner.daemon.git_access import git_environment
from windlass_runner.daemon.host import open_digests
from windlass_runner.daemon.planning import CommitPlanning
from windlass_runner.daemon.pushes import Pushes
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.sample_offering import SampleOffering
from windlass_runner.forges.base import Proposal, Proposing
from windlass_runner.forges.git import Git
from windlass_runner.forges.git_program import GitProgram
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.sample_offers import SampleOffer, SampleOffers
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.run.workspace import Mirror
from windlass_runner.upkeep.sample_updates import Answers, record
from windlass_runner.workflow.events import Event

BRANCH = "windlass/update-fit-v1.1.0"
THEIRS = FIT.replace("# one", "# one, newer")
LOCK = ".windlass/lock.yaml"


@dataclass
class Proposals:
    """A forge as far as pull requests go, kept on the disk: one file for each that was ever opened."""

    folder: Path

    def open_pull_request(self, repository: str, proposal: Proposal) -> str:
        for place in self.folder.glob("open-*"):
            if place.read_text().startswith(f"{proposal.branch}\n"):
                return f"https://git.example.org/{place.name}"
        place = self.folder / f"open-{len(self.all()) + 1}"
        place.write_text(f"{proposal.branch}\n{proposal.base}\n{proposal.title}\n\n{proposal.text}")
        return f"https://git.example.org/{place.name}"

    def all(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    def close(self) -> None:
        for place in self.folder.glob("open-*"):
            place.rename(place.with_name(place.name.replace("open", "closed")))


@dataclass
class Scene:
    """A repository that is subscribed to `acme/fit` 1.0.0, of a registry that has 1.1.0 by now."""

    folder: Path
    world: registry_world.World
    repository: Repository
    mode: str = "pull-request"
    forge: Proposing | None = None
    address: str = ""
    """Where the daemon finds the repository; '' for its folder."""
    days: float = 30
    """Since the newest release."""
    docker: str = "unix:///nonexistent"
    """Where the engine is that knows images."""
    workflow: str = WORKFLOW
    files: dict[str, str] = field(default_factory=lambda: {"fit.sh": FIT, "notes.txt": "old\n"})

    @property
    def url(self) -> str:
        return self.address or f"file://{self.repository.bare}"

    def release(self, version: str, *, agreement: str = "", **files: str) -> None:
        self.files |= {name.replace("_", "."): text for name, text in files.items()}
        words = f"agreement: {agreement}\n" if agreement else ""
        content = {
            "sample.yml": MANIFEST.format(version=version, agreement=words),
            "workflow.yaml": self.workflow,
            **{f"files/{name}": text for name, text in self.files.items()},
        }
        package = self.world.package(f"fit-{version}", **content)
        (package / "action.yml").unlink()
        self.world.publish("acme/fit", version, archive=pack(package), kind="sample")

    def subscribe(self) -> None:
        """As `windlass subscribe` leaves it, and pushed."""
        release = find_sample("acme/fit@v1", [RegistrySamples(self.world.source("ann"))])
        sample = release.load()
        answers = Answers(parameters={"bucket": "data", "epochs": 3}, accepted="", asked="acme/fit@v1")
        files = files_of(sample, answers.parameters, name="fit", folder="fit", shown_as="acme/fit")
        found = record(release, sample, answers, files, name="fit", folder="fit")
        subscription = replace(found, source="as-ann-calls-it")
        written = {path: file.content.decode() for path, file in files.items()}
        self.push({**written, SUBSCRIPTIONS_PATH: dump_subscriptions({"fit": subscription})})

    def push(self, files: dict[str, str]) -> str:
        sha = self.repository.commit(files)
        self.repository.push()
        return sha

    @contextmanager
    def opened(self) -> Iterator[tuple[SampleOffering, Ledger]]:
        """One life of the daemon's part."""
        root = self.folder / "storage"
        root.mkdir(exist_ok=True)
        own = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        environment = git_environment(own, root=root, urls=[self.url])
        tool, program = Git(environment=environment), GitProgram(environment=environment)
        with Ledger.open(root / "ledger.db") as ledger:
            yield (
                SampleOffering(
                    ledger=ledger,
                    git=tool,
                    program=program,
                    mirror_of=lambda url: Mirror(tool, root, url),
                    sources=[RegistrySamples(self.world.source("daemon"))],
                    catalog=Catalog(builtin=load_builtin()),
                    open_digests=lambda: open_digests(None, {"DOCKER_HOST": self.docker}, limit_s=30),
                    proposing=lambda _url: self.forge,
                    scratch=root / "sample-updates",
                    clock=lambda: self.world.now.timestamp() + self.days * 86_400,
                ),
                ledger,
            )

    def offer(self) -> SampleOffer | None:
        """What the daemon does once an hour."""
        settings = RepositorySettings(url=self.url, name="digits", sample_updates=self.mode)
        with self.opened() as (offering, _):
            return offering.offer_next(settings)

    def show(self, path: str, *, at: str = BRANCH) -> str:
        return self.git("show", f"{at}:{path}")

    def git(self, *words: str) -> str:
        call = ["git", "-c", "safe.directory=*", "--git-dir", str(self.repository.bare), *words]
        return subprocess.run(call, capture_output=True, text=True, check=True).stdout

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split()


@pytest.fixture
def scene(tmp_path: Path, repository: Repository) -> Scene:
    folder = tmp_path / "world"
    folder.mkdir()
    found = Scene(folder=tmp_path, world=registry_world.begin(folder), repository=repository)
    found.release("1.0.0")
    found.subscribe()
    return found


@pytest.fixture
def forge(scene: Scene, tmp_path: Path) -> Proposals:
    (tmp_path / "proposals").mkdir()
    made = Proposals(tmp_path / "proposals")
    scene.forge = made
    return made


def test_a_newer_release_is_offered_once_with_the_edits_that_are_here(scene: Scene) -> None:
    scene.push({"fit/fit.sh": FIT + "echo mine\n", "other.txt": "untouched\n"})
    assert scene.offer() is None
    scene.release("1.1.0", fit_sh=THEIRS, notes_txt="new\n", more_txt="more\n")
    offer = scene.offer()
    assert offer is not None
    assert (offer.state, offer.branch, offer.page) == ("offered", BRANCH, "")
    assert scene.branches() == ["main", BRANCH]
    assert scene.show("fit/fit.sh") == THEIRS + "echo mine\n"
    assert (scene.show("fit/notes.txt"), scene.show("fit/more.txt")) == ("new\n", "more\n")
    assert 'version: "1.1.0"' in scene.show(SUBSCRIPTIONS_PATH)
    assert 'source: "as-ann-calls-it"' in scene.show(SUBSCRIPTIONS_PATH)
    changed = scene.git("diff", "--name-only", "main", BRANCH).split()
    assert changed == [SUBSCRIPTIONS_PATH, "fit/fit.sh", "fit/more.txt", "fit/notes.txt"]
    assert scene.git("rev-parse", f"{BRANCH}^") == scene.git("rev-parse", "main")
    assert scene.git("log", "-1", "--format=%an: %s", BRANCH) == "Windlass: Update fit to acme/fit 1.1.0\n"
    assert scene.offer() is None
    scene.git("branch", "-D", BRANCH)  # no is no
    assert scene.offer() is None
    assert scene.branches() == ["main"]
    scene.release("1.2.0", notes_txt="newer\n")
    later = scene.offer()
    assert later is not None
    assert later.branch == "windlass/update-fit-v1.2.0"


def test_the_pull_request_tells_what_changes_and_is_not_opened_again_when_closed(
    scene: Scene, forge: Proposals
) -> None:
    scene.release("1.1.0", fit_sh=THEIRS)
    offer = scene.offer()
    assert offer is not None
    assert offer.page == "https://git.example.org/open-1"
    text = forge.all()[0].read_text()
    assert text.startswith(f"{BRANCH}\nmain\nUpdate fit to acme/fit 1.1.0\n")
    assert "| `fit/fit.sh` | as the release has it |" in text
    forge.close()
    scene.git("branch", "-D", BRANCH)
    assert scene.offer() is None
    assert len(forge.all()) == 1


def test_conflicts_stand_in_the_branch_and_first_in_the_pull_request(scene: Scene, forge: Proposals) -> None:
    scene.push({"fit/fit.sh": FIT.replace("# one", "# mine")})
    scene.release("1.1.0", fit_sh=THEIRS)
    offer = scene.offer()
    assert offer is not None
    assert offer.note == "changed on both sides: fit/fit.sh"
    assert "<<<<<<< yours\n# mine\n" in scene.show("fit/fit.sh")
    text = forge.all()[0].read_text()
    assert "Settle this before you merge" in text
    assert text.index("`fit/fit.sh`: 1 place changed on both sides") < text.index("## Files")


def test_a_branch_alone_is_made_where_that_is_asked_for(scene: Scene, forge: Proposals) -> None:
    scene.mode = "branch"
    scene.release("1.1.0", fit_sh=THEIRS)
    offer = scene.offer()
    assert (offer is not None, forge.all(), scene.branches()) == (True, [], ["main", BRANCH])


def test_a_release_waits_until_it_is_old_enough(scene: Scene) -> None:
    scene.release("1.1.0", fit_sh=THEIRS)
    scene.days = 6
    assert scene.offer() is None
    scene.push({".windlass/settings.yaml": "lock: {cool-down-days: 5}\n"})
    assert scene.offer() is not None


def test_an_agreement_with_other_words_is_left_to_a_person(scene: Scene, forge: Proposals) -> None:
    scene.release("1.1.0", agreement="Not for weapons.", fit_sh=THEIRS)
    offer = scene.offer()
    assert offer is not None
    assert (offer.state, scene.branches(), forge.all()) == ("left", ["main"], [])
    assert "has other words in 1.1.0" in offer.note
    assert "windlass subscribe --update fit" in offer.note
    assert scene.offer() is None


def test_what_is_pinned_stays_and_what_is_new_is_pinned(scene: Scene) -> None:
    scene.push({LOCK: "lock: 1\nactions: {}\n"})
    scene.release("1.1.0", fit_sh=THEIRS)
    assert scene.offer() is not None
    assert "script@v1" in scene.show(LOCK)
    assert "script@v1" not in scene.show(LOCK, at="main")


@pytest.mark.docker
def test_images_that_a_release_brings_are_pinned_beside_those_that_are(scene: Scene) -> None:
    old = f'  "mine:1":\n    digest: "mine@sha256:{"0" * 64}"\n'
    scene.push({LOCK: f"lock: 2\nactions: {{}}\nimages:\n{old}"})
    scene.docker = os.environ.get("DOCKER_HOST", "")
    scene.workflow = f"{WORKFLOW}    image: windlass-test/busybox:1\n"
    scene.release("1.1.0")
    assert scene.offer() is not None
    assert old in scene.show(LOCK)
    assert '  "windlass-test/busybox:1":\n    local-id: "sha256:' in scene.show(LOCK)


def test_images_that_nobody_knows_are_told_in_the_pull_request(scene: Scene, forge: Proposals) -> None:
    scene.push({LOCK: "lock: 1\nactions: {}\n"})
    scene.workflow = f"{WORKFLOW}    image: windlass-test/busybox:1\n"
    scene.release("1.1.0")
    assert scene.offer() is not None
    assert "script@v1" in scene.show(LOCK)
    assert "busybox" not in scene.show(LOCK)
    told = forge.all()[0].read_text().partition("## The lock")[2]
    assert "- not pinned as yet: image windlass-test/busybox:1: the Docker engine does not answer" in told


def test_a_branch_that_somebody_made_already_is_theirs(scene: Scene, forge: Proposals) -> None:
    scene.release("1.1.0", fit_sh=THEIRS)
    scene.git("branch", BRANCH, "main")
    offer = scene.offer()
    assert offer is not None
    assert (offer.state, offer.note) == ("offered", "the branch was there already")
    assert forge.all() == []
    assert scene.git("rev-parse", BRANCH) == scene.git("rev-parse", "main")


def test_no_file_of_this_machine_gets_into_a_branch(scene: Scene, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "fit.sh").write_text("the host's own\n")
    (scene.repository.work / "fit" / "fit.sh").unlink()
    (scene.repository.work / "fit" / "notes.txt").unlink()
    (scene.repository.work / "fit").rmdir()
    (scene.repository.work / "fit").symlink_to(secret)
    scene.push({})
    scene.release("1.1.0", fit_sh=THEIRS)
    offer = scene.offer()
    assert offer is not None
    assert offer.state == "left"
    assert "fit/fit.sh: is no file here" in offer.note
    assert scene.branches() == ["main"]
    assert (secret / "fit.sh").read_text() == "the host's own\n"


def test_a_folder_of_this_machine_is_no_sample_here(scene: Scene, tmp_path: Path) -> None:
    text = (scene.repository.work / SUBSCRIPTIONS_PATH).read_text()
    scene.push({SUBSCRIPTIONS_PATH: text.replace("acme/fit@v1", str(tmp_path / "world" / "fit-1.1.0"))})
    scene.release("1.1.0", fit_sh=THEIRS)
    assert scene.offer() is None


ANY_PUSH = "on: push\njobs: {one: {uses: script@v1, with: {script: 'true'}}}\n"


def test_what_nobody_has_looked_at_runs_nowhere_until_somebody_has(scene: Scene) -> None:
    scene.push({".windlass/workflows/fit.yaml": ANY_PUSH})
    scene.release("1.1.0", fit_sh=THEIRS)
    assert scene.offer() is not None
    sha = scene.git("rev-parse", BRANCH).strip()

    def runs(ref: str, commit: str, ledger: Ledger) -> int:
        tool, root = Git(environment={"PATH": os.environ["PATH"]}), scene.folder / "storage"
        planning = CommitPlanning(
            git=tool,
            packages=Store(root / "packages"),
            catalog=Catalog.of_builtin(),
            options=PlanOptions(),
        )
        pushes = Pushes(
            ledger=ledger,
            git=tool,
            mirror_of=lambda url: Mirror(tool, root, url),
            plan=planning,
            shows_skipped=lambda _url: False,
            clock=lambda: 1.0,
        )
        push = Event(kind="push", repository=scene.url, ref=f"refs/heads/{ref}", sha=commit)
        return len(pushes.take(push, observed_at=None))

    with scene.opened() as (_, ledger):
        assert runs(BRANCH, sha, ledger) == 0
        assert runs("main", sha, ledger) == 1  # merged as it is: a person did that
        git(scene.repository.work, "fetch", "-q", str(scene.repository.bare), BRANCH)
        git(scene.repository.work, "checkout", "-q", "FETCH_HEAD")
        theirs = scene.repository.commit({"fit/fit.sh": "# looked at\n"})
        scene.repository.push(f"HEAD:{BRANCH}")
        assert runs(BRANCH, theirs, ledger) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to own files as somebody else")
def test_what_is_written_beside_us_belongs_to_the_repositorys_owner(scene: Scene) -> None:
    with tempfile.TemporaryDirectory() as open_place:  # pytest's own folders are closed to others
        Path(open_place).chmod(0o755)
        bare = Path(open_place) / "digits.git"
        scene.repository.bare.rename(bare)
        scene.repository.bare = bare
        offer_to_nobody(scene)


def offer_to_nobody(scene: Scene) -> None:
    hook = scene.repository.bare / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {scene.folder}/ran\n")
    hook.chmod(0o755)
    subprocess.run(["chown", "-R", "65534:65534", str(scene.repository.bare)], check=True)
    scene.release("1.1.0", fit_sh=THEIRS)
    assert scene.offer() is not None
    assert BRANCH in scene.branches()
    assert {place.lstat().st_uid for place in scene.repository.bare.rglob("*")} == {65534}
    assert not (scene.folder / "ran").exists()  # its hooks would run as us


def test_what_the_credentials_do_not_allow_is_told_with_a_remedy(scene: Scene, forge: Proposals) -> None:
    scene.release("1.1.0", fit_sh=THEIRS)
    with git_over_http(scene.repository.bare.parent, is_welcome=lambda _given: True) as address:
        scene.address = f"{address}/{scene.repository.bare.name}"
        scene.git("config", "http.receivepack", "false")
        with pytest.raises(OperatorError, match=r"cannot be pushed: .*Contents: write.*sample_updates"):
            scene.offer()
        scene.git("config", "http.receivepack", "true")

        class Closed:
            def open_pull_request(self, repository: str, proposal: Proposal) -> str:
                raise OperatorError("403 Forbidden")

        scene.forge = Closed()
        with pytest.raises(OperatorError, match=r"is pushed, and no pull request can be opened: 403"):
            scene.offer()
        scene.forge = forge
        offer = scene.offer()
    assert offer is not None
    assert (offer.page, scene.branches()) == ("https://git.example.org/open-1", ["main", BRANCH])


SEAMS: tuple[tuple[Any, str], ...] = (
    (SampleOffers, "begin"),
    (SampleOffers, "note_commit"),
    (sample_offering, "commit_files"),
    (sample_offering, "push_branch"),
    (Proposals, "open_pull_request"),
    (SampleOffers, "conclude"),
)


def killed_around(point: int, act: Callable[[], object]) -> bool:
    """Do it in a process that is killed before or behind one of the seams; whether it came that far."""

    def doomed() -> None:
        place, name = SEAMS[point // 2]
        real = getattr(place, name)

        def dying(*arguments: Any, **how: Any) -> Any:
            done = real(*arguments, **how) if point % 2 else None
            os.kill(os.getpid(), signal.SIGKILL)
            return done

        setattr(place, name, dying)
        act()

    return os.WIFSIGNALED(in_a_process(doomed))


@pytest.mark.parametrize("point", range(2 * len(SEAMS)))
def test_killed_anywhere_it_becomes_one_pull_request(scene: Scene, forge: Proposals, point: int) -> None:
    scene.release("1.1.0", fit_sh=THEIRS)
    assert killed_around(point, scene.offer)
    again = scene.offer()
    is_done = point == 2 * len(SEAMS) - 1
    assert (again is None) == is_done
    assert scene.offer() is None
    with scene.opened() as (_, ledger):
        (offer,) = ledger.sample_offers.of(scene.url)
    assert (offer.state, offer.page) == ("offered", "https://git.example.org/open-1")
    assert len(forge.all()) == 1
    assert scene.show("fit/fit.sh") == THEIRS
    assert not (scene.folder / "storage" / "sample-updates").exists()


def test_what_cannot_be_done_now_is_gone_on_with_later(scene: Scene, forge: Proposals) -> None:
    scene.release("1.1.0", fit_sh=THEIRS)

    class Away:
        def open_pull_request(self, repository: str, proposal: Proposal) -> str:
            raise UpstreamError("no answer")

    scene.forge = Away()
    with pytest.raises(UpstreamError, match="no answer"):
        scene.offer()
    sha = scene.git("rev-parse", BRANCH)
    scene.forge = forge
    offer = scene.offer()
    assert offer is not None
    assert (offer.page, scene.git("rev-parse", BRANCH)) == ("https://git.example.org/open-1", sha)
