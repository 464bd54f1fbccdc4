"""The cases: thirty measurements of the cells of each, and 1 where they were benign."""

import csv
import random
from pathlib import Path

DATA = Path(__file__).with_name("cells.csv")


def load(path=DATA):
    """Names of the measurements, cases to learn from and cases to test with; always the same ones."""
    names, *rows = csv.reader(
        line for line in Path(path).read_text().splitlines() if not line.startswith("#")
    )
    cases = [([float(value) for value in row[:-1]], int(row[-1])) for row in rows]
    random.Random(3).shuffle(cases)
    count = len(cases) // 4
    return names[:-1], cases[count:], cases[:count]
