"""Exponential smoothing with a weekly rhythm (Holt and Winters' way). Needs nothing but Python."""

import csv
from datetime import date
from pathlib import Path


def read(folder):
    """(day, rides), in order."""
    with open(Path(folder) / "rides.csv", newline="") as stream:
        return [(date.fromisoformat(row["day"]), float(row["rides"])) for row in csv.DictReader(stream)]


def smooth(days, pace, rhythm_pace):
    """Level and rhythm after the last day, and the mean error of saying each day from those before."""
    level = sum(rides for _, rides in days[:7]) / 7
    rhythm = [1.0] * 7
    for day, rides in days[:7]:
        rhythm[day.weekday()] = rides / level
    errors = []
    for day, rides in days[7:]:
        weekday = day.weekday()
        errors.append(abs(level * rhythm[weekday] - rides))
        level += pace * (rides / rhythm[weekday] - level)
        rhythm[weekday] += rhythm_pace * (rides / level - rhythm[weekday])
    return {"level": level, "rhythm": rhythm, "until": str(days[-1][0])}, sum(errors) / len(errors)


def error(model, days):
    """The mean error of what the model says of some days."""
    errors = [abs(model["level"] * model["rhythm"][day.weekday()] - rides) for day, rides in days]
    return sum(errors) / len(errors)
