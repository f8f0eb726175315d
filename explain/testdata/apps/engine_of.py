"""A job that reads from a database by an engine that nobody holds but a property of an object: so it is with
extensions for web frameworks."""

from __future__ import annotations

from typing import Any

import asking  # type: ignore[import-not-found]


class Database:
    def __init__(self) -> None:
        self._engines = {"default": asking.engine("engine-of")}

    @property
    def engine(self) -> Any:
        return self._engines["default"]


db = Database()


def job() -> int:
    connection = db.engine.connect()
    try:
        return int(connection.execute("SELECT 1").scalar())
    finally:
        connection.close()
