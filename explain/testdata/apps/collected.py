"""A job that collects garbage, in a process that inherits much: each fork copies all of it."""

import gc

INHERITED = [(i, [i]) for i in range(300_000)]
table: dict[str, int] = {}


def nothing() -> None:
    """A warm-up that does nothing."""


def fill() -> None:
    table.update({str(i): i for i in range(100_000)})


def job() -> int:
    if not table:
        fill()
    return gc.collect()
