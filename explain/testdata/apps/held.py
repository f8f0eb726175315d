"""A client that a module holds, and that loads its service's model by itself when it is used first."""

from __future__ import annotations

import json

MODEL = json.dumps({f"Operation{i}": {"input": {"shape": f"Shape{i}"}, "http": {"uri": f"/{i}"}} for i in range(4000)})


class Client:
    def __init__(self, service: str) -> None:
        self.service = service
        self.operations: dict[str, str] = {}

    def load(self) -> None:
        """Is called by each job, and does it once."""
        if not self.operations:
            self.operations.update(parsed(object()))

    def uri(self, operation: str) -> str:
        self.load()
        return self.operations[operation]


def parsed(_: object) -> dict[str, str]:
    """Cannot be called by whoever has no such object."""
    return {name: str(what["http"]["uri"]) for name, what in json.loads(MODEL).items()}


client = Client("orders")


def job(operation: str = "Operation17") -> str:
    return client.uri(operation)
