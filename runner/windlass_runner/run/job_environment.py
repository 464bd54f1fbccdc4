"""The environment of a job's containers: GitHub's variables, ours beside them, and the author's."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any, Final

from windlass_runner.plan.model import PlannedJob
from windlass_runner.run.scratch import CHECKPOINT, CONTROL, INPUTS, OUTPUTS, TOOLS, WORKSPACE

_FILES: Final = {
    "OUTPUT": "output",
    "ENV": "env",
    "PATH": "path",
    "STEP_SUMMARY": "summary",
    "STATE": "state",
}
_ARCHITECTURES: Final = {"x86_64": "X64", "aarch64": "ARM64", "arm64": "ARM64", "armv7l": "ARM"}


def base_environment(github: Mapping[str, Any], job: PlannedJob) -> dict[str, str]:
    """What every step of a job finds.

    Source: https://docs.github.com/actions/reference/variables-reference
    """
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": str(github["actor"]),
        "GITHUB_API_URL": str(github["api_url"]),
        "GITHUB_BASE_REF": str(github["base_ref"]),
        "GITHUB_EVENT_NAME": str(github["event_name"]),
        "GITHUB_EVENT_PATH": f"{CONTROL}/event.json",
        "GITHUB_GRAPHQL_URL": str(github["graphql_url"]),
        "GITHUB_HEAD_REF": str(github["head_ref"]),
        "GITHUB_JOB": job.job_id,
        "GITHUB_REF": str(github["ref"]),
        "GITHUB_REF_NAME": str(github["ref_name"]),
        "GITHUB_REF_TYPE": str(github["ref_type"]),
        "GITHUB_REPOSITORY": str(github["repository"]),
        "GITHUB_REPOSITORY_OWNER": str(github["repository_owner"]),
        "GITHUB_RUN_ATTEMPT": str(github["run_attempt"]),
        "GITHUB_RUN_ID": str(github["run_id"]),
        "GITHUB_RUN_NUMBER": str(github["run_number"]),
        "GITHUB_SERVER_URL": str(github["server_url"]),
        "GITHUB_SHA": str(github["sha"]),
        "GITHUB_TRIGGERING_ACTOR": str(github["triggering_actor"]),
        "GITHUB_WORKFLOW": str(github["workflow"]),
        "GITHUB_WORKFLOW_REF": str(github["workflow_ref"]),
        "GITHUB_WORKFLOW_SHA": str(github["workflow_sha"]),
        "GITHUB_WORKSPACE": WORKSPACE,
        "RUNNER_ARCH": _ARCHITECTURES.get(platform.machine(), "X64"),
        "RUNNER_ENVIRONMENT": "self-hosted",
        "RUNNER_NAME": "windlass",
        "RUNNER_OS": "Linux",
        "RUNNER_TEMP": f"{CONTROL}/temp",
        "RUNNER_TOOL_CACHE": TOOLS,
        "WINDLASS": "true",
        "WINDLASS_RUN_ID": str(github["run_id"]),
        "WINDLASS_JOB": job.key,
        "WINDLASS_WORKSPACE": WORKSPACE,
        "WINDLASS_INPUTS": INPUTS,
        "WINDLASS_OUTPUTS": OUTPUTS,
        "WINDLASS_METRICS": f"{CONTROL}/metrics.jsonl",
        "WINDLASS_CHECKPOINT_DIR": CHECKPOINT,
    }


def step_files(number: int) -> dict[str, str]:
    """The variables that name a step's command files, each under both of its names."""
    found: dict[str, str] = {}
    for name, file in _FILES.items():
        path = f"{CONTROL}/steps/{number}/{file}"
        found[f"GITHUB_{name}"] = path
        found[f"WINDLASS_{name}"] = path
    return found


COMMAND_FILES: Final = tuple(_FILES.values())
