"""What the settings let run, in a line for `windlass doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from windlass_registry.policy import Policy
from windlass_runner.commands.checks import Check


def check_policy(policy: Policy, *, images: Sequence[tuple[str, str]] = ()) -> Check:
    """Every rule that keeps something out. `images`: what the settings name, with their keys: no lock pins
    these, so a rule that asks for a lock keeps out what runs in them."""
    text = "; ".join(_rules(policy)) or "everything may run"
    loose = [f"{key} ({image})" for key, image in images if "@sha256:" not in image]
    if not policy.require_lock or not loose:
        return Check(name="policy", state="ok", text=text)
    remedy = f"write {' and '.join(loose)} with its digest (x@sha256:…): jobs that run in it are refused"
    return Check(name="policy", state="warn", text=text, remedy=remedy)


def _rules(policy: Policy) -> Iterator[str]:
    if policy.namespaces is not None:
        yield f"actions of {_listed(policy.namespaces)}"
    if policy.require_signatures:
        yield "signed actions only"
    if policy.require_lock:
        yield "locked actions and images only"
    if policy.yanked == "refuse":
        yield "nothing yanked"
    if policy.moved_tags == "refuse":
        yield "no git tag that was moved"
    if policy.refuse_advisories is not None:
        yield f"nothing with a security notice ({policy.refuse_advisories} or worse)"
    if policy.git_sources is not None:
        yield f"git sources below {_listed(policy.git_sources)}" if policy.git_sources else "no git sources"
    if policy.image_registries is not None:
        yield f"images of {_listed(policy.image_registries)}"


def _listed(names: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "nobody"
