"""Work that is done once, by a function that has no name."""

from __future__ import annotations

from collections.abc import Callable

builders: dict[str, Callable[[], dict[str, int]]] = {"en": lambda: dict.fromkeys(map(str, range(100_000)), 0)}
tables: dict[str, dict[str, int]] = {}


def job() -> int:
    if "en" not in tables:
        tables["en"] = builders["en"]()
    return tables["en"]["7"]
