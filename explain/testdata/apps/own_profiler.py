"""A job that is profiled by somebody else."""

import sys

table: list[str] = []


def job() -> None:
    sys.setprofile(None)
    if not table:
        table.extend(map(str, range(20000)))
