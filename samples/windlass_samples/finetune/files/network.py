"""A network of one hidden layer, taught by gradient descent. Needs nothing but Python."""

import json
import math
import random
from operator import mul
from pathlib import Path


class Network:
    """Rows of weights, the bias last: of the hidden units, and of the outputs."""

    def __init__(self, hidden, outputs):
        self.hidden, self.outputs = hidden, outputs

    @classmethod
    def new(cls, inputs, hidden, outputs, seed=0):
        """Small weights by chance."""
        chance = random.Random(seed)

        def rows(count, width):
            return [[chance.gauss(0, width**-0.5) for _ in range(width)] + [0.0] for _ in range(count)]

        return cls(rows(hidden, inputs), rows(outputs, hidden))

    @classmethod
    def load(cls, path):
        """A network as `save` wrote it."""
        return cls(**json.loads(Path(path).read_text()))

    def save(self, path):
        """As JSON."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps({"hidden": self.hidden, "outputs": self.outputs}))

    def probabilities(self, points):
        """How likely each answer is, and what the hidden units said."""
        units = [math.tanh(sum(map(mul, row, points)) + row[-1]) for row in self.hidden]
        sums = [sum(map(mul, row, units)) + row[-1] for row in self.outputs]
        highest = max(sums)
        parts = [math.exp(each - highest) for each in sums]
        total = sum(parts)
        return [part / total for part in parts], units

    def learn(self, examples, rate):
        """One pass; gives the mean loss."""
        loss = 0.0
        for points, answer in examples:
            found, units = self.probabilities(points)
            loss -= math.log(max(found[answer], 1e-12))
            found[answer] -= 1.0
            back = [sum(map(mul, found, column)) for column in zip(*self.outputs, strict=True)]
            _step(self.outputs, found, units, rate)
            slopes = [error * (1 - unit * unit) for error, unit in zip(back, units, strict=False)]
            _step(self.hidden, slopes, points, rate)
        return loss / len(examples)

    def accuracy(self, examples):
        """The share of examples that are read right."""
        right = 0
        for points, answer in examples:
            found, _ = self.probabilities(points)
            right += found.index(max(found)) == answer
        return right / len(examples)


def _step(rows, errors, values, rate):
    for row, error in zip(rows, errors, strict=True):
        step = rate * error
        row[:-1] = [weight - step * value for weight, value in zip(row, values, strict=False)]
        row[-1] -= step
