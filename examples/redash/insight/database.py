"""Where the application keeps its data.

INSIGHT_DATABASE_URL is a URL of SQLAlchemy: postgresql://user:password@host/database, or
sqlite:////folder/insight.db. Without it, it is an SQLite database in the folder for temporary files.

An SQLite database allows one writer at a time, and the others sleep for milliseconds, many times
longer than an INSERT takes: with one file, several workers would measure that. A database server has
no such limit. So an SQLite URL stands for SLOTS files, and a process writes to the one that its
process ID leads to. Processes that are alive at the same time have process IDs close to each other,
so they hardly ever meet; where they do, the second waits.

The files are for measuring: nothing is synced to disk and the rollback journal is in memory, because
the disk is not what is compared. WAL would be wrong here: a process that is forked for each job would
be the only user of its file, and recover the log of the one before it in each job.
"""

import os
import sqlite3
import tempfile
from pathlib import Path

import sqlalchemy
from sqlalchemy.engine import URL, Engine, make_url

VARIABLE = "INSIGHT_DATABASE_URL"
SLOTS = 16
BUSY_SECONDS = 30.0


def database_url() -> URL:
    """The URL to use, with the driver that this application is written for."""
    text = os.environ.get(VARIABLE)
    if not text:
        path = Path(tempfile.gettempdir(), f"insight-{os.getuid()}", "insight.db")
        return URL.create("sqlite", database=str(path))
    url = make_url(text)
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not url.database:
        raise ValueError(
            f"{VARIABLE}={url}: must begin with postgresql:// or sqlite:/// and name a database,"
            " as in sqlite:////tmp/insight.db"
        )
    return url


def slot_file(url: URL, slot: int) -> Path:
    """The file of one slot of an SQLite database."""
    return Path(f"{url.database}.{slot:02}")


def make_engine() -> Engine:
    """An engine that has no connection yet: each process opens its own, in its first job."""
    url = database_url()
    try:
        if url.get_backend_name() == "sqlite":
            engine = sqlalchemy.create_engine(url, creator=lambda: open_file(slot_file(url, os.getpid() % SLOTS)))
        else:
            engine = sqlalchemy.create_engine(url)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{VARIABLE}={url} needs {error.name}: run .venv/bin/python -m pip install 'psycopg[binary]'",
            name=error.name,
        ) from None
    # A connection must not be in two processes: one that goes on as a parent (a job of the hybrid's
    # --refork ran in it) closes its own before it forks.
    os.register_at_fork(before=engine.dispose)
    return engine


def open_file(path: Path) -> sqlite3.Connection:
    """Opens one file of an SQLite database, which `python -m insight create` has made."""
    try:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise FileNotFoundError(f"{path}: {error}: make the database with `python -m insight create`") from None
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


engine = make_engine()
