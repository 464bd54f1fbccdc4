"""Tests the new model and the one before on the last week, which neither saw; keeps the better one."""

import argparse
import json
import os
import shutil
from pathlib import Path

from forecast import error, read

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--models", type=Path, required=True, help="holds the folders 'new' and 'before'")
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

last_week = read(options.data)[-7:]
models = {name: json.loads((options.models / name / "model.json").read_text()) for name in ("new", "before")}
errors = {name: error(model, last_week) for name, model in models.items()}
kept = min(errors, key=errors.get)
for name, found in errors.items():
    print(f"{name:<6} learnt until {models[name]['until']}: {found:.1f} rides off a day")
print(f"kept: {kept}")

options.out.mkdir(parents=True, exist_ok=True)
shutil.copy(options.models / kept / "model.json", options.out)
(options.out.parent / "kept").write_text(kept)
with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    for name, value in (("error", errors["new"]), ("error_before", errors["before"])):
        metrics.write(json.dumps({"name": name, "value": value}) + "\n")
with open(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull), "a") as summary:
    summary.write(
        f"## Rides, {last_week[0][0]} to {last_week[-1][0]}\n\n| model | learnt until | rides off a day |\n"
    )
    summary.write("|---|---|--:|\n")
    summary.writelines(f"| {name} | {models[name]['until']} | {errors[name]:.1f} |\n" for name in models)
    summary.write(f"\nKept: **{kept}**.\n")
