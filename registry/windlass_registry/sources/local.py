"""Actions in folders of the workflow's own repository: `uses: ./path`."""

from __future__ import annotations

from pathlib import Path

from windlass_registry.lock import ResolvedAction
from windlass_registry.refs import LocalRef, RefError
from windlass_registry.sources.packages import load_package


def load_local(root: Path, ref: LocalRef) -> ResolvedAction:
    """The action in a folder of the repository whose working tree is `root`.

    Raises:
        RefError: there is no such folder, it lies outside the repository, or it holds no action.
        AuthorError: its manifest is broken, or it holds what a package may not.
    """
    uses = f"./{ref.path}" if ref.path else "./"
    folder = _inside(root, ref, uses)
    package = load_package(folder, shown_as=ref.path)
    if package is None:
        raise RefError(f"'{uses}' has no action.yml", remedy="write one, or name the folder that has it")
    return ResolvedAction(
        uses=uses,
        name=uses,
        version=package.manifest.version,
        digest=package.digest,
        source="local",
        folder=folder,
        manifest=package.manifest,
    )


def _inside(root: Path, ref: LocalRef, uses: str) -> Path:
    """The real folder; links on the way to it may not leave the repository."""
    try:
        real_root = root.resolve(strict=True)
        folder = (root / ref.path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise RefError(
            f"the repository has no folder '{uses}'", remedy="write a path from its root"
        ) from error
    if not folder.is_relative_to(real_root):
        raise RefError(f"'{uses}' is a link that leaves the repository", remedy="copy the action into it")
    if ".git" in folder.relative_to(real_root).parts:
        raise RefError(f"'{uses}' lies in git's own folder")
    if not folder.is_dir():
        raise RefError(f"'{uses}' is not a folder", remedy="name the folder that holds action.yml")
    return folder
