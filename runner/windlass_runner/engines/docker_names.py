"""How what we make in a Docker engine is called and labelled, so that it can be found again."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from windlass_runner.engines.base import Lane

RUN_LABEL = "windlass.run"
NAME_LABEL = "windlass.name"
LANE_LABEL = "windlass.lane"
OWNER_LABEL = "windlass.owner"
SPARE_LABEL = "windlass.spare"
"""On what was made before anybody knew for which run. Labels cannot be changed, but a container's name
can: a spare sandbox is claimed by giving it the name of the lane that it serves from then on."""

_SPARE = "windlass-spare-"

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def safe_name(text: str) -> str:
    """`text` where Docker takes it as part of a name; else a readable rest and a hash of it."""
    safe = _UNSAFE.sub("-", text)
    if safe == text and 0 < len(safe) <= 60:
        return safe
    return f"{safe[:40]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def network_name(run_id: str, lane: Lane) -> str:
    """Private lanes have a network each; the others share the run's."""
    name = f"windlass-{safe_name(run_id)}"
    return f"{name}-{safe_name(lane.name)}" if lane.is_private else name


def sandbox_name(run_id: str, lane: Lane) -> str:
    return f"windlass-{safe_name(run_id)}.{safe_name(lane.name)}-sandbox"


def can_claim(run_id: str) -> bool:
    """Whether the run can be read off its sandboxes' names again."""
    return "." not in run_id and safe_name(run_id) == run_id


def claimant(sandbox: str) -> str | None:
    """The run that has claimed the spare sandbox of this name; None: nobody yet."""
    run_id, dot, _ = sandbox.removeprefix("windlass-").partition(".")
    return run_id if dot else None


def sandboxes_filter(run_id: str) -> str:
    """The `filters` of a list call: all sandboxes of that run, which `can_claim`."""
    return json.dumps({"name": [f"^/windlass-{re.escape(run_id)}\\."]})


def spare_name() -> str:
    """For a network and the sandbox in it."""
    return f"{_SPARE}{uuid.uuid4().hex[:12]}"


def is_spare(network: str) -> bool:
    """Whether this network was made as a spare (claimed or not)."""
    return network.startswith(_SPARE)


def listed_name(item: Mapping[str, Any]) -> str:
    """The name of a container in the engine's list; one that is just going may have none."""
    return str(next(iter(item["Names"] or ()), "")).lstrip("/")


def label_filter(*labels: str) -> str:
    """The `filters` of a list call: everything that carries all these labels (`key` or `key=value`)."""
    return json.dumps({"label": list(labels)})
