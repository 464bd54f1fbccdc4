"""Scores one model by cross-validation: a metric for each part, and the mean as the step's output."""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from models import MODELS
from sklearn.model_selection import cross_val_score

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--model", choices=MODELS, required=True)
parser.add_argument("--folds", type=int, default=4)
options = parser.parse_args()

data = np.load(options.data / "digits.npz")
scores = cross_val_score(MODELS[options.model](), data["x_train"], data["y_train"], cv=options.folds)
with open(os.environ["WINDLASS_METRICS"], "a") as metrics:
    for step, score in enumerate(scores, start=1):
        print(f"fold {step}: {score:.3f}", flush=True)
        metrics.write(json.dumps({"name": "accuracy", "value": float(score), "step": step}) + "\n")
with open(os.environ["GITHUB_OUTPUT"], "a") as outputs:
    outputs.write(f"{options.model}={scores.mean():.4f}\n")
print(f"{options.model}: {scores.mean():.3f} on average")
