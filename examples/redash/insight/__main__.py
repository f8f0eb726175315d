"""What an administrator does: `python -m insight create | count | shape`."""

import json
import sys
from collections.abc import Iterator
from functools import partial

import sqlalchemy
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, configure_mappers

from .database import SLOTS, database_url, engine, open_file, slot_file
from .models import Base, Event, Organization, User

USERS = 50


def engines() -> Iterator[Engine]:
    """One for each file of an SQLite database; a server needs one."""
    url = database_url()
    if url.get_backend_name() != "sqlite":
        yield engine
        return
    for slot in range(SLOTS):
        yield sqlalchemy.create_engine(url, creator=partial(open_file, slot_file(url, slot)))


def create() -> None:
    """Makes the tables anew, with an organization and the users whose events are recorded."""
    url = database_url()
    if url.get_backend_name() == "sqlite":
        for slot in range(SLOTS):
            slot_file(url, slot).parent.mkdir(parents=True, exist_ok=True)
            slot_file(url, slot).touch()
    for each in engines():
        Base.metadata.drop_all(each)
        Base.metadata.create_all(each)
        with Session(each) as session:
            org = Organization(name="Example", slug="default")
            org.users = [User(name=f"User {n}", email=f"user{n}@example.com") for n in range(1, USERS + 1)]
            session.add(org)
            session.commit()
        each.dispose()


def count() -> int:
    """How many events have been recorded."""
    total = 0
    for each in engines():
        with Session(each) as session:
            total += session.scalar(sqlalchemy.select(sqlalchemy.func.count()).select_from(Event)) or 0
        each.dispose()
    return total


def shape() -> dict[str, object]:
    """How large the application is, and whether importing it has configured its mappers."""
    mappers = list(Base.registry.mappers)
    lazy = not any(mapper.configured for mapper in mappers)
    configure_mappers()
    return {
        "mapped_classes": len(mappers),
        "columns": sum(len(mapper.columns) for mapper in mappers),
        "relationships": sum(len(mapper.relationships) for mapper in mappers),
        "configured_on_first_use": lazy,
    }


def main(args: list[str]) -> int:
    if args == ["create"]:
        create()
    elif args == ["count"]:
        print(count())
    elif args == ["shape"]:
        print(json.dumps(shape()))
    else:
        print("usage: python -m insight create | count | shape", file=sys.stderr)
        return 2
    return 0


sys.exit(main(sys.argv[1:]))
