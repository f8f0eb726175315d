"""Decodes pickled jobs for `compare record --unpickle`, in the interpreter that the user named.

Reads from standard input: the length of a pickle (4 bytes, big-endian), whose it is (r for RQ, c for
Celery), and the pickle. Answers each with a length and a JSON object. The job file can hold what JSON
can, and what Celery writes as {"__type__": ..., "__value__": ...}; a tuple becomes an array.

Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import os
import pickle
import struct
import sys
import uuid
from typing import Any

HEADER = struct.Struct(">Ic")
LENGTH = struct.Struct(">I")


class Unfit(Exception):
    """What a job file cannot hold."""


def tagged(kind: str, value: object) -> dict[str, object]:
    return {"__type__": kind, "__value__": value}


def plain(value: Any) -> Any:
    """The value as JSON: the same when it is read back, except for tuples."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        if value - value != 0:
            raise Unfit("a float that is not finite")
        return value
    if kind in (list, tuple):
        return [plain(item) for item in value]
    if kind is dict:
        if any(type(key) is not str for key in value):
            raise Unfit("a dict with keys that are not strings")
        if value.keys() == {"__type__", "__value__"}:
            raise Unfit("a dict with the keys __type__ and __value__")
        return {key: plain(item) for key, item in value.items()}
    if kind is datetime.datetime and (value.tzinfo is None or type(value.tzinfo) is datetime.timezone):
        return tagged("datetime", value.isoformat())
    if kind is datetime.date:
        return tagged("date", value.isoformat())
    if kind is datetime.time and value.tzinfo is None:
        return tagged("time", value.isoformat())
    if kind is decimal.Decimal:
        return tagged("decimal", str(value))
    if kind is uuid.UUID:
        return tagged("uuid", {"hex": value.hex})
    if kind is bytes:
        return tagged("base64", base64.b64encode(value).decode())
    raise Unfit(f"{kind.__module__}.{kind.__qualname__}")


def call(system: bytes, data: bytes) -> dict[str, Any]:
    """The job as a line of a job file, or why it cannot be one."""
    try:
        value = pickle.loads(data)
        if system == b"r":
            function, instance, args, kwargs = value
        else:
            function, instance, (args, kwargs) = None, None, value[:2]
    except Exception as error:  # anything can happen in there
        return {"reason": "cannot be unpickled", "detail": f"{type(error).__name__}: {error}"[:500]}
    if instance is not None:
        return {"method": True}
    try:
        return {"function": function, "args": plain(args), "kwargs": plain(kwargs)}
    except Unfit as error:
        return {"reason": f"an argument that a job file cannot hold ({error})"}
    except RecursionError:
        return {"reason": "arguments nested too deeply"}


def main() -> None:
    sys.path[:0] = sys.argv[1:]
    source = sys.stdin.buffer
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the application prints is no answer
    while True:
        header = source.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        length, system = HEADER.unpack(header)
        answer = json.dumps(call(system, source.read(length))).encode()
        sink.write(LENGTH.pack(len(answer)) + answer)
        sink.flush()


main()
