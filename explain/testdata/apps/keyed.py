"""A job whose table depends on the locale, of which there are three by turns, and a rare one."""

from __future__ import annotations

import functools


@functools.cache
def table(locale: str) -> dict[str, str]:
    return {f"{locale}-{i:05d}".casefold(): f"{i}" for i in range(12000)}


def job(locale: str) -> str:
    return table(locale)[f"{locale}-00017"]
