"""Teaches a new network the straight letters, of which there are plenty."""

import argparse
import json
import os
from pathlib import Path

from letters import HEIGHT, NAMES, WIDTH, draw
from network import Network

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

network = Network.new(WIDTH * HEIGHT, 24, len(NAMES))
examples, unseen = draw(30, crooked=False, seed=1), draw(10, crooked=False, seed=2)
with open(os.environ.get("WINDLASS_METRICS", os.devnull), "a") as metrics:
    for epoch in range(1, options.epochs + 1):
        loss = network.learn(examples, rate=0.15 / epoch**0.5)
        right = network.accuracy(unseen)
        print(
            f"epoch {epoch:>2}: loss {loss:.3f}, {right:.1%} of the unseen straight letters are right",
            flush=True,
        )
        for name, value in (("loss", loss), ("accuracy", right)):
            metrics.write(json.dumps({"name": name, "value": value, "step": epoch}) + "\n")
        metrics.flush()
network.save(options.out / "network.json")
