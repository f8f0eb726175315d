"""A table that only the process that made it can use."""

from __future__ import annotations

import os

tables: dict[int, list[str]] = {}


def prepare() -> None:
    tables[os.getpid()] = [str(i) for i in range(20000)]


def job() -> None:
    if not tables:
        prepare()
    if os.getpid() not in tables:
        raise RuntimeError("made in another process")
