"""A job that reads from a database. The first connection of an engine asks the server what it can."""

import os
import tempfile

import sqlalchemy

path = os.path.join(tempfile.gettempdir(), f"forkbench-explain-{os.getuid()}.db")
engine = sqlalchemy.create_engine(f"sqlite:///{path}")
question = sqlalchemy.text("SELECT 1")


def job() -> int:
    with engine.connect() as connection:
        return int(connection.execute(question).scalar_one())
