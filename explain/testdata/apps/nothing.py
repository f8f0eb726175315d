"""A job with nothing to hoist, and a warm-up that starts a thread, which forks do not have."""

from __future__ import annotations

import threading


def start() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def job(n: int = 20000) -> int:
    return sum(i * i for i in range(n)) % 1000
