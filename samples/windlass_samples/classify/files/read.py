"""Shows a few digits that the model never saw, and what it reads."""

import argparse
import json
from operator import mul
from pathlib import Path

from digits import load, split

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", type=Path, required=True)
weights = json.loads(parser.parse_args().model.read_text())["weights"]

for points, digit in split(load())[1][:3]:
    sums = [sum(map(mul, row, points)) + row[-1] for row in weights]
    for row in range(8):
        print("".join(" .:-=+*#%@"[int(point * 9)] * 2 for point in points[row * 8 : row * 8 + 8]))
    print(f"read as {sums.index(max(sums))}, and it is {digit}\n")
