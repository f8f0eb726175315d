"""An application that is connected as soon as it is imported, and has a table that is built on first use."""

import functools
import json
import os
import socket

client = socket.create_connection(("127.0.0.1", int(os.environ["LEFT_OPEN_PORT"])))


@functools.cache
def table() -> dict[str, int]:
    return {str(json.loads(f"[{i}, {i}]")[0]): i for i in range(20000)}


def job(number: int = 3) -> int:
    return table()[str(number)]
