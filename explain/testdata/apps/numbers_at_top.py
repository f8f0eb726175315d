"""An application that has a native pool as soon as it is imported, and reads a table on first use."""

import functools

import numpy


@functools.cache
def table() -> float:
    return sum(float(numpy.sqrt(i)) for i in range(20_000))


def job() -> float:
    return table()
