"""Random forests of two classes. Needs nothing but Python."""

import random
from math import isqrt


def grow(cases, trees, depth, seed=0):
    """Trees, each of a sample of the cases (drawn with putting back)."""
    chance = random.Random(seed)
    return [_grow_tree(chance.choices(cases, k=len(cases)), depth, chance) for _ in range(trees)]


def probability(forest, row):
    """How likely class 1 is: the mean of what the trees say."""
    return sum(_ask(tree, row) for tree in forest) / len(forest)


def accuracy(forest, cases):
    """The share of cases that are told right."""
    return sum((probability(forest, row) >= 0.5) == label for row, label in cases) / len(cases)


def _grow_tree(cases, depth, chance):
    ones = sum(label for _, label in cases)
    share = ones / len(cases)
    if depth == 0 or share in (0, 1) or len(cases) < 4:
        return share
    width = len(cases[0][0])
    splits = (_best_split(cases, ones, column) for column in chance.sample(range(width), isqrt(width)))
    _, column, border = min(splits)
    if border is None:
        return share
    below = [case for case in cases if case[0][column] <= border]
    above = [case for case in cases if case[0][column] > border]
    return column, border, _grow_tree(below, depth - 1, chance), _grow_tree(above, depth - 1, chance)


def _best_split(cases, ones, column):
    """Impurity (Gini), column and border of that column's best split: once over the sorted values."""
    ordered = sorted((row[column], label) for row, label in cases)
    count, seen = len(ordered), 0
    best = (float("inf"), column, None)
    for number in range(1, count):
        seen += ordered[number - 1][1]
        here, after = ordered[number - 1][0], ordered[number][0]
        if here == after:
            continue
        left, right = seen / number, (ones - seen) / (count - number)
        impurity = number * left * (1 - left) + (count - number) * right * (1 - right)
        if impurity < best[0]:
            best = (impurity, column, (here + after) / 2)
    return best


def _ask(tree, row):
    while isinstance(tree, (tuple, list)):
        column, border, below, above = tree
        tree = below if row[column] <= border else above
    return tree
