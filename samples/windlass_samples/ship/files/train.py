"""Learns from two thirds of the wines how each grower's are."""

import argparse
import json
from pathlib import Path

from bayes import fit
from wines import load

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

names, to_learn, _ = load()
model = fit(to_learn)
options.out.mkdir(parents=True, exist_ok=True)
(options.out / "model.json").write_text(json.dumps({"measurements": names, "growers": model}, indent=1))
print(
    f"learnt from {len(to_learn)} wines: "
    + ", ".join(f"{name} {one['share']:.0%}" for name, one in model.items())
)
