"""Runs one job, or a call, in a parent before it forks, and undoes what that leaves open: --warm=job,
--warm=undo:app:engine.connect.

What jobs do once is then done, whatever it is and whoever does it. But a parent that has run a job may
hold connections, databases, files: things that its forks must not share. They are given up by the means
of who holds them: a pool's or an engine's dispose, disconnect or close_all, else the close of what has
them; else their descriptors are closed beneath it. Each way is tried in a fork first, which has to do
the same again, with descriptors of its own. What cannot be undone is an error, and nothing is forked.

Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

NEAR = 12  # so many references away from what is open may stand what it belongs to
CROWD = 2000  # objects of one distance, at most
MOST = 12  # of those that can be closed
RELEASE = ("dispose", "disconnect", "close_all")  # what pools have: they go on afterwards


class NotUndone(RuntimeError):
    """A job leaves something in its process that forks must not have: leave it out of the parent."""


def job(call: Callable[[], Any]) -> list[str]:
    """Runs a job and undoes what it leaves open: returns that in words, a line for each."""
    return run(call, "the job that --warm=job runs in the parent", {})


def run(call: Callable[[], Any], what: str, named: dict[str, Any]) -> list[str]:
    """The same for any call, whose errors begin with what it is. Objects that it meets may get names in
    Python, by which they are told then."""
    hook = sys.getprofile()  # it is for the call, and would make the search here take minutes

    def profiled() -> None:
        sys.setprofile(hook)
        try:
            call()
        finally:
            sys.setprofile(None)

    sys.setprofile(None)
    try:
        return undone(profiled if hook is not None else call, what, named)
    finally:
        sys.setprofile(hook)


def undone(call: Callable[[], Any], what: str, named: dict[str, Any]) -> list[str]:
    had, threads = opened(), tasks()
    gc.collect()
    gc.freeze()  # what is there is out of sight: what the collector sees afterwards is new
    try:
        call()
        left = new(had)
        inner = holders(left, gc.get_objects()) if left else []
    finally:
        gc.unfreeze()
    more = tasks() - threads
    if more:
        raise NotUndone(
            f"{what} leaves {len(more)} more "
            f"{'thread' if len(more) == 1 else 'threads'} running ({', '.join(sorted(map(comm, more)))}), which forks "
            "do not have: have it end them, or warm by calls that start none"
        )
    if not left:
        return []
    words = ", ".join(sorted(left.values()))
    ways = ways_out(inner, named)
    for at in range(len(ways)):
        way = ways[at]
        if tried(way, call, left, inner, ways):
            ways.clear()
            way.go(left, inner)
            if not any(held(fd, left[fd]) for fd in left):
                return [f"{words}: {', '.join(way.names)}"]
    raise NotUndone(
        f"{what} leaves {words} open, which forks must not share, and it could not "
        "be given up so that the same still works: close it there, or at each fork: "
        "os.register_at_fork(before=connection.close), or by the pool that holds it "
        "(SQLAlchemy: engine.dispose, redis-py: connection_pool.disconnect)"
    )


# -- What is open -------------------------------------------------------------------------------


def opened() -> dict[int, str]:
    """What this process has open that forks must not share."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            fd, link = int(name), os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the directory itself, closed by now
        if matters(fd, link):
            found[fd] = link
    return found


def matters(fd: int, link: str) -> bool:
    if link.startswith(("socket:", "anon_inode:[eventpoll]", "anon_inode:[io_uring]", "anon_inode:inotify")):
        return True
    if not link.startswith("/") or link.startswith(("/dev/", "/memfd:")):
        return False
    try:
        with open(f"/proc/self/fdinfo/{fd}") as file:
            flags = next(int(line.split()[1], 8) for line in file if line.startswith("flags:"))
    except (OSError, StopIteration):
        return False
    return flags & os.O_ACCMODE != os.O_RDONLY and not flags & os.O_APPEND


def new(had: dict[int, str]) -> dict[int, str]:
    return {fd: link for fd, link in opened().items() if had.get(fd) != link}


def held(fd: int, link: str) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}") == link
    except OSError:
        return False


def tasks() -> set[str]:
    return set(os.listdir("/proc/self/task"))


def comm(task: str) -> str:
    try:
        with open(f"/proc/self/task/{task}/comm") as file:
            return file.read().strip()
    except OSError:
        return "ended meanwhile"


# -- How it can be given up ---------------------------------------------------------------------


class Way:
    """Calls to make, and what they were called when they were made."""

    def __init__(
        self, named: dict[str, Any], calls: list[tuple[Any, str]], below: bool = False, cutting: bool = False
    ) -> None:
        self.named, self.calls, self.below, self.cutting = named, calls, below, cutting
        self.names: list[str] = []

    def go(self, left: dict[int, str], inner: list[Any]) -> None:
        """Makes the calls. What else refers to things is emptied: some are only closed without that."""
        self.run(self.calls)
        others = []
        if self.below and any(held(fd, link) for fd, link in left.items()):
            others = pools(list(around(inner)))  # who has it now
        inner.clear()
        self.run(others)
        self.calls, others = [], []
        if self.cutting:
            cut(left)
            self.names.append("its descriptor, which is closed")

    def run(self, calls: list[tuple[Any, str]]) -> None:
        for owner, name in calls:
            text = called(owner, name, self.named)
            if text not in self.names:
                self.names.append(text)
            try:
                getattr(owner, name)()
            except Exception:  # of several, each is to be tried; what came of it is looked at
                continue


def ways_out(inner: list[Any], named: dict[str, Any]) -> list[Way]:
    """The ways, the best first: by a pool or what is above it; by closing what has taken it from a
    pool, the nearest first, and then by the pool; by closing what is open itself; by its descriptor."""
    rings = list(around(inner))
    found = [Way(named, [pool]) for pool in pools(rings)]
    users = [(owner, "close") for ring in rings[1:] for owner in ring if method(owner, "close")][:MOST]
    found += [Way(named, [user], below=True) for user in users]
    if len(users) > 1:
        found.append(Way(named, users, below=True))
    found.append(Way(named, [(owner, "close") for owner in inner if method(owner, "close")]))
    return [*found, Way(named, [], cutting=True)]


def pools(rings: list[list[Any]]) -> list[tuple[Any, str]]:
    """What can release what is open and go on afterwards, the outermost first."""
    return [(owner, name) for ring in reversed(rings) for owner in ring for name in RELEASE if method(owner, name)]


def cut(left: dict[int, str]) -> None:
    """Puts the end of a dead connection where each descriptor is: its number must not become another's."""
    for fd in left:
        one, other = socket.socketpair()
        os.dup2(one.fileno(), fd, inheritable=False)
        one.close()
        other.close()


def holders(left: dict[int, str], fresh: list[Any]) -> list[Any]:
    """The objects that are what is open; where none says so, the new ones that can be closed."""
    found = [owner for owner in fresh if method(owner, "fileno") and number(owner) in left]
    if len({number(owner) for owner in found}) == len(left):
        return found
    return found + [owner for owner in fresh if method(owner, "close") and not method(owner, "fileno")][:CROWD]


def number(owner: Any) -> int:
    try:
        fd = owner.fileno()
    except Exception:  # closed, or not for that
        return -1
    return fd if isinstance(fd, int) else -1


def around(inner: list[Any]) -> Iterator[list[Any]]:
    """The objects that refer to these, those that refer to them, and so on: instances only."""
    known = {id(inner), *map(id, inner)}
    ring = inner
    for _ in range(NEAR):
        if not ring:
            return
        yield [owner for owner in ring if not isinstance(owner, (dict, list, tuple, set))]
        known.add(id(ring))
        outer = []
        for owner in gc.get_referrers(*ring):
            if id(owner) in known or isinstance(owner, (type, types.ModuleType, types.FrameType, types.FunctionType)):
                continue
            if isinstance(owner, dict) and "__name__" in owner and "__builtins__" in owner:
                continue  # a module's variables: what has them is everything
            known.add(id(owner))
            outer.append(owner)
        ring = outer[:CROWD]


def method(owner: Any, name: str) -> bool:
    """Reports whether its class has a method of that name that needs nothing; a proxy is not asked."""
    found = next((vars(c)[name] for c in type(owner).__mro__ if name in vars(c)), None)
    if found is None or not callable(found) or isinstance(owner, type):
        return False
    code = getattr(found, "__code__", None)
    if code is None:
        return type(found).__name__ in ("method_descriptor", "cython_function_or_method")
    if code.co_flags & 0x2A0:  # a coroutine's, a generator's: calling it does nothing
        return False
    positional = code.co_argcount - len(found.__defaults__ or ())
    return bool(positional <= 1 and code.co_kwonlyargcount <= len(found.__kwdefaults__ or ()))


def called(owner: Any, name: str, named: dict[str, Any]) -> str:
    """How it is called: by a name that it has here, by a module's variable, else by what it is."""
    for known, value in named.items():
        if value is owner:
            return f"{known}.{name}()"
    for module in list(sys.modules.values()):
        space = getattr(module, "__dict__", None) or {}
        for key, value in list(space.items()):
            if value is owner and not key.startswith("_"):
                return f"{module.__name__}.{key}.{name}()"
    return f"{name}() of the {type(owner).__module__}.{type(owner).__qualname__}"


# -- Trying it ----------------------------------------------------------------------------------


def tried(way: Way, call: Callable[[], Any], left: dict[int, str], inner: list[Any], ways: list[Way]) -> bool:
    """Reports whether in a fork that goes this way nothing of what was open is, and the job works, and
    opens its own: one that works without has not noticed yet that what it has is dead."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        ways.clear()
        prove(way, call, left, inner)
    _, status = os.waitpid(child, 0)
    return status == 0


def prove(way: Way, call: Callable[[], Any], left: dict[int, str], inner: list[Any]) -> NoReturn:
    status = 1
    try:
        way.go(left, inner)
        if not any(held(fd, link) for fd, link in left.items()):
            before = opened()
            call()
            status = 0 if new(before) else 1
    except BaseException:  # it is the answer
        status = 1
    finally:
        os._exit(status)
