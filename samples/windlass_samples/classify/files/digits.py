"""The handwritten digits: each as its 64 points (0 to 1) and which digit it is."""

import random
from pathlib import Path

DATA = Path(__file__).with_name("digits.txt")


def load(path=DATA):
    """All digits, in an order that is always the same and has nothing to do with the file's."""
    lines = [line.split() for line in Path(path).read_text().splitlines() if not line.startswith("#")]
    found = [([(ord(letter) - ord("a")) / 16 for letter in points], int(digit)) for digit, points in lines]
    random.Random(0).shuffle(found)
    return found


def split(digits, part=0.25):
    """Those to learn from, and those to test with."""
    count = int(len(digits) * part)
    return digits[count:], digits[:count]
