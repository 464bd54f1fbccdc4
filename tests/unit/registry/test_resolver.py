from __future__ import annotations

import pytest

from unit.registry.packages import catalog, digest_of, folders, release, using
from windlass_registry.catalog import Catalog
from windlass_registry.errors import AuthorError
from windlass_registry.index import Index, Release
from windlass_registry.lock import LockFile, Pin
from windlass_registry.resolver import ResolutionError, resolve

NO_FOLDERS = folders()


def failure(*uses: str, among: Catalog, lock: LockFile | None = None, **manifests: str) -> ResolutionError:
    with pytest.raises(ResolutionError) as caught:
        resolve(uses, catalog=among, lock=lock, local=folders(**manifests))
    return caught.value


def test_a_range_means_its_newest_release() -> None:
    among = catalog(*(release("train", each) for each in ("1.0.0", "1.10.0", "1.9.0", "2.0.0")))
    action = resolve(["train@v1"], catalog=among, local=NO_FOLDERS).actions["train@v1"]
    assert (action.name, action.version, action.digest) == ("train", "1.10.0", digest_of("train", "1.10.0"))
    assert action.source == "builtin"


def test_a_yanked_release_is_not_chosen() -> None:
    among = catalog(release("train", "1.0.0"), release("train", "1.1.0", yanked="broken"))
    assert resolve(["train@v1"], catalog=among, local=NO_FOLDERS).actions["train@v1"].version == "1.0.0"


def test_an_exact_version_gets_a_yanked_release_with_a_warning() -> None:
    among = catalog(release("train", "1.1.0", yanked="broken"))
    lock = resolve(["train@v1.1.0"], catalog=among, local=NO_FOLDERS)
    assert lock.actions["train@v1.1.0"].version == "1.1.0"
    assert lock.warnings == ("train 1.1.0 was yanked by its publisher: broken",)


def test_a_digest_means_those_bytes() -> None:
    among = catalog(release("train", "1.0.0"), release("train", "1.1.0"))
    uses = "train@" + digest_of("train", "1.0.0")
    assert resolve([uses], catalog=among, local=NO_FOLDERS).actions[uses].version == "1.0.0"


def test_what_composite_actions_use_is_resolved_to_the_end() -> None:
    among = catalog(
        release("a", "1.0.0", manifest=using("b@v1", "./tool")),
        release("b", "1.0.0", manifest=using("c@^1")),
        release("c", "1.2.0"),
    )
    lock = resolve(["a@v1"], catalog=among, local=folders(tool=using("c@v1")))
    assert list(lock.actions) == ["./tool", "a@v1", "b@v1", "c@^1", "c@v1"]


def test_an_action_used_twice_is_no_circle() -> None:
    among = catalog(
        release("a", "1.0.0", manifest=using("b@v1", "c@v1", "b@v1")),
        release("b", "1.0.0", manifest=using("c@v1")),
        release("c", "1.0.0"),
    )
    assert len(resolve(["a@v1", "b@v1"], catalog=among, local=NO_FOLDERS).actions) == 3


def test_actions_that_use_each_other_in_a_circle_are_refused() -> None:
    among = catalog(
        release("a", "1.0.0", manifest=using("b@v1")), release("b", "1.0.0", manifest=using("a@v1.0"))
    )
    error = failure("a@v1", among=among)
    assert error.uses == "a@v1"
    assert "a@v1 → b@v1 → a@v1.0" in error.message


def test_a_local_action_that_uses_itself_is_refused() -> None:
    assert "./x → ./x" in failure("./x", among=catalog(), x=using("./x")).message
    assert "./x → $/x" in failure("./x", among=catalog(), x=using("$/x")).message


def test_a_very_long_row_of_actions_is_refused() -> None:
    manifests = {f"a{number}": using(f"./a{number + 1}") for number in range(40)}
    assert "in a row" in failure("./a0", among=catalog(), **manifests).message


def test_an_unknown_action_is_met_with_the_nearest_name() -> None:
    error = failure("trian@v1", among=catalog(release("train", "1.0.0")))
    assert (error.message, error.remedy) == ("unknown action 'trian@v1'", "did you mean 'train@v1'?")
    assert error.exit_code == 2


def test_an_unknown_action_far_from_all_names_is_met_with_the_names() -> None:
    error = failure("zzz@v1", among=catalog(release("train", "1.0.0"), release("script", "1.0.0")))
    assert error.remedy == "known here: script, train"


def test_checkout_of_github_gets_a_hint() -> None:
    assert "/workspace" in (failure("actions/checkout@v4", among=catalog()).remedy or "")


def test_a_range_without_a_release_says_which_there_are() -> None:
    releases = [
        *(release("train", f"1.{n}.0") for n in range(12)),
        release("train", "0.9.0", yanked="broken"),
    ]
    error = failure("train@v2", among=catalog(*releases))
    assert error.message == "no release of 'train' matches 'v2'"
    assert error.remedy == (
        "write 'train@v1'; there are: "
        "1.11.0, 1.10.0, 1.9.0, 1.8.0, 1.7.0, 1.6.0, 1.5.0, 1.4.0, 1.3.0, 1.2.0 and 3 more"
    )


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        ("github.com/acme/x@v1", "from git repositories cannot be fetched here"),
        ("git+https://h/x.git@v1", "from git repositories cannot be fetched here"),
        ("registry.example.org/acme/x@v1", "the settings name no registry"),
        ("./nothing", "no folder './nothing'"),
        ("x", "names no version"),
    ],
)
def test_what_cannot_be_resolved_says_why_and_what_to_do(uses: str, message: str) -> None:
    error = failure(uses, among=catalog())
    assert (error.uses, message in error.message, bool(error.remedy)) == (uses, True, True)


def test_every_reference_that_fails_is_told() -> None:
    error = failure("a@v1", "ok@v1", "b", "a@v1", among=catalog(release("ok", "1.0.0")))
    assert [each.uses for each in error.errors] == ["a@v1", "b"]


def test_every_broken_manifest_of_the_repository_is_told_once() -> None:
    load = folders(a="name: a\nruns: {using: x}", b="name: b\nruns: {using: y}", c=using("./a"))
    with pytest.raises(AuthorError) as caught:
        resolve(["./a", "./b", "./c", "nope@v1"], catalog=catalog(), local=load)
    assert [problem.path for problem in caught.value.problems] == ["a/action.yml", "b/action.yml"]


def test_a_failure_inside_a_composite_action_names_the_way_there() -> None:
    among = catalog(
        release("a", "1.0.0", manifest=using("b@v1")), release("b", "1.0.0", manifest=using("zz@v1"))
    )
    error = failure("a@v1", among=among)
    assert (error.uses, error.message) == ("a@v1", "unknown action 'zz@v1' (used by a@v1 → b@v1)")


def pinned(uses: str, found: Release, **changes: str) -> LockFile:
    values = {"name": found.name, "version": str(found.version), "digest": found.digest, "source": "builtin"}
    return LockFile(pins={uses: Pin(**{**values, **changes})})


def test_a_pin_wins_over_a_newer_release() -> None:
    old, new = release("train", "1.0.0"), release("train", "1.1.0")
    lock = resolve(["train@v1"], catalog=catalog(old, new), lock=pinned("train@v1", old), local=NO_FOLDERS)
    assert lock.actions["train@v1"].version == "1.0.0"
    assert lock.unpinned == ()


def test_a_lock_resolves_to_itself() -> None:
    first = resolve(["train@v1"], catalog=catalog(release("train", "1.0.0")), local=NO_FOLDERS)
    newer = catalog(release("train", "1.0.0"), release("train", "1.1.0"))
    assert resolve(["train@v1"], catalog=newer, lock=first, local=NO_FOLDERS).actions == first.actions


def test_a_pinned_release_that_was_yanked_still_runs_with_a_warning() -> None:
    old = release("train", "1.0.0", yanked="broken")
    among = catalog(old, release("train", "1.1.0"))
    lock = resolve(["train@v1"], catalog=among, lock=pinned("train@v1", old), local=NO_FOLDERS)
    assert (lock.actions["train@v1"].version, len(lock.warnings)) == ("1.0.0", 1)


def test_what_the_lock_does_not_pin_is_named() -> None:
    among = catalog(release("train", "1.0.0"), release("new", "1.0.0"))
    lock = resolve(
        ["train@v1", "new@v1"],
        catalog=among,
        lock=pinned("train@v1", release("train", "1.0.0")),
        local=NO_FOLDERS,
    )
    assert lock.unpinned == ("new@v1",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"digest": "sha256:" + "f" * 64}, "train 1.0.0 is not what the lock pins"),
        ({"version": "1.5.0"}, "pins 'train@v1' to 1.5.0, which is not here; there are: 2.0.0, 1.0.0"),
        ({"name": "other"}, "pins 'train@v1' to 'other', another action"),
        ({"version": "2.0.0", "digest": digest_of("train", "2.0.0")}, "to 2.0.0, which is outside it"),
    ],
)
def test_what_does_not_match_the_lock_is_refused(changes: dict[str, str], message: str) -> None:
    found = release("train", "1.0.0")
    among = catalog(found, release("train", "2.0.0"))
    error = failure("train@v1", among=among, lock=pinned("train@v1", found, **changes))
    assert message in error.message
    assert "windlass lock --upgrade" in (error.remedy or "")


def test_an_index_reads_a_name_only_when_asked_and_only_once() -> None:
    read: list[str] = []

    def shelf(name: str) -> list[Release]:
        read.append(name)
        return [release(name, "1.0.0")]

    among = Index({"a": lambda: shelf("a"), "b": lambda: shelf("b")})
    assert among.names() == ("a", "b")
    assert read == []
    among.releases("a")
    among.releases("a")
    assert read == ["a"]
    assert among.releases("c") == ()
