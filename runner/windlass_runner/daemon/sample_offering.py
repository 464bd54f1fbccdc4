"""Offers a newer release of a subscribed sample: a commit on a branch of its own, and a pull request for it.

Each step can be cut off. The ledger says that a release is being offered before anything of it is seen
outside, and what is seen outside says how far it came; so a release is offered once, and no is no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError, OperatorError, WindlassError
from windlass_registry.lockfile import LOCK_PATH, load_lock, save_lock
from windlass_registry.samples.releases import SampleRelease, SampleSource
from windlass_registry.samples.subscriptions import SUBSCRIPTIONS_PATH, Subscription, parse_subscriptions
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.repository_settings import RepositorySettings
from windlass_runner.daemon.workflows import FOLDERS, read_workflows
from windlass_runner.data.trees import remove_tree
from windlass_runner.forges.base import Proposal, Proposing
from windlass_runner.forges.branches import commit_files, push_branch
from windlass_runner.forges.git import Git, default_branches
from windlass_runner.forges.git_program import GitProgram
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.ledger.sample_offers import OfferState, SampleOffer
from windlass_runner.run.workspace import Mirror, private_copy
from windlass_runner.upkeep.image_pins import Digests, lock_with_images
from windlass_runner.upkeep.lock_settings import SETTINGS_PATH, UPGRADE_COOL_DOWN, parse_cool_down
from windlass_runner.upkeep.locking import look_up_workflows
from windlass_runner.upkeep.merging import merge_with_git
from windlass_runner.upkeep.sample_updates import (
    NeedsPerson,
    Update,
    answers_as_before,
    apply,
    is_folder,
    merge_labels,
    next_release,
    plan_update,
    refuse_links,
    rendered_again,
    subscribed_release,
)
from windlass_runner.upkeep.update_texts import branch_name, commit_message, proposal_text, title

_HEADS: Final = "refs/heads/"
_BY_HAND: Final = "windlass subscribe --update {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    """The default branch of a repository, as it stands: what an update begins at."""

    settings: RepositorySettings
    mirror: Mirror
    ref: str
    sha: str
    refs: Mapping[str, str]
    subscriptions: Mapping[str, Subscription]


class SampleOffering:
    """Offers one release at a time. For one thread."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        git: Git,
        program: GitProgram,
        mirror_of: Callable[[str], Mirror],
        sources: Sequence[SampleSource],
        catalog: Catalog,
        open_digests: Callable[[], Digests],
        proposing: Callable[[str], Proposing | None],
        scratch: Path,
        clock: Callable[[], float],
    ) -> None:
        """`open_digests`: who knows images, for one offer; `scratch`: a folder of its own, whose content
        nobody misses."""
        self._offers = ledger.sample_offers
        self._git = git
        self._program = program
        self._mirror_of = mirror_of
        self._sources = sources
        self._catalog = catalog
        self._open_digests = open_digests
        self._proposing = proposing
        self._scratch = scratch
        self._clock = clock
        self._journal = Journal("sample-updates")

    def offer_next(self, settings: RepositorySettings) -> SampleOffer | None:
        """Offer one release that is new for a repository; None where there is nothing to offer.

        Raises:
            AuthorError: the repository's record of its subscriptions is broken.
            OperatorError, UpstreamError: it cannot be offered now. What was begun is gone on with next time.
        """
        remove_tree(self._scratch)  # of a life that was cut off
        branch = self._default_branch(settings)
        if branch is None:
            return None
        before = datetime.fromtimestamp(self._clock(), UTC) - self._cool_down(branch)
        for one in branch.subscriptions.values():
            release = self._next_release(settings, one, before)
            offer = None if release is None else self._unfinished(settings, one, release)
            if release is not None and offer is not None:
                return self._offer(branch, one, release, offer)
        return None

    def _default_branch(self, settings: RepositorySettings) -> _Branch | None:
        """None where it has no subscriptions."""
        refs = self._git.ls_remote(settings.url)
        ref = next(iter(default_branches(refs)), None)
        if ref is None:
            return None
        mirror = self._mirror_of(settings.url)
        mirror.fetch(ref=ref, sha=refs[ref])
        text = self._git.read_file(mirror.path, refs[ref], SUBSCRIPTIONS_PATH)
        known = {} if text is None else parse_subscriptions(text)
        if not known:
            return None
        return _Branch(
            settings=settings, mirror=mirror, ref=ref, sha=refs[ref], refs=refs, subscriptions=known
        )

    def _cool_down(self, branch: _Branch) -> timedelta:
        """As `windlass lock --upgrade` waits."""
        text = self._git.read_file(branch.mirror.path, branch.sha, SETTINGS_PATH)
        said = None if text is None else parse_cool_down(text)
        return UPGRADE_COOL_DOWN if said is None else said

    def _next_release(
        self, settings: RepositorySettings, one: Subscription, before: datetime
    ) -> SampleRelease | None:
        if is_folder(one.sample):
            return None
        try:
            return next_release(one, self._sources, published_before=before)
        except AuthorError as error:  # of a registry that this daemon does not know; it holds up no other
            self._journal.info("sample.unknown", repository=settings.name, subscription=one.name, why=error)
            return None

    def _unfinished(
        self, settings: RepositorySettings, one: Subscription, release: SampleRelease
    ) -> SampleOffer | None:
        """The offer as far as it is known, or a new one that nobody has heard of; None: there is no more to
        do."""
        version = str(release.version)
        known = self._offers.get(settings.url, one.name, version)
        if known is not None:
            return known if known.state == "making" else None
        return SampleOffer(
            repository=settings.url,
            name=one.name,
            version=version,
            sample=release.name,
            old_version=one.version,
            branch=branch_name(one.name, version),
            at=self._clock(),
        )

    def _offer(
        self, branch: _Branch, one: Subscription, release: SampleRelease, offer: SampleOffer
    ) -> SampleOffer:
        is_new = self._offers.get(offer.repository, offer.name, offer.version) is None
        if is_new:
            self._offers.begin(offer)
            if _HEADS + offer.branch in branch.refs:
                return self._conclude(offer, "offered", note="the branch was there already")
        try:
            return self._make(branch, one, release, offer)
        except (NeedsPerson, AuthorError) as error:
            by_hand = _BY_HAND.format(name=one.name)
            return self._conclude(offer, "left", note=f"{_why(error)}; a person has to say '{by_hand}'")
        finally:
            remove_tree(self._scratch)

    def _make(
        self, branch: _Branch, one: Subscription, release: SampleRelease, offer: SampleOffer
    ) -> SampleOffer:
        self._scratch.mkdir(parents=True)
        root = private_copy(branch.mirror.checkout(branch.sha), self._scratch / "tree")
        refuse_links(root, (LOCK_PATH, SUBSCRIPTIONS_PATH, f"{FOLDERS[0]}/{one.name}.yaml"))
        update = self._plan(branch, root, one, release)
        unlocked: list[str] = []
        if _HEADS + offer.branch not in branch.refs:
            known = branch.subscriptions
            apply(root, update, known, write_lock=lambda place: unlocked.extend(self._lock(place)))
            sha = commit_files(
                self._program,
                branch.mirror.path,
                base=branch.sha,
                root=root,
                paths={*update.touched, SUBSCRIPTIONS_PATH, LOCK_PATH},
                message=commit_message(update),
                index=self._scratch / "index",
            )
            self._offers.note_commit(offer, sha)
            self._push(branch, offer, sha)
        page = self._open(branch, update, offer, unlocked)
        places = ", ".join(change.path for change in update.conflicts)
        note = f"changed on both sides: {places}" if places else ""
        return self._conclude(offer, "offered", page=page, note=note)

    def _plan(self, branch: _Branch, root: Path, one: Subscription, release: SampleRelease) -> Update:
        update = plan_update(
            root,
            one,
            release,
            answers_as_before(one, release),
            rendered=rendered_again(one, lambda: subscribed_release(one, self._sources)),
            from_history=lambda name: self._program.local(
                ["cat-file", "blob", name], inside=branch.mirror.path, allowed=(1, 128)
            ),
            merge=merge_with_git(self._program, labels=merge_labels(one, release)),
        )
        return replace(update, new=replace(update.new, source=one.source))  # as its subscriber calls it

    def _lock(self, root: Path) -> tuple[str, ...]:
        """Pin what the workflows use by now, where the repository pins at all; what is pinned stays. Gives
        what could not be pinned, or on this machine alone."""
        if not (root / LOCK_PATH).is_file():
            return ()
        pins = load_lock(root)
        found = [workflow.workflow for workflow in read_workflows(root)]
        looked = look_up_workflows(
            [workflow for workflow in found if workflow is not None],
            root=root,
            pins=pins,
            catalog=self._catalog,
        )
        lock, pinned = lock_with_images(looked, pins=pins, open_digests=self._open_digests)
        save_lock(root, lock)
        return (*(str(problem) for problem in looked.problems), *pinned.remarks())

    def _push(self, branch: _Branch, offer: SampleOffer, sha: str) -> None:
        mirror, url = branch.mirror.path, offer.repository
        try:
            push_branch(self._program, mirror, url, sha=sha, base=branch.sha, branch=offer.branch)
        except OperatorError as error:
            raise OperatorError(
                f"the branch {offer.branch} cannot be pushed: {error.message}",
                remedy='let its credentials write there (of a GitHub App: "Contents: write"), '
                'or set sample_updates = "off"',
            ) from error

    def _open(self, branch: _Branch, update: Update, offer: SampleOffer, unlocked: Sequence[str]) -> str:
        """The page of the pull request; '' where there is none."""
        forge = self._proposing(offer.repository)
        if forge is None or branch.settings.sample_updates != "pull-request":
            return ""
        proposal = Proposal(
            branch=offer.branch,
            base=branch.ref.removeprefix(_HEADS),
            title=title(update),
            text=proposal_text(update, unlocked=unlocked),
        )
        try:
            return forge.open_pull_request(offer.repository, proposal)
        except OperatorError as error:
            raise OperatorError(
                f"the branch {offer.branch} is pushed, and no pull request can be opened: {error.message}",
                remedy='let its credentials open some ("Pull requests: write"), '
                'or set sample_updates = "branch"',
            ) from error

    def _conclude(
        self, offer: SampleOffer, state: OfferState, *, page: str = "", note: str = ""
    ) -> SampleOffer:
        self._offers.conclude(offer, state, page=page, note=note)
        self._journal.info(
            f"sample.{state}",
            repository=offer.repository,
            subscription=offer.name,
            version=offer.version,
            branch=offer.branch if state == "offered" else "",
            page=page,
            note=note,
        )
        done = self._offers.get(offer.repository, offer.name, offer.version)
        assert done is not None
        return done


def _why(error: WindlassError) -> str:
    """In one line."""
    if isinstance(error, AuthorError):
        return "; ".join(f"{problem.path}: {problem.message}" for problem in error.problems)
    return str(error)
