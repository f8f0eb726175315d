"""A job that keeps a database open, which no function of its own opens."""

import os
import sqlite3
import tempfile
from typing import Any

path = os.path.join(tempfile.gettempdir(), f"forkbench-inline-{os.getuid()}.db")
open_ones: list[Any] = []


def job() -> int:
    if not open_ones:
        database = sqlite3.connect(path)
        database.executescript("PRAGMA cache_size = 10;" * 2000)
        open_ones.append(database)
    return int(open_ones[0].execute("SELECT 1").fetchone()[0])
