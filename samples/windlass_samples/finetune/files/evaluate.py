"""Tests three networks on crooked letters that none of them saw."""

import argparse
import json
import os
from pathlib import Path

from letters import draw
from network import Network

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--models", type=Path, required=True, help="a folder for each model")
options = parser.parse_args()

unseen = draw(15, crooked=True, seed=4)
titles = {"before": "straight letters only", "finetuned": "fine-tuned", "scratch": "taught from nothing"}
found = {name: Network.load(options.models / name / "network.json").accuracy(unseen) for name in titles}
for name, right in found.items():
    print(f"{titles[name]:<22} {right:.1%} of {len(unseen)} crooked letters are right")

with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    for name, value in (*found.items(), ("gain", found["finetuned"] - found["scratch"])):
        metrics.write(json.dumps({"name": name, "value": value}) + "\n")
with open(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull), "a") as summary:
    summary.write("## Crooked letters\n\n| network | read right |\n|---|--:|\n")
    summary.writelines(f"| {titles[name]} | {right:.1%} |\n" for name, right in found.items())
