"""Tests the model on the wines that it never saw: accuracy, and who is taken for whom."""

import argparse
import json
import os
from collections import Counter
from pathlib import Path

from bayes import predict
from wines import load

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", type=Path, required=True)
options = parser.parse_args()

growers = json.loads(options.model.read_text())["growers"]
_, _, to_test = load()
told = Counter((grower, predict(growers, values)) for values, grower in to_test)
accuracy = sum(count for (grower, guess), count in told.items() if grower == guess) / len(to_test)
print(f"{accuracy:.1%} of {len(to_test)} unseen wines are told right")

with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    metrics.write(json.dumps({"name": "accuracy", "value": accuracy}) + "\n")
with open(os.environ.get("GITHUB_OUTPUT", os.devnull), "a") as outputs:
    outputs.write(f"accuracy={accuracy:.1%}\n")
with open(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull), "a") as summary:
    summary.write(
        f"## Wines\n\n**{accuracy:.1%}** right.\n\n| grown by | " + " | ".join(f"said {g}" for g in growers)
    )
    summary.write(" |\n|---|" + "--:|" * len(growers) + "\n")
    for grower in growers:
        summary.write(f"| {grower} | " + " | ".join(str(told[grower, guess]) for guess in growers) + " |\n")
