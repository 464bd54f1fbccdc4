"""The wines: thirteen measurements of each, and who grew it."""

import csv
import random
from pathlib import Path

DATA = Path(__file__).with_name("wines.csv")


def load(path=DATA):
    """Names of the measurements, wines to learn from, and wines to test with; always the same ones."""
    names, *rows = csv.reader(
        line for line in Path(path).read_text().splitlines() if not line.startswith("#")
    )
    wines = [([float(value) for value in row[:-1]], row[-1]) for row in rows]
    random.Random(5).shuffle(wines)
    count = len(wines) // 3
    return names[:-1], wines[count:], wines[:count]
