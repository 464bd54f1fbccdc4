"""What is wrong with repositories and credentials, gathered from those that notice. For `daemon.health`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from windlass_runner.daemon.health import RepositoryHealth
from windlass_runner.daemon.intake import Intake
from windlass_runner.daemon.poller import Poller
from windlass_runner.daemon.posting import Posting
from windlass_runner.daemon.reconciling import Reconciling
from windlass_runner.daemon.sample_updates import SampleUpdates
from windlass_runner.daemon.schedules import Schedules

if TYPE_CHECKING:
    from windlass_runner.forges.github.forge import GitHub


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """`github` and `reconciling` are None where no repository of GitHub is watched."""

    poller: Poller
    intake: Intake
    posting: Posting
    github: GitHub | None
    reconciling: Reconciling | None
    schedules: Schedules
    sample_updates: SampleUpdates

    def of_repositories(self) -> list[RepositoryHealth]:
        """Each watched repository, also where nothing is wrong."""
        intake, posting, missed = self.intake.troubles(), self.posting.errors(), self._missed()
        unscheduled, unoffered = self.schedules.troubles(), self.sample_updates.troubles()
        comments = self.github.refused_comments() if self.github is not None else {}
        return [
            RepositoryHealth(
                name=state.name,
                url=state.url,
                polled_at=state.polled_at,
                poll_error=state.error,
                intake_error=intake.get(state.url),
                post_error=posting.get(state.url),
                comment_error=comments.get(state.url),
                reconcile_error=missed.get(state.name),
                schedule_error=unscheduled.get(state.url),
                sample_error=unoffered.get(state.url),
            )
            for state in self.poller.states()
        ]

    def of_credentials(self) -> dict[str, str]:
        """What is wrong with some of them, by their names."""
        names = {state.name for state in self.poller.states()}
        return {name: error for name, error in self._missed().items() if name not in names}

    def _missed(self) -> dict[str, str]:
        return self.reconciling.errors() if self.reconciling is not None else {}
