"""A job that makes a mapped object with SQLAlchemy 1.3: the first one of each class asks a memoized
property, which fires an event, which configures all mappers."""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy.ext.declarative import declarative_base
from sqlalchemy.orm import relationship

assert sqlalchemy.__version__.startswith("1.3."), sqlalchemy.__version__

Base: Any = declarative_base()


def mapped(i: int) -> Any:
    """A class with some columns, and a relationship to the class before it."""
    space: dict[str, Any] = {
        "__tablename__": f"thing_{i}",
        "id": sqlalchemy.Column(sqlalchemy.Integer, primary_key=True),
    }
    for j in range(6):
        space[f"column_{j}"] = sqlalchemy.Column(sqlalchemy.String(40))
    if i > 0:
        space["before_id"] = sqlalchemy.Column(sqlalchemy.ForeignKey(f"thing_{i - 1}.id"))
        space["before"] = relationship(f"Thing{i - 1}", backref=f"after_{i}")
    return type(f"Thing{i}", (Base,), space)


THINGS = [mapped(i) for i in range(12)]


def job(text: str = "a") -> str:
    thing = THINGS[0](column_0=text, column_1=text)
    return str(thing.column_0)
