"""Ridge regression: least squares that holds large weights back. Needs nothing but Python."""

from math import sqrt


def fit(people, strength):
    """A model of (measurements, outcome) pairs. `strength` 0 is plain least squares."""
    columns = list(zip(*(row for row, _ in people), strict=True))
    means = [sum(column) / len(column) for column in columns]
    spreads = [
        sqrt(sum((x - m) ** 2 for x in column) / len(column))
        for column, m in zip(columns, means, strict=True)
    ]
    scaled = [[(x - m) / s for x, m, s in zip(row, means, spreads, strict=True)] for row, _ in people]
    centre = sum(outcome for _, outcome in people) / len(people)
    size = len(means)
    left = [[sum(row[i] * row[j] for row in scaled) for j in range(size)] for i in range(size)]
    for i in range(size):
        left[i][i] += strength * len(people)
    right = [
        sum(row[i] * (outcome - centre) for row, (_, outcome) in zip(scaled, people, strict=True))
        for i in range(size)
    ]
    return {"means": means, "spreads": spreads, "weights": solve(left, right), "centre": centre}


def solve(left, right):
    """x of left · x = right, by elimination with the largest pivot first."""
    rows = [[*row, value] for row, value in zip(left, right, strict=True)]
    for i in range(len(rows)):
        best = max(range(i, len(rows)), key=lambda k: abs(rows[k][i]))
        rows[i], rows[best] = rows[best], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k, row in enumerate(rows):
            if k != i:
                rows[k] = [value - row[i] * pivot for value, pivot in zip(row, rows[i], strict=True)]
    return [row[-1] for row in rows]


def predict(model, row):
    """What the model says of one person."""
    parts = zip(row, model["means"], model["spreads"], model["weights"], strict=True)
    return model["centre"] + sum((x - mean) / spread * weight for x, mean, spread, weight in parts)


def rmse(model, people):
    """The root of the mean squared error."""
    return sqrt(sum((predict(model, row) - outcome) ** 2 for row, outcome in people) / len(people))
