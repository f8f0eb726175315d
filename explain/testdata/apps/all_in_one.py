"""A job that fills a table by itself, with no other function that could; a decorator is before it."""

from __future__ import annotations

import functools
from typing import Callable

table: list[int] = []


def task(function: Callable[[int], int]) -> Callable[..., int]:
    @functools.wraps(function)
    def wrapper(last: int = 7) -> int:
        return function(last)

    return wrapper


@task
def job(last: int = 7) -> int:
    if not table:
        for i in range(200_000):
            table.append(i * i)
    return table[last]
