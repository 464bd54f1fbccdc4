"""Naive Bayes: each measurement by itself says how likely each class is. Needs nothing but Python."""

from math import log
from statistics import fmean, pvariance


def fit(rows):
    """For each class its share, and the mean and variance of each measurement."""
    classes = {}
    for values, name in rows:
        classes.setdefault(name, []).append(values)
    return {
        name: {
            "share": len(found) / len(rows),
            "means": [fmean(column) for column in zip(*found, strict=True)],
            "variances": [max(pvariance(column), 1e-9) for column in zip(*found, strict=True)],
        }
        for name, found in sorted(classes.items())
    }


def predict(model, values):
    """The most likely class."""

    def likelihood(one):
        parts = zip(values, one["means"], one["variances"], strict=True)
        return log(one["share"]) - sum((x - m) ** 2 / (2 * v) + log(v) / 2 for x, m, v in parts)

    return max(model, key=lambda name: likelihood(model[name]))
