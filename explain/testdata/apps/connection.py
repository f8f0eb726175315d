"""A job that reads from a database. The first connection of an engine asks the server what it can."""

import asking  # type: ignore[import-not-found]
import sqlalchemy

engine = asking.engine("explain")
question = sqlalchemy.text("SELECT 1")


def job() -> int:
    with engine.connect() as connection:
        return int(connection.execute(question).scalar_one())
