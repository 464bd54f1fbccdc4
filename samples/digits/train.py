"""Trains the model that compared best on all there is to learn from, and tests it on digits it never saw."""

import argparse
import json
import os
from pathlib import Path

import joblib
import numpy as np
from models import MODELS

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

scores = {name: float(score) for name, score in json.loads(os.environ["SCORES"]).items()}
best = max(scores, key=scores.get)
print("compared: " + ", ".join(f"{name} {score:.3f}" for name, score in sorted(scores.items())))
print(f"training: {best}")

data = np.load(options.data / "digits.npz")
x_train, y_train, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))
with open(os.environ["WINDLASS_METRICS"], "a") as metrics:
    for count in (100, 200, 400, 800, len(y_train)):
        model = MODELS[best]().fit(x_train[:count], y_train[:count])
        accuracy = float(model.score(x_test, y_test))
        print(f"{count:>5} digits learnt: {accuracy:.1%} of the unseen ones are right", flush=True)
        metrics.write(json.dumps({"name": "accuracy", "value": accuracy, "step": count}) + "\n")

options.out.mkdir(parents=True, exist_ok=True)
joblib.dump(model, options.out / "digits.joblib", compress=3)
(options.out / "card.json").write_text(json.dumps({"model": best, "accuracy": accuracy, "compared": scores}))

rows = [f"| {name} | {score:.3f} |" for name, score in sorted(scores.items(), key=lambda item: -item[1])]
summary = ["## Digits", "", "| model | cross-validated |", "|---|---|", *rows, ""]
summary.append(f"**{best}** gets {accuracy:.1%} of {len(y_test)} unseen digits right.")
Path(os.environ["GITHUB_STEP_SUMMARY"]).write_text("\n".join(summary) + "\n")
