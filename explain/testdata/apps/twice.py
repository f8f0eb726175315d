"""A job that does two things once: one has a name, the other is a connection that an engine makes."""

from __future__ import annotations

import os
import tempfile

import sqlalchemy

path = os.path.join(tempfile.gettempdir(), f"forkbench-twice-{os.getuid()}.db")
engine = sqlalchemy.create_engine(f"sqlite:///{path}")
question = sqlalchemy.text("SELECT 1")
rates: dict[str, int] = {}


def load_rates() -> None:
    if not rates:
        rates.update({str(i): i for i in range(200_000)})


def job() -> int:
    load_rates()
    with engine.connect() as connection:
        return int(connection.execute(question).scalar_one())
