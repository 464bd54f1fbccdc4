from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass_registry.refs import GitRef, LocalRef, RefError, RegistryRef, as_inside_git, parse_uses
from windlass_registry.versions import Digest, VersionRange


def registry(text: str) -> RegistryRef:
    ref = parse_uses(text)
    assert isinstance(ref, RegistryRef)
    return ref


def test_a_name_and_a_version_name_a_package_of_the_default_registry() -> None:
    assert registry("container@v1") == RegistryRef(name="container", version=VersionRange.parse("v1"))


def test_namespace_and_host_are_told_apart() -> None:
    assert (registry("acme/train@^1.2").host, registry("acme/train@^1.2").full_name) == (None, "acme/train")
    full = registry("registry.example.org:8470/acme/train@1.x")
    assert (full.host, full.namespace, full.name) == ("registry.example.org:8470", "acme", "train")
    assert registry("localhost/train@v1").host == "localhost"


def test_a_digest_is_taken_as_it_is() -> None:
    assert registry("train@sha256:" + "0" * 64).version == Digest(text="sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("./tools/train", "tools/train"),
        ("$/tools/train", "tools/train"),
        ("./", ""),
        (".", ""),
        ("$", ""),
        ("$/", ""),
        ("./a//b/./c/", "a/b/c"),
        ("./.github/actions/x", ".github/actions/x"),
    ],
)
def test_a_folder_of_the_repository(text: str, path: str) -> None:
    assert parse_uses(text) == LocalRef(path=path)


@pytest.mark.parametrize(
    ("text", "url", "path", "ref"),
    [
        ("github.com/actions/checkout@v4", "https://github.com/actions/checkout", "", "v4"),
        ("acme/tools@" + "a" * 40, "https://github.com/acme/tools", "", "a" * 40),
        ("acme/tools/ci/lint@" + "0" * 40, "https://github.com/acme/tools", "ci/lint", "0" * 40),
        ("github.com/acme/tools/ci/lint@main", "https://github.com/acme/tools", "ci/lint", "main"),
        ("git+https://git.example.org/t.git@1.0", "https://git.example.org/t.git", "", "1.0"),
        ("git+https://git.example.org/t.git/a/b@1.0", "https://git.example.org/t.git", "a/b", "1.0"),
        ("git+ssh://git@example.org/t.git@main", "ssh://git@example.org/t.git", "", "main"),
        ("git+file:///srv/git/t.git@feature/x", "file:///srv/git/t.git", "", "feature/x"),
    ],
)
def test_a_git_source(text: str, url: str, path: str, ref: str) -> None:
    assert parse_uses(text) == GitRef(url=url, path=path, ref=ref)


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("train", "'train' names no version", "such as 'train@v1'"),
        ("train@", "'train@' names no version", "such as 'train@v1'"),
        ("train@main", "'main' is not a version", "write one of v1"),
        ("octo/lint@main", "'main' is not a version", "github.com/octo/lint@main"),
        ("octo/lint@" + "a" * 39, "is not a version", "for GitHub's write 'github.com/"),
        ("lint@" + "a" * 40, "is not a version", "write one of"),
        ("registry.example.org/octo/lint@" + "a" * 40, "is not a version", "write one of"),
        (
            "actions/checkout@" + "a" * 40,
            "unknown action 'actions/checkout@",
            "the commit lies in /workspace",
        ),
        ("octo/tools/lint@v3", "is not a reference", "copy the action into a folder"),
        ("octo/ci/.github/workflows/x.yml@v1", "is not a reference", "a workflow is not an action"),
        ("train@sha256:abc", "64 lower-case", "write one of"),
        ("docker://alpine:3", "an image is not an action", "'image: alpine:3'"),
        ("./../x", "goes upwards", "without '..'"),
        ("../x", "outside the repository", "./path"),
        ("/etc", "outside the repository", "./path"),
        ("./a\\b", "backslash", "'/'"),
        ("", "no action is named", "script@v1"),
        ("${{ matrix.action }}", "an expression cannot", "'if'"),
        ("a b@v1", "not a reference", "without spaces"),
        ("-x@v1", "not a reference", "name@version"),
        ("a/b/c/d@v1", "not a reference", "copy the action"),
        ("github.com/owner@v1", "names no repository", "owner/repository"),
        ("github.com/owner/repo", "names no commit", "end it with '@'"),
        ("git+https://h/r.git@--upload-pack=x", "not a git ref", None),
        ("git+ext://sh@v1", "is no git address", "git+https"),
    ],
)
def test_what_names_no_action_says_what_to_write(text: str, message: str, remedy: str | None) -> None:
    with pytest.raises(RefError) as caught:
        parse_uses(text)
    assert message in caught.value.message
    assert (remedy is None) or remedy in (caught.value.remedy or "")


@given(st.text(max_size=60))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        ref = parse_uses(text)
    except RefError:
        return
    assert not (isinstance(ref, LocalRef) and ".." in ref.path.split("/"))


@pytest.mark.parametrize(
    ("text", "url", "path", "name"),
    [
        ("github.com/a/b@v1", "https://github.com/a/b", "", "github.com/a/b"),
        ("github.com/a/b/c/d@v1", "https://github.com/a/b", "c/d", "github.com/a/b/c/d"),
        ("git+https://h/x.git/p@v1", "https://h/x.git", "p", "git+https://h/x.git/p"),
        ("git+https://h/x//p/q@v1", "https://h/x", "p/q", "git+https://h/x//p/q"),
        ("git+ssh://git@h/x//p@refs/heads/main", "ssh://git@h/x", "p", "git+ssh://git@h/x//p"),
        ("git+file:///srv/x@v1", "file:///srv/x", "", "git+file:///srv/x"),
    ],
)
def test_a_git_source_has_an_address_a_folder_and_a_name(text: str, url: str, path: str, name: str) -> None:
    ref = parse_uses(text)
    assert isinstance(ref, GitRef)
    assert (ref.url, ref.path, ref.name, ref.source) == (url, path, name, f"git+{url}")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("actions/cache@v4", "github.com/actions/cache@v4"),
        ("actions/cache/save@v4", "github.com/actions/cache/save@v4"),
        ("$/sub", "github.com/acme/x/sub@v2"),
        ("./sub", "./sub"),
        ("script@v1", "script@v1"),
        ("github.com/a/b@v1", "github.com/a/b@v1"),
        ("registry.example.org/a/b@v1", "registry.example.org/a/b@v1"),
        ("docker://alpine:3", "docker://alpine:3"),
    ],
)
def test_inside_a_git_source_names_are_githubs(text: str, meaning: str) -> None:
    around = parse_uses("github.com/acme/x/tool@v2")
    assert isinstance(around, GitRef)
    assert as_inside_git(text, around) == meaning
