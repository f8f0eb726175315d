"""A table with a number of its own, and a generator: both are to differ from process to process."""

from __future__ import annotations

import random
import uuid
from typing import Any

state: dict[str, Any] = {}


def prepare() -> None:
    if not state:
        state.update({str(i): i for i in range(100_000)})
        state["process"] = uuid.uuid4().hex
        state["chances"] = random.Random()


def job() -> str:
    prepare()
    return str(state["process"])
