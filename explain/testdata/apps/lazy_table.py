"""A job that needs a table of its locale, which is compiled when it is asked for first, and kept."""

from __future__ import annotations

import functools
import re


def fold(locale: str, i: int) -> str:
    return f"{locale}-{i:05d}".casefold()


@functools.cache
def table(locale: str) -> dict[str, re.Pattern[str]]:
    return {fold(locale, i): re.compile(fold(locale, i) + r"(\d+|[a-z]*)") for i in range(150)}


def warm_up() -> None:
    """Meant well: the jobs' locale is another."""
    table("en-us")


def nothing_yet() -> None:
    """What a warm-up comes to that looks for things to do before there are any."""
    known: list[str] = []
    for locale in known:
        table(locale)


def job(text: str = "en-00017", locale: str = "en") -> bool:
    return text in table(locale)
