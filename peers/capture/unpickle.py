"""Decodes pickled jobs for `compare record --unpickle`, in the interpreter that the user named.

Reads from standard input: the length of a pickle (4 bytes, big-endian), whose it is (r for RQ, c for
Celery, m for one of Celery's own tasks), and the pickle. Answers each with a length and a JSON
object. The job file can hold what JSON can, and what Celery writes as {"__type__": ...,
"__value__": ...}; a tuple becomes an array.

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


# Celery's tasks whose arguments are signatures of others.
CANVAS = {"celery.map", "celery.starmap", "celery.chunks", "celery.group", "celery.chord"}


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


def bare(value: Any) -> Any:
    """The signatures of Celery's canvas as the dicts that they are, for its own tasks that call others."""
    if isinstance(value, dict) and type(value).__module__ == "celery.canvas":
        return {key: bare(item) for key, item in value.items() if key not in ("options", "chord_size")}
    if type(value) is dict:
        return {key: bare(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [bare(item) for item in value]
    return value


def follows(options: Any) -> str:
    """What Celery sends when the job has returned."""
    if isinstance(options, dict):
        for key, text in (("chain", "a chain"), ("chord", "a chord"), ("callbacks", "callbacks")):
            if options.get(key):
                return text
    return ""


def when(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.datetime) else value if isinstance(value, str) else None


def celery(value: Any) -> dict[str, Any]:
    """A body of protocol 1, which is a dict with all, or of protocol 2."""
    if isinstance(value, dict):
        job = {"function": value["task"], "args": value.get("args") or (), "kwargs": value.get("kwargs") or {}}
        return {**job, "eta": when(value.get("eta")), "expires": when(value.get("expires")), "follows": follows(value)}
    args, kwargs = value[:2]
    return {"args": args, "kwargs": kwargs, "follows": follows(value[2] if len(value) > 2 else None)}


def call(system: bytes, data: bytes) -> dict[str, Any]:
    """The job as a line of a job file, or why it cannot be one."""
    try:
        value = pickle.loads(data)
        if system == b"r":
            function, instance, args, kwargs = value
            if instance is not None:
                return {"method": True}
            job = {"function": function, "args": args, "kwargs": kwargs}
        else:
            job = celery(value)
    except Exception as error:  # anything can happen in there
        return {"reason": "cannot be unpickled", "detail": f"{type(error).__name__}: {error}"[:500]}
    try:
        args, kwargs = job["args"], job["kwargs"]
        if system == b"m" or (system == b"c" and job.get("function") in CANVAS):
            # To a task that the user wrote, a signature is given as one: a job file cannot hold that.
            args, kwargs = bare(args), bare(kwargs)
        return {**job, "args": plain(args), "kwargs": plain(kwargs)}
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
