"""The jobs of the application, and its one-time work."""

from __future__ import annotations

import functools
import re


@functools.cache
def _pattern() -> re.Pattern[str]:
    """The one-time work: made on first use."""
    return re.compile("|".join(f"(?:{word})" for word in ("login", "logout", "view", "execute")))


def warm_up() -> None:
    """Do the one-time work now."""
    _pattern()


def record_event(user: int, action: str = "view") -> bool:
    """Validate an event."""
    return user > 0 and _pattern().fullmatch(action) is not None
