"""Calls the functions that the jobs of a job file name.

All of them are imported with this module, so that no job imports its own. A task of Celery is
called as a function, in this process.

Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import importlib
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workload import application
else:
    import forkbench_application as application

NotFound = application.NotFound

FUNCTIONS: dict[str, Callable[..., Any]] = {}

# What Celery's JSON (kombu.utils.json) writes as {"__type__": ..., "__value__": ...}.
DECODERS: dict[str, Callable[[Any], Any]] = {
    "datetime": datetime.datetime.fromisoformat,
    "date": lambda text: datetime.datetime.fromisoformat(text).date(),
    "time": datetime.time.fromisoformat,
    "decimal": decimal.Decimal,
    "uuid": lambda fields: uuid.UUID(**fields),
    "bytes": str.encode,
    "base64": base64.b64decode,
}


def readings(name: str) -> Iterator[tuple[str, str]]:
    """The ways to part a name into a module and a path in it, the longest module first."""
    module, colon, path = name.partition(":")
    if colon:
        yield module, path
        return
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:count]), ".".join(parts[count:])


def find(name: str) -> Callable[..., Any]:
    """The function of that name: a task's own name in an application of Celery that was set up, or a path."""
    known = application.task(name)
    if known is not None:
        return known  # type: ignore[no-any-return]
    if not all(part.isidentifier() for part in name.replace(":", ".", 1).split(".")):
        raise NotFound(f"{name}: no path of a function, and the name of no task")
    for module_name, path in readings(name):
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise  # the module is there, and misses another
            continue
        for part in path.split("."):
            if not hasattr(found, part):
                raise NotFound(f"{name}: {module_name} has no {path}")
            found = getattr(found, part)
        if not callable(found):
            raise NotFound(f"{name}: is not callable, but of type {type(found).__name__}")
        application.get_ready_for(found)
        return found  # type: ignore[no-any-return]
    if "." not in name and ":" not in name:
        raise NotFound(f"{name}: neither the path of a function nor the name of a task")
    raise NotFound(f"{name}: no such module on sys.path")


def load(names: list[str]) -> None:
    """Finds all functions, or says which are not there."""
    problems = []
    for name in names:
        try:
            FUNCTIONS[name] = find(name)
        except NotFound as error:
            problems.append(str(error))
    if problems:
        shown = "; ".join(problems[:10]) + ("; ..." if len(problems) > 10 else "")
        raise NotFound(
            f"{len(problems)} of {len(names)} functions not found: {shown}. Name their folder with --path, or take"
            " their lines out of the file; a task of Celery with a name of its own is found with"
            " --setup=MODULE:APP (its application), or needs `compare record --map`"
        )


def restored(value: Any) -> Any:
    """The value, with what stands for other types in place of it."""
    if isinstance(value, list):
        return [restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"__type__", "__value__"}:
        kind = value["__type__"]
        if kind not in DECODERS:
            raise ValueError(f"an argument of type {kind!r}: only {', '.join(DECODERS)} are known")
        return DECODERS[kind](value["__value__"])
    return {key: restored(item) for key, item in value.items()}


def run(function: str, args: list[Any], kwargs: dict[str, Any], tagged: bool = False) -> Any:
    """Runs one job. A coroutine is for the caller to await, as any job's."""
    if tagged:
        args, kwargs = restored(args), restored(kwargs)
    return FUNCTIONS[function](*args, **kwargs)
