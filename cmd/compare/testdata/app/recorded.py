"""Jobs that note what they are called with, for the tests of `compare record`."""

import os
from typing import Any


def note(name: str, *arguments: Any) -> None:
    with open(os.environ["RECORDED_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{name} {arguments!r}\n")


def send(number: Any, to: Any = None, at: Any = None) -> None:
    note("send", number, to, at)


async def later(what: Any) -> None:
    note("later", what)


class Mailer:
    @staticmethod
    def deliver(what: Any) -> object:
        note("deliver", what)
        return object()  # which is not JSON

    def method(self) -> None:
        note("method")
