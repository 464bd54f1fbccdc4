"""Chooses the strength of a ridge regression by cross-validation, and tests on people it never saw."""

import argparse
import json
import os
from pathlib import Path

from people import load, split
from ridge import fit, predict, rmse

STRENGTHS = [0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--folds", type=int, default=5)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

names, people = load()
to_learn, to_test = split(people)


def cross_validated(strength):
    """The mean error on each part, by a model of all the other parts."""
    errors = []
    for fold in range(options.folds):
        others = [one for number, one in enumerate(to_learn) if number % options.folds != fold]
        errors.append(rmse(fit(others, strength), to_learn[fold :: options.folds]))
    return sum(errors) / len(errors)


errors = {strength: cross_validated(strength) for strength in STRENGTHS}
for strength, error in errors.items():
    print(f"strength {strength:<6g} cross-validated error {error:.2f}", flush=True)
best = min(errors, key=errors.get)

model = fit(to_learn, best)
mean = sum(outcome for _, outcome in to_learn) / len(to_learn)
guessing = (sum((outcome - mean) ** 2 for _, outcome in to_test) / len(to_test)) ** 0.5
error = rmse(model, to_test)
found = {
    "rmse": error,
    "mae": sum(abs(predict(model, row) - outcome) for row, outcome in to_test) / len(to_test),
    "r2": 1 - (error / guessing) ** 2,
}
print(
    f"strength {best:g} is best; error on {len(to_test)} unseen people {error:.2f}, guessing {guessing:.2f}"
)

with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    for name, value in found.items():
        metrics.write(json.dumps({"name": name, "value": value}) + "\n")
options.out.mkdir(parents=True, exist_ok=True)
(options.out / "model.json").write_text(json.dumps({**model, "names": names, "strength": best}, indent=1))

rows = sorted(zip(names, model["weights"], strict=True), key=lambda pair: -abs(pair[1]))
with open(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull), "a") as summary:
    summary.write(
        f"## Diabetes\n\nError **{error:.2f}** (guessing the mean: {guessing:.2f}), strength {best:g}.\n\n"
    )
    summary.write("| measurement | one spread more changes the progression by |\n|---|---|\n")
    summary.writelines(f"| {name} | {weight:+.1f} |\n" for name, weight in rows)
