"""What is done once is called with an object that nobody can write down, by the job itself: it cannot be
called, and what it consists of can."""

from __future__ import annotations

rates: dict[str, int] = {}
words: dict[str, str] = {}


class Request:
    """Of this job, and no other's."""


def load_rates() -> None:
    if not rates:
        rates.update({str(i): i for i in range(100_000)})


def load_words() -> None:
    if not words:
        words.update({str(i): str(-i) for i in range(100_000)})


def prepare(request: Request) -> None:
    load_rates()
    load_words()


prepared: list[bool] = []


def job() -> str:
    if not prepared:
        prepared.append(True)
        prepare(Request())
    return words["7"]
