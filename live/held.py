"""Tells which threads of Python's own a process has, and which locks are taken in it.

The host sends this text to a process with several threads before it forks, and to a fork of it:
what is locked there stays locked, for whoever could unlock it is not in the fork. In a process that
runs no jobs; it may take a second.

Standard library only, Python 3.9 and newer. It imports nothing that is not loaded: a module's lock
may be one of those.
"""

from __future__ import annotations

import _thread
import gc
import sys
from types import FrameType, ModuleType
from typing import Any

MOST = 20  # of each are told
OWNERS = 100  # of the locks' owners are looked at
TYPES = (_thread.LockType, _thread.RLock)


def held() -> dict[str, Any]:
    return {"threads": threads()[:MOST], "locks": locks()[:MOST]}


def threads() -> list[dict[str, Any]]:
    """Python's threads but this one: the kernel's number (0 if not known), name, and what runs."""
    me, known, found = _thread.get_ident(), {}, []
    if "threading" in sys.modules:
        known = dict(sys.modules["threading"]._active)
    for ident, frame in list(sys._current_frames().items()):
        if ident == me:
            continue
        thread = known.get(ident)
        found.append(
            {
                "tid": getattr(thread, "native_id", None) or 0,
                "name": getattr(thread, "name", ""),
                "runs": runs(thread, frame),
            }
        )
    return found


def runs(thread: Any, frame: FrameType) -> str:
    """The function that a thread was started for, as far as can be told."""
    target: Any = getattr(thread, "_target", None)
    target = getattr(target, "func", target)  # of a partial
    if target is None and thread is not None and "run" in vars(type(thread)):
        target = type(thread).run
    if hasattr(target, "__qualname__"):
        return f"{target.__module__}.{target.__qualname__}"
    outer: FrameType | None = frame
    while outer is not None:
        frame, outer = outer, outer.f_back
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_name}"


def locks() -> list[str]:
    """The names of the locks that are taken by none of this thread's doing."""
    frozen = gc.get_freeze_count()
    if frozen:
        gc.unfreeze()  # the collector does not show what is
    try:
        return sorted({name for name in map(name_of, taken(gc.get_objects())) if name})
    finally:
        if frozen:
            gc.freeze()


def taken(objects: list[Any]) -> list[Any]:
    found = {}
    for each in objects:
        if type(each) in TYPES:  # isinstance would ask a proxy what it stands for
            found[id(each)] = each
        elif type(each) is dict and sys.version_info < (3, 10):  # there the collector knows no locks
            found.update({id(value): value for value in list(each.values()) if type(value) in TYPES})
    mine = f"owner={_thread.get_ident()} "
    return [lock for lock in found.values() if repr(lock).startswith("<locked") and mine not in repr(lock)]


def name_of(lock: Any) -> str:
    """Where the lock is kept: a module's variable, else an attribute, else nothing.

    A lock that only a queue of waiters or a frame has is one that somebody waits by, and is taken
    for that.
    """
    best = ""
    for owner in gc.get_referrers(lock)[:OWNERS]:
        if type(owner) is dict:
            key = next((k for k, v in list(owner.items()) if v is lock), None)
            module = module_of(owner)
            if module:
                return "" if module in INTERNAL else f"{module}.{key}"
            for instance in gc.get_referrers(owner)[:OWNERS]:
                if getattr(instance, "__dict__", None) is owner:
                    best = attribute(instance, str(key), best)
        elif not isinstance(owner, ModuleType):
            for key in attributes(owner):
                if getattr(owner, key, None) is lock:
                    best = attribute(owner, key, best)
    return best


# Their locks are made anew in a fork, or are Python's own.
INTERNAL = {"threading", "_frozen_importlib", "importlib._bootstrap", "_thread", "logging"}


def attribute(owner: Any, key: str, best: str) -> str:
    """The name of an owner's lock, or the one that is known if that is better."""
    kind = type(owner)
    if kind.__module__ in INTERNAL and (best or kind.__name__ not in ("Condition", "Event")):
        return best
    if key == "_tstate_lock" or kind.__name__ in ("frame", "builtin_function_or_method", "method", "cell"):
        return best
    for holder in gc.get_referrers(owner)[:OWNERS]:
        if type(holder) is dict and module_of(holder):
            name = next((k for k, v in list(holder.items()) if v is owner), "")
            return f"{module_of(holder)}.{name}.{key}"
    return f"{kind.__module__}.{kind.__qualname__}.{key}"


def attributes(owner: Any) -> list[str]:
    names = list(getattr(owner, "__dict__", ()))
    for kind in type(owner).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return names


def module_of(names: dict[Any, Any]) -> str:
    """The module whose variables these are."""
    name = names.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return name if module is not None and getattr(module, "__dict__", None) is names else ""  # type: ignore[return-value]
