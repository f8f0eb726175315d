"""A table whose builder looks at who calls it."""

import sys

tables: list[list[str]] = []


def table() -> list[str]:
    caller = sys._getframe(1).f_code.co_name
    if caller != "job":
        raise RuntimeError(f"called by {caller}")
    return [str(i) for i in range(20000)]


def job() -> None:
    if not tables:
        tables.append(table())
