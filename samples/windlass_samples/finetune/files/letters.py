"""Letters of 9 x 7 points, straight or crooked (the upper half has slipped), each smudged in its own way."""

import random
from pathlib import Path

NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WIDTH, HEIGHT = 9, 7
DATA = Path(__file__).with_name("letters.txt")


def shapes(path=DATA):
    """The rows of each letter, as they are drawn in the file."""
    blocks = [[line.split() for line in block.splitlines()] for block in Path(path).read_text().split("\n\n")]
    return dict(
        zip(NAMES, [list(rows) for block in blocks for rows in zip(*block, strict=True)], strict=True)
    )


def draw(count, *, crooked, seed, smudge=0.18):
    """(points, number of the letter) of `count` examples of each letter, in mixed order."""
    chance = random.Random(seed)
    found = [
        (_points(rows, crooked, smudge, chance), number)
        for number, rows in enumerate(shapes().values())
        for _ in range(count)
    ]
    chance.shuffle(found)
    return found


def _points(rows, crooked, smudge, chance):
    points = [0.0] * (WIDTH * HEIGHT)
    for y, row in enumerate(rows):
        indent = 2 + (crooked and y < 3)
        for x, mark in enumerate(row):
            points[y * WIDTH + indent + x] = float(mark == "#")
    return [min(1.0, max(0.0, abs(point - chance.random() ** 3 * smudge * 4))) for point in points]
