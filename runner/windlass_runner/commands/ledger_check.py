"""Asks SQLite itself whether a ledger file is whole, without changing it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def damage(path: Path) -> str | None:
    """What is wrong with the file, in SQLite's words; None where it is whole, or cannot be read now."""
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        ) as connection:
            rows = connection.execute("PRAGMA quick_check(5)").fetchall()
    except sqlite3.OperationalError:  # a full disk, say: whoever opens it is told
        return None
    except sqlite3.DatabaseError as error:
        return str(error)
    found = [str(row[0]) for row in rows if row[0] != "ok"]
    return "; ".join(found) or None
