"""Where everything of the daemon is made and joined: the one place that knows all the parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version

from windlass_registry.store import Store
from windlass_runner.daemon.approvals import Approvals
from windlass_runner.daemon.fittings import make_host, make_links, make_retention, make_sample_updates
from windlass_runner.daemon.forge_commands import ForgeCommands
from windlass_runner.daemon.forge_events import ForgeEvents
from windlass_runner.daemon.forges import Forges
from windlass_runner.daemon.git_access import git_environment
from windlass_runner.daemon.health import Health
from windlass_runner.daemon.host import EngineHealth, open_engine
from windlass_runner.daemon.instance import sole_instance
from windlass_runner.daemon.intake import Intake
from windlass_runner.daemon.journal import Journal
from windlass_runner.daemon.listener import GATHER_S, Listener
from windlass_runner.daemon.package_sources import open_catalog, watch_tags
from windlass_runner.daemon.planning import CommitPlanning
from windlass_runner.daemon.poller import Poller
from windlass_runner.daemon.posting import Posting
from windlass_runner.daemon.pushes import Pushes
from windlass_runner.daemon.reconciling import Reconciling
from windlass_runner.daemon.registries import open_registries
from windlass_runner.daemon.requests import Requested
from windlass_runner.daemon.sample_sources import open_samples
from windlass_runner.daemon.sample_updates import offered_last
from windlass_runner.daemon.scheduled_runs import ScheduledRuns
from windlass_runner.daemon.schedules import Schedules, due_next
from windlass_runner.daemon.settings import Settings
from windlass_runner.daemon.starting import Starting, sweep
from windlass_runner.daemon.status import compose_status
from windlass_runner.daemon.troubles import Troubles
from windlass_runner.daemon.webhooks import Webhooks
from windlass_runner.daemon.worker import Worker
from windlass_runner.engines.base import Engine
from windlass_runner.forges.git import Git
from windlass_runner.forges.git_program import GitProgram
from windlass_runner.forges.plain_git import PlainGit
from windlass_runner.ledger.ledger import Ledger
from windlass_runner.plan.compile import PlanOptions
from windlass_runner.run.conductor import Conductor
from windlass_runner.run.storage import Storage
from windlass_runner.run.workspace import Mirror
from windlass_runner.web.links import Links, run_url

FIRST_POLL_S = 5.0
_SWEEP_EVERY_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """The running parts. `start` and `stop` are called once each, by `daemon.server`."""

    webhooks: Webhooks
    health: Health
    ledger: Ledger
    links: Links | None
    _poller: Poller
    _intake: Intake
    _schedules: Schedules
    _posting: Posting
    _conductor: Conductor
    _starting: Starting
    _workers: tuple[Worker, ...]
    _exits: ExitStack

    def start(self) -> None:
        """Take up what an earlier life left, then begin to watch."""
        count = self._starting.take_up()
        Journal("daemon").info("daemon.starts", unfinished_runs=count)
        for worker in self._workers:
            worker.start()
        self._poller.wait_first(FIRST_POLL_S)

    def stop(self) -> None:
        """Take nothing in any more, let go of the runs (containers run on), post what is due."""
        for worker in self._workers:
            worker.stop()
        self._poller.close()
        self._intake.close()
        self._schedules.close()
        self._conductor.close()
        for worker in self._workers:
            worker.join(2.0)
        self._posting.close(2.0)
        self._exits.close()


def wire(
    settings: Settings, environ: Mapping[str, str], *, engine: Engine | None = None, url: str | None = None
) -> Daemon:
    """Make a daemon, not yet started. `engine`: that one in place of the settings' (for tests).

    Raises:
        StorageUnwritable, and all that a `Ledger` raises: it cannot be now.
        OperatorError: another daemon holds the storage.
    """
    exits = ExitStack()
    try:
        storage = Storage(settings.storage.path)
        exits.enter_context(sole_instance(storage.root))
        urls = [repository.url for repository in settings.repositories]
        forges = Forges(settings, environ)
        environment = git_environment(environ, root=storage.root, urls=urls)
        git = Git(environment=environment, login=forges.git_login)
        program = GitProgram(environment=environment, login=forges.git_login)
        ledger = Ledger.open(settings.storage.database or storage.ledger)
        exits.callback(ledger.close)
        host = engine or open_engine(settings.hosts[0], storage, environ)
        exits.callback(host.close)
        return _join(settings, environ, storage, forges, git, program, ledger, host, exits)
    except BaseException:
        exits.close()
        raise


def _join(
    settings: Settings,
    environ: Mapping[str, str],
    storage: Storage,
    forges: Forges,
    git: Git,
    program: GitProgram,
    ledger: Ledger,
    engine: Engine,
    exits: ExitStack,
) -> Daemon:
    clock = time.time
    mirror_of = lru_cache(maxsize=None)(lambda url: Mirror(git, storage.root, url))
    packages = Store(storage.packages)
    conductor = Conductor(make_host(settings, environ, storage, ledger, engine, packages, mirror_of))
    workers: dict[str, Worker] = {}

    def wake(name: str) -> Callable[[], None]:
        return lambda: workers[name].wake()

    starting = Starting(
        ledger=ledger, conductor=conductor, check_engine=engine.facts, wake_self=wake("starting")
    )
    options = PlanOptions(
        instance_types=settings.instance_types,
        node_images=settings.actions.node_images,
        default_image=settings.runner.default_image or PlanOptions().default_image,
        has_images=settings.hosts[0].engine != "process",
    )
    registries = open_registries(
        settings.registries, storage=storage, packages=packages, clock=lambda: datetime.now(UTC)
    )
    tags = watch_tags(environ, on_new=wake("tags"))
    catalog = open_catalog(environ, storage=storage, packages=packages, registries=registries, tags=tags)
    pushes = Pushes(
        ledger=ledger,
        git=git,
        mirror_of=mirror_of,
        plan=CommitPlanning(
            git=git,
            packages=packages,
            catalog=catalog,
            options=options,
            policy=settings.policy,
        ),
        shows_skipped=lambda url: any(
            repository.url == url and repository.forge != "git" for repository in settings.repositories
        ),
        clock=clock,
    )
    approvals = Approvals(ledger=ledger, clock=clock)
    forge_events = ForgeEvents(
        ledger=ledger, git=git, mirror_of=mirror_of, pushes=pushes, approvals=approvals, clock=clock
    )
    watched = {repository.url: repository.name for repository in settings.repositories}
    schedules = Schedules(
        watched=watched,
        ledger=ledger,
        git=git,
        mirror_of=mirror_of,
        runs=ScheduledRuns(ledger=ledger, git=git, pushes=pushes, clock=clock),
        starting=starting,
        clock=clock,
        wake_self=wake("schedules"),
    )
    intake = Intake(
        inbox=ledger.inbox,
        pushes=pushes,
        forge_events=forge_events,
        forge_commands=ForgeCommands(
            ledger=ledger, approvals=approvals, events=forge_events, asked=forges.asked, clock=clock
        ),
        requests=ledger.requests,
        starting=starting,
        watched=frozenset(watched),
        clock=clock,
        wake_self=wake("intake"),
        on_moved=schedules.note_moved,
    )
    poller = Poller(
        repositories=settings.repositories,
        git=git,
        ledger=ledger,
        clock=clock,
        monotonic=time.monotonic,
        wake_intake=wake("intake"),
        wake_self=wake("poller"),
    )
    links = make_links(settings, storage)
    plain = PlainGit(
        git=git,
        write_through_mirror=lambda url, sha, text: mirror_of(url).update_note(sha, lambda _present: text),
    )
    posting = Posting(
        outbox=ledger.outbox,
        compose=lambda repository, sha: compose_status(
            ledger,
            repository,
            sha,
            url_of=lambda run: None if links is None else run_url(links, run),
            at=clock(),
            checks=forges.checks(repository, storage, links),
            links=links,
        ),
        forge_of=lambda repository: forges.of(repository, plain=plain),
        clock=clock,
        wake_self=wake("posting"),
    )
    requested = Requested(
        ledger=ledger,
        conductor=conductor,
        starting=starting,
        pushes=pushes,
        repositories=settings.repositories,
        mirror_of=mirror_of,
        git=git,
        approvals=approvals,
        is_leaving=lambda run_id: storage.leaving(run_id).exists(),
        clock=clock,
    )
    retention = make_retention(settings, storage, git, ledger, mirror_of)
    sample_updates = make_sample_updates(
        settings,
        environ,
        storage=storage,
        ledger=ledger,
        git=git,
        program=program,
        mirror_of=mirror_of,
        sources=open_samples(registries),
        catalog=catalog,
        proposing=forges.proposing,
    )
    listener = Listener(ledger, wakes=(wake("posting"), wake("requests")))
    turns: dict[str, Callable[[], float | None]] = {
        "intake": intake.turn,
        "poller": poller.turn,
        "posting": posting.turn,
        "requests": requested.turn,
        "starting": starting.turn,
        "listener": listener.turn,
        "sweeper": lambda: _sweep(engine, ledger, storage),
        "retention": retention.turn,
        "schedules": schedules.turn,
        "tags": tags.turn,
        "sample-updates": sample_updates.turn,
    }
    reconciling: Reconciling | None = None
    if forges.github is not None:
        reconciling = Reconciling(
            github=forges.github,
            repositories=settings.repositories,
            ledger=ledger,
            clock=clock,
            monotonic=time.monotonic,
            wake_intake=wake("intake"),
        )
        turns["reconciling"] = reconciling.turn
    troubles = Troubles(
        poller=poller,
        intake=intake,
        posting=posting,
        github=forges.github,
        reconciling=reconciling,
        schedules=schedules,
        sample_updates=sample_updates,
    )
    paces_s = {"intake": GATHER_S}  # deliveries by the thousand are not looked for one by one
    workers.update({name: Worker(name, turn, pace_s=paces_s.get(name, 0.0)) for name, turn in turns.items()})
    return Daemon(
        webhooks=Webhooks(
            repositories=settings.repositories,
            environ=environ,
            inbox=ledger.inbox,
            clock=clock,
            wake=wake("intake"),
            github_address=lambda number: (
                forges.github.address_of(number) if forges.github is not None else None
            ),
        ),
        health=Health(
            version=version("windlass"),
            storage=storage.root,
            ledger=ledger,
            workers=workers.values(),
            repositories=troubles.of_repositories,
            credentials=troubles.of_credentials,
            engine=EngineHealth(engine).answer,
            active=lambda: len(conductor.active()),
            backlog=posting.backlog,
            retained=retention.state,
            schedules=lambda: due_next(ledger, watched),
            sample_updates=lambda: offered_last(ledger, watched),
        ),
        ledger=ledger,
        links=links,
        _poller=poller,
        _intake=intake,
        _schedules=schedules,
        _posting=posting,
        _conductor=conductor,
        _starting=starting,
        _workers=tuple(workers.values()),
        _exits=exits,
    )


def _sweep(engine: Engine, ledger: Ledger, storage: Storage) -> float:
    removed = sweep(engine, ledger, storage)
    if removed:
        Journal("sweeper").info("host.swept", runs=" ".join(removed))
    return _SWEEP_EVERY_S
