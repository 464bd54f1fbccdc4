from __future__ import annotations

import pytest

from windlass_registry.policy import Policy, image_repository
from windlass_registry.refs import GitRef, RegistryRef, parse_uses


def git(uses: str) -> GitRef:
    ref = parse_uses(uses)
    assert isinstance(ref, GitRef)
    return ref


def registry(uses: str) -> RegistryRef:
    ref = parse_uses(uses)
    assert isinstance(ref, RegistryRef)
    return ref


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("python", "docker.io/library/python"),
        ("python:3.12-slim", "docker.io/library/python"),
        ("acme/train:1", "docker.io/acme/train"),
        ("index.docker.io/acme/train", "docker.io/acme/train"),
        ("ghcr.io/acme/train@sha256:" + "0" * 64, "ghcr.io/acme/train"),
        ("localhost:5000/train:1", "localhost:5000/train"),
        ("localhost/train", "localhost/train"),
    ],
)
def test_the_full_name_of_an_image(image: str, name: str) -> None:
    assert image_repository(image) == name


def test_images_come_from_the_registries_that_are_allowed() -> None:
    policy = Policy(image_registries=("ghcr.io/acme", "docker.io/library/python"))
    assert policy.refuses_image("ghcr.io/acme/train:1") is None
    assert policy.refuses_image("python:3.12") is None
    assert policy.refuses_image("ghcr.io/acme-evil/train:1") is not None
    assert "docker.io/library" in (policy.refuses_image("ubuntu") or "")
    assert Policy().refuses_image("anything/else") is None


def test_namespaces_are_allowed_by_name_or_with_their_registry() -> None:
    policy = Policy(namespaces=frozenset({"acme", "r.example.org/tools"}))
    assert policy.refuses_namespace(registry("acme/train@v1")) is None
    assert policy.refuses_namespace(registry("r.example.org/tools/x@v1")) is None
    assert policy.refuses_namespace(registry("train@v1")) is None
    assert "'tools'" in (policy.refuses_namespace(registry("tools/x@v1")) or "")


@pytest.mark.parametrize(
    ("uses", "is_refused"),
    [
        ("github.com/acme/x@v1", False),
        ("github.com/acme-evil/x@v1", True),
        ("git+https://github.com/acme/../evil/x@v1", True),
        ("git+https://github.com/acme/%2e%2e/evil/x@v1", True),
        ("git+https://git.example.org/only.git@v1", False),
        ("git+https://git.example.org/only.git/path@v1", False),
        ("git+https://git.example.org/only-not@v1", True),
        ("git+file:///srv/git/x.git@v1", True),
    ],
)
def test_git_sources_begin_as_it_is_allowed(uses: str, *, is_refused: bool) -> None:
    policy = Policy(git_sources=("https://github.com/acme/", "https://git.example.org/only"))
    assert (policy.refuses_git(git(uses)) is not None) is is_refused


def test_no_git_sources_at_all() -> None:
    assert "no actions from git" in (Policy(git_sources=()).refuses_git(git("github.com/a/b@v1")) or "")
