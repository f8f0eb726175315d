"""SQLite, but the first connection of an engine is asked as much as a larger database's: it takes longer
than to connect. The dialect asks, as SQLAlchemy's own for PostgreSQL does."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import sqlalchemy
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite


class Dialect(SQLiteDialect_pysqlite):
    supports_statement_cache = True

    def initialize(self, connection: Any) -> None:
        super().initialize(connection)
        cursor = connection.connection.cursor()
        for i in range(600):
            cursor.execute(f"SELECT {i}").fetchall()
        cursor.close()


registry.register("sqlite.asking", __name__, "Dialect")


def engine(name: str) -> Any:
    path = os.path.join(tempfile.gettempdir(), f"forkbench-{name}-{os.getuid()}.db")
    return sqlalchemy.create_engine(f"sqlite+asking:///{path}", poolclass=sqlalchemy.pool.QueuePool)
