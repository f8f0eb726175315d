"""A job that reads from a database, in an application that gives its connections up before each fork."""

import os

import asking  # type: ignore[import-not-found]
import sqlalchemy

engine = asking.engine("cured")
question = sqlalchemy.text("SELECT 1")
os.register_at_fork(before=lambda: engine.dispose())


def job() -> int:
    with engine.connect() as connection:
        return int(connection.execute(question).scalar_one())
