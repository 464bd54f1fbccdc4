"""The people: ten measurements of each, and how far the disease had gone a year later."""

import random
from pathlib import Path

DATA = Path(__file__).with_name("diabetes.txt")


def load(path=DATA):
    """The measurements' names, and each person's with the progression; always in the same mixed order."""
    names, *rows = [line.split() for line in Path(path).read_text().splitlines() if not line.startswith("#")]
    people = [([float(value) for value in row[:-1]], float(row[-1])) for row in rows]
    random.Random(7).shuffle(people)
    return names[:-1], people


def split(people, part=0.25):
    """Those to learn from, and those to test with."""
    count = int(len(people) * part)
    return people[count:], people[:count]
