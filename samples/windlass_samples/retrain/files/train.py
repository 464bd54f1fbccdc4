"""Trains a forecast on all days but the last weeks: tries how fast to forget, and keeps what erred least."""

import argparse
import json
import os
from pathlib import Path

from forecast import read, smooth

PACES = [0.02, 0.05, 0.1, 0.2, 0.4]

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--hold-back", type=int, required=True, help="weeks that it must not see")
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

days = read(options.data)[: -7 * options.hold_back]
tried = {(pace, rhythm_pace): smooth(days, pace, rhythm_pace) for pace in PACES for rhythm_pace in PACES}
(pace, rhythm_pace), (model, error) = min(tried.items(), key=lambda one: one[1][1])
print(
    f"{len(days)} days until {model['until']}: paces {pace} and {rhythm_pace}, error {error:.1f} a day ahead"
)

with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    metrics.write(json.dumps({"name": "error_a_day_ahead", "value": error}) + "\n")
options.out.mkdir(parents=True, exist_ok=True)
(options.out / "model.json").write_text(json.dumps({**model, "paces": [pace, rhythm_pace]}, indent=1))
