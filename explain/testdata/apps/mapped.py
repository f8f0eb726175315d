"""A job that makes a mapped object: SQLAlchemy configures all mappers when the first is made."""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy.orm import DeclarativeBase, mapped_column, relationship


class Base(DeclarativeBase):
    pass


def mapped(i: int) -> Any:
    """A class with some columns, and a relationship to the class before it."""
    space: dict[str, Any] = {"__tablename__": f"thing_{i}", "id": mapped_column(sqlalchemy.Integer, primary_key=True)}
    for j in range(6):
        space[f"column_{j}"] = mapped_column(sqlalchemy.String(40))
    if i > 0:
        space["before_id"] = mapped_column(sqlalchemy.ForeignKey(f"thing_{i - 1}.id"))
        space["before"] = relationship(f"Thing{i - 1}", backref=f"after_{i}")
    return type(f"Thing{i}", (Base,), space)


THINGS = [mapped(i) for i in range(12)]


def job(text: str = "a") -> str:
    thing = THINGS[0](column_0=text, column_1=text)
    return str(thing.column_0)


def too_early() -> None:
    """What a call of configure_mappers comes to that is made before there are any classes."""
    from sqlalchemy.orm import registry

    registry().configure()
