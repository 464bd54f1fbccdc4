"""Teaches the crooked letters, from a few examples: to a network that is given, or to a new one."""

import argparse
import json
import os
from pathlib import Path

from letters import HEIGHT, NAMES, WIDTH, draw
from network import Network

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--from", dest="start", type=Path, help="the network to go on with; left out, a new one")
parser.add_argument("--examples", type=int, required=True, help="of each letter")
parser.add_argument("--passes", type=int, default=12)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

network = Network.load(options.start) if options.start else Network.new(WIDTH * HEIGHT, 24, len(NAMES))
examples = draw(options.examples, crooked=True, seed=3)
with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    for step in range(1, options.passes + 1):
        loss = network.learn(examples, rate=0.07 / step**0.5)
        metrics.write(json.dumps({"name": "loss", "value": loss, "step": step}) + "\n")
        print(f"pass {step:>2} over {len(examples)} crooked letters: loss {loss:.3f}", flush=True)
network.save(options.out / "network.json")
