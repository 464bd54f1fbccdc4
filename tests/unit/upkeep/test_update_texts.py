"""What a pull request with an update of a sample says."""

from __future__ import annotations

from windlass_registry.samples.changes import Change, File
from windlass_registry.samples.releases import SampleRelease
from windlass_registry.samples.subscriptions import Subscription
from windlass_registry.versions import Version
from windlass_runner.upkeep.sample_updates import Update
from windlass_runner.upkeep.update_texts import branch_name, commit_message, proposal_text, title


def update(*changes: Change, notes: str = "", warnings: tuple[str, ...] = ()) -> Update:
    old = Subscription(
        name="fit", sample="acme/fit@v1", version="1.0.0", digest="d", source="main", folder="fit"
    )
    release = SampleRelease(
        name="acme/fit",
        version=Version.parse("1.1.0"),
        digest="e",
        source="main",
        notes=notes,
        warnings=warnings,
        load=lambda: (_ for _ in ()).throw(AssertionError),
    )
    return Update(old=old, new=old, release=release, changes=changes)


WRITTEN = Change(path="fit/a.py", outcome="written", file=File(content=b""))
SAME = Change(path="fit/b.py", outcome="unchanged")


def test_notes_stay_quoted_and_files_are_listed() -> None:
    text = proposal_text(update(WRITTEN, SAME, notes="faster\n\n# by far", warnings=("low: a\nnotice",)))
    assert "`acme/fit` 1.1.0 is out; `fit` is at 1.0.0.\n\n**low: a notice**\n" in text
    assert "> faster\n>\n> # by far\n" in text
    assert "| `fit/a.py` | as the release has it |\n" in text
    assert "b.py" not in text
    assert "WARNING" not in text


def test_what_could_not_be_pinned_is_told() -> None:
    assert "alone:\n\n- ci.yaml:3: unknown action\n" in proposal_text(
        update(WRITTEN), unlocked=["ci.yaml:3: unknown\naction"]
    )


def test_the_commit_and_the_branch_name_the_release() -> None:
    assert branch_name("fit", "1.1.0") == "windlass/update-fit-v1.1.0"
    assert title(update()) == "Update fit to acme/fit 1.1.0"
    assert commit_message(update(notes="faster")) == "Update fit to acme/fit 1.1.0\n\nFrom 1.0.0.\n\nfaster\n"
