"""The background jobs."""

import datetime
from typing import Any

from sqlalchemy.orm import Session

from .database import engine
from .models import Event


def record_event(raw_event: dict[str, Any]) -> None:
    """Stores what a user did: one INSERT, one COMMIT.

    Making the Event is the first use of a mapped class in a process, and has SQLAlchemy configure
    the mappers of all of them.
    """
    rest = dict(raw_event)
    entry = Event(
        org_id=rest.pop("org_id"),
        user_id=rest.pop("user_id", None),
        action=rest.pop("action"),
        object_type=rest.pop("object_type"),
        object_id=rest.pop("object_id", None),
        created_at=datetime.datetime.fromtimestamp(rest.pop("timestamp"), datetime.timezone.utc),
        additional_properties=rest,
    )
    with Session(engine) as session:
        session.add(entry)
        session.commit()
