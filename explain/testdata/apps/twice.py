"""A job that does two things once: one has a name, the other is a connection that an engine makes."""

from __future__ import annotations

import asking  # type: ignore[import-not-found]
import sqlalchemy

engine = asking.engine("twice")
question = sqlalchemy.text("SELECT 1")
rates: dict[str, int] = {}


def load_rates() -> None:
    if not rates:
        rates.update({str(i): i for i in range(200_000)})


def job() -> int:
    load_rates()
    with engine.connect() as connection:
        return int(connection.execute(question).scalar_one())
