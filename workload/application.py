"""How an application is set up, and how one of its jobs is called and what it returns kept.

One rule for everything that runs Python jobs here: the template, the jobs of a job file, and the
real Celery and RQ. docs/jobs.md is the text of it. The host sends this module beside the
application.

Standard library only, Python 3.9 and newer. Every fork inherits what is imported here: nothing
that the template has not imported already.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Mapping
from json import JSONEncoder
from types import CoroutineType

TYPE_CHECKING = False
if TYPE_CHECKING:  # every fork would pay for the import
    from typing import Any

# A result of so many bytes of JSON is kept, a larger one dropped.
MAX_RESULT = 1 << 20
MAX_REASON = 200

# What most jobs return: no coroutine.
PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, dict, tuple})


class NotFound(LookupError):
    """A name leads nowhere, or to what it cannot be used for: whoever gave it is to mend it."""


# -- Finding ------------------------------------------------------------------------------------


def attribute(reference: str) -> Any:
    """Returns what MODULE:NAME names; dots in the name reach into it."""
    module_name, _, path = reference.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise  # the module is there, and misses another
        raise NotFound(
            f"no module named {error.name!r} on sys.path ({os.pathsep.join(sys.path)}): name its folder with --path"
        ) from None
    walked = module_name
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            names = ", ".join(sorted(n for n in dir(found) if not n.startswith("_"))) or "nothing"
            raise NotFound(f"{walked} has no attribute {name!r}; it has {names}") from None
        walked += f".{name}"
    return found


def resolve(reference: str) -> Callable[..., Any]:
    """Returns the function that MODULE:FUNCTION names."""
    found = attribute(reference)
    if not callable(found):
        raise NotFound(f"{reference} is not callable: it is of type {type(found).__name__}")
    get_ready_for(found)
    return found  # type: ignore[no-any-return]


def get_ready_for(function: Callable[..., Any]) -> None:
    """Imports asyncio where the function is to be awaited: RQ's workers have it before they fork, too."""
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    if code is not None and code.co_flags & 0x80:  # inspect.CO_COROUTINE
        import asyncio  # noqa: F401


# -- What that leaves open ----------------------------------------------------------------------

steps: list[dict[str, Any]] = []  # what has been done, and left something; whoever tells the host of them clears them


def holdings() -> set[str]:
    """The descriptors and threads of this process."""
    found = {f"task {task}" for task in os.listdir("/proc/self/task")}
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the directory itself, closed by now
            found.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
    return found


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Notes what the body leaves open or starts, for the host to say where it came from."""
    before = holdings()
    yield
    left = holdings() - before
    if left:
        steps.append({"name": name, "left": sorted(left)})


def importing(reference: str) -> str:
    module = reference.partition(":")[0]
    return f"the import of {'the jobs' if module.startswith('forkbench_') else module}"


# -- Setting up ---------------------------------------------------------------------------------

entered: list[Any] = []  # context managers, to be left in the end
registries: list[Mapping[str, Any]] = []  # the tasks of Celery applications, by their names


def set_up(references: list[str]) -> None:
    """Does what --setup names, in this process: once, before the jobs' module is imported."""
    for reference in references:
        begin(reference, set_up_by(reference))


def set_up_by(reference: str) -> Any:
    """Returns what --setup=MODULE:NAME names. celery:PROJECT is what `celery -A PROJECT` finds."""
    try:
        return attribute(reference)
    except NotFound:
        module, _, project = reference.partition(":")
        if module != "celery" or module not in sys.modules:
            raise
    find_app: Any = attribute("celery.app.utils:find_app")
    try:
        return find_app(project)
    except (AttributeError, ImportError) as error:
        raise NotFound(f"{reference}: `celery -A {project}` would not find an application either: {error}") from None


def begin(reference: str, found: Any, returned: bool = False) -> None:
    """Makes use of what was named, or of what a function of that name returned."""
    made = f"{reference} returned" if returned else f"{reference} is"
    is_class = isinstance(found, type)
    if not is_class and hasattr(found, "tasks") and hasattr(getattr(found, "loader", None), "import_default_modules"):
        adopt(found)
    elif not is_class and callable(getattr(found, "app_context", None)):
        begin(f"{reference}.app_context()", found.app_context(), returned=True)  # an application of Flask
    elif hasattr(type(found), "__enter__") and hasattr(type(found), "__exit__"):
        found.__enter__()
        entered.append(found)
    elif hasattr(type(found), "__aenter__"):
        raise NotFound(
            f"{made} an asynchronous context manager ({type(found).__name__}), and no event loop outlives a job: "
            "name a function that returns an ordinary one, or do its work in the job"
        )
    elif isinstance(found, (Generator, AsyncGenerator)):
        raise NotFound(f"{made} a generator: put @contextlib.contextmanager above the function")
    elif returned:
        return
    elif callable(found):
        get_ready_for(found)
        begin(reference, awaited(found()), returned=True)
    else:
        raise NotFound(
            f"{made} of type {type(found).__name__}: name a function, a context manager, or an application of"
            " Flask or Celery"
        )


def adopt(app: Any) -> None:
    """Finds jobs by the names that an application of Celery's gives its tasks, as its worker does."""
    app.loader.import_default_modules()
    app.set_current()
    app.set_default()
    registries.append(app.tasks)


def task(name: str) -> Any:
    """Returns the task of that name, or None."""
    return next((tasks[name] for tasks in registries if name in tasks), None)


def leave() -> None:
    """Leaves what was entered, the last first. It is the end of the process: what goes wrong is only said."""
    while entered:
        manager = entered.pop()
        try:
            manager.__exit__(None, None, None)
        except BaseException as error:
            print(f"leaving {type(manager).__name__}: {type(error).__name__}: {error}", file=sys.stderr)


# -- Calling ------------------------------------------------------------------------------------


def awaited(result: Any) -> Any:
    """Returns what a job returned, awaited if that is a coroutine, in an event loop of its own as in RQ."""
    kind = type(result)
    if kind in PLAIN or (kind is not CoroutineType and not isinstance(result, Coroutine)):
        return result
    import asyncio  # not before it is needed: it takes longer than many a job

    return asyncio.run(result)


class Unwritable(Exception):
    """A value inside a result has no JSON form."""


def unwritable(value: object) -> Any:
    raise Unwritable(type(value).__name__)


ENCODER = JSONEncoder(allow_nan=False, default=unwritable)


def kept(result: object) -> tuple[bytes, str]:
    """Returns a job's result as JSON, or nothing and in a few words why it is dropped."""
    name = type(result).__name__
    try:
        if isinstance(result, str) and len(result) > MAX_RESULT:
            return b"", f"above 1 MiB: {name}"[:MAX_REASON]
        text = ENCODER.encode(result).encode()
    except Unwritable as error:
        inside = str(error)
        return b"", f"not JSON: {inside}{'' if inside == name else f' in a {name}'}"[:MAX_REASON]
    except (
        Exception
    ):  # no text for it: not a number, too deep, a circle, a key of another type, what its own code raises
        return b"", f"not JSON: {name}"[:MAX_REASON]
    if len(text) > MAX_RESULT:
        return b"", f"above 1 MiB: {name}"[:MAX_REASON]
    return text, ""
