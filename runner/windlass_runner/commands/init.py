"""`windlass init`: a first workflow and a lock for this repository. Overwrites nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from windlass_registry.errors import OperatorError
from windlass_runner.commands.context import repository_root
from windlass_runner.commands.invocation import Invocation
from windlass_runner.commands.paint import tame

EXAMPLE = """
cd my-project && windlass init
windlass run .windlass/workflows/train.yaml
"""
WORKFLOW: Final = Path(".windlass/workflows/train.yaml")
SCHEMA: Final = Path(".windlass/workflow.schema.json")
TEMPLATE: Final = """\
# yaml-language-server: $schema=../workflow.schema.json
name: train

on:
  push: {{branches: [{branch}]}}
  workflow_dispatch:

inputs:
  epochs: {{type: number, default: 3, description: passes over the data}}

jobs:
  prepare:
    uses: script@v1
    with:
      script: |
        echo "preparing data"
        mkdir -p /outputs/data
        seq 1 100 > /outputs/data/numbers.txt
    outputs:
      data: {{type: volume}}

  train:
    uses: script@v1
    inputs:
      data: prepare.outputs.data
    with:
      script: |
        for epoch in $(seq 1 ${{{{ inputs.epochs }}}}); do
          echo "epoch $epoch"
          echo '{{"name": "loss", "value": '0.$((9 - epoch % 9))', "step": '$epoch'}}' >> "$WINDLASS_METRICS"
        done
        wc -l < /inputs/data/numbers.txt > /outputs/model
    outputs:
      model: {{type: artifact}}
"""
IGNORED: Final = (".windlass/out/", ".windlass/state/")


def configure(parser: ArgumentParser) -> None:
    """No arguments but the folder."""
    parser.add_argument("folder", nargs="?", default=".", help="the repository (this one)")


def execute(arguments: Namespace, invocation: Invocation) -> int:
    """Write what is not there yet, and say what to do next."""
    folder = (invocation.folder / arguments.folder).resolve()
    root = repository_root(folder)
    if root is None:
        raise OperatorError(f"{folder} is not in a git repository", remedy="make one with 'git init'")
    text = TEMPLATE.format(branch=_branch(root))
    try:
        made = [
            _write_new(root / WORKFLOW, text),
            _write_schema(root / SCHEMA),
            *_write_lock(root, invocation),
            ignore_local_state(root),
        ]
    except OSError as error:
        raise OperatorError(
            f"cannot write {error.filename}: {error.strerror}", remedy="let this user write there"
        ) from error
    for line in made:
        invocation.say(line)
    invocation.say("")
    invocation.say("Next:")
    invocation.say(f"  windlass plan {WORKFLOW}    what would run")
    invocation.say(f"  windlass run {WORKFLOW}     run it here and now")
    invocation.say("  git add .windlass .gitignore && git commit && git push")
    return 0


def _write_new(path: Path, text: str) -> str:
    shown = Path(*path.parts[path.parts.index(".windlass") :])
    if path.exists() or path.is_symlink():
        return f"kept   {shown} (it was there already)"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as stream:
        stream.write(text)
    return f"wrote  {shown}"


def _write_schema(path: Path) -> str:
    """The schema of this version, beside the workflows: editors then need no network."""
    from importlib.resources import files

    schema = files("windlass_runner") / "schemas" / "workflow.json"
    if not schema.is_file():
        raise OperatorError("the workflow schema is not installed", remedy="install Windlass again")
    return _write_new(path, schema.read_text(encoding="utf-8"))


def _write_lock(root: Path, invocation: Invocation) -> list[str]:
    from windlass_registry.lockfile import LOCK_PATH, save_lock
    from windlass_runner.commands.locking import digests_soon, lock_repository
    from windlass_runner.commands.registries import open_catalog

    if (root / LOCK_PATH).exists():
        return [f"kept   {LOCK_PATH} (it was there already)"]
    catalog = open_catalog(invocation)
    made = lock_repository(root, pins=None, catalog=catalog, open_digests=digests_soon(invocation))
    save_lock(root, made.lock)
    left_out = " (without what is broken: see 'windlass validate')" if made.problems else ""
    return [f"wrote  {LOCK_PATH}{left_out}", *(f"       {tame(remark)}" for remark in made.remarks)]


def ignore_local_state(root: Path) -> str:
    """Keep what local runs leave behind out of git."""
    path = root / ".gitignore"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    missing = [line for line in IGNORED if line not in text.splitlines()]
    if not missing:
        return "kept   .gitignore"
    start = "" if not text or text.endswith("\n") else "\n"
    with path.open("a", encoding="utf-8") as stream:
        stream.write(start + "".join(f"{line}\n" for line in missing))
    return f"added  {' and '.join(missing)} to .gitignore"


def _branch(root: Path) -> str:
    """The branch that is checked out, from git's own file."""
    head = root / ".git" / "HEAD"
    text = head.read_text(encoding="utf-8").strip() if head.is_file() else ""
    return text.removeprefix("ref: refs/heads/") if text.startswith("ref: refs/heads/") else "main"
