"""What all containers of one attempt share, and the specification of each."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from windlass_runner.engines.base import ContainerSpec, HealthCheck, Lane, Limits, Mount
from windlass_runner.run.job_environment import step_files
from windlass_runner.run.scratch import WORKSPACE
from windlass_runner.run.session import driver_command
from windlass_runner.run.step_host import ReadyStep
from windlass_runner.workflow.model import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What all containers of an attempt share."""

    name: str
    run_id: str
    lane: Lane
    image: str
    env: Mapping[str, str]
    mounts: tuple[Mount, ...]
    limits: Limits
    is_single: bool
    """One command, so one container: no session is needed."""

    def spec(self, step: ReadyStep, *, name: str) -> ContainerSpec:
        """The container of a step of its own."""
        return ContainerSpec(
            name=name,
            run_id=self.run_id,
            lane=self.lane,
            image=step.command.image or self.image,
            entrypoint=step.command.entrypoint,
            command=step.command.arguments,
            env={**step.env, **step_files(step.number)},
            mounts=(*self.mounts, *step.command.mounts),
            workdir=working_directory(step),
            limits=self.limits,
        )

    def session_spec(self) -> ContainerSpec:
        """The container that runs one step after the other."""
        return ContainerSpec(
            name=self.name,
            run_id=self.run_id,
            lane=self.lane,
            image=self.image,
            entrypoint=driver_command(),
            command=(),
            env=self.env,
            mounts=self.mounts,
            workdir=WORKSPACE,
            limits=self.limits,
        )

    def service_spec(self, service: Service) -> ContainerSpec:
        """A service beside the job. Its texts have no expressions left."""
        health = None
        if service.health_command is not None:
            health = HealthCheck(
                command=service.health_command,
                interval_s=service.health_interval_s,
                timeout_s=service.health_timeout_s,
                retries=service.health_retries,
            )
        return ContainerSpec(
            name=f"{self.name}-{service.name}",
            run_id=self.run_id,
            lane=self.lane,
            image=service.image,
            command=service.command or None,
            env={name: str(value) for name, value in service.env.items()},
            service_alias=service.name,
            health=health,
        )


def working_directory(step: ReadyStep) -> str:
    """Where a step runs, as its container sees it."""
    return posixpath.normpath(posixpath.join(WORKSPACE, step.command.working_directory or ""))
