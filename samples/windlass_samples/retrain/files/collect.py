"""Collects the rides of each day, up to (not with) the day of this run. Stands for a query of your own."""

import argparse
import csv
import math
import random
from datetime import date, timedelta
from pathlib import Path

WEEK = [0.95, 1.0, 1.03, 1.02, 1.1, 1.25, 0.9]  # Monday to Sunday


def rides(day):
    """How many: a rhythm, seasons, a drift, and chance; always the same number for the same day."""
    chance = random.Random(day.toordinal())
    drift = 900 + 120 * math.sin(day.toordinal() / 90) + 0.1 * (day.toordinal() % 3650)
    weekend = 1 + 0.25 * math.sin(day.toordinal() / 200) * (day.weekday() >= 5)
    season = 1 + 0.3 * math.sin((day.timetuple().tm_yday - 100) / 365 * 2 * math.pi)
    return round(drift * season * WEEK[day.weekday()] * weekend * chance.gauss(1, 0.04))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--day", default="", help="as 2026-03-01; left out or empty, today")
parser.add_argument("--weeks", type=int, default=60)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

end = date.fromisoformat(options.day) if options.day else date.today()
days = [end - timedelta(days=ago) for ago in range(options.weeks * 7, 0, -1)]
options.out.mkdir(parents=True, exist_ok=True)
with open(options.out / "rides.csv", "w", newline="") as stream:
    csv.writer(stream).writerows([("day", "rides"), *((day, rides(day)) for day in days)])
print(f"{len(days)} days, from {days[0]} to {days[-1]}")
