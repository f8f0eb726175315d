"""A job that does what its payload says: the faults that a job can have.

It is what the conformance suite and the fault tests run. Only the standard
library is used, Python 3.9 and newer.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def act(do: str, **options: Any) -> Any:
    """Call one of the functions below: do is its name, the options are its arguments."""
    if do not in _ACTIONS:
        raise ValueError(f"do: {do!r} is none of {', '.join(_ACTIONS)}")
    return _ACTIONS[do](**options)


def done(value: Any = None, size: int = 0) -> Any:
    """Return a value, or a text of that size."""
    return "x" * size if size else value


def fail(message: str = "told to fail", error: str = "RuntimeError") -> None:
    """Raise the named built-in exception, KeyboardInterrupt and GeneratorExit included."""
    import builtins

    raise getattr(builtins, error)(message)


def sysexit(code: int = 3) -> None:
    """Raise SystemExit, as code does that was written as a script."""
    sys.exit(code)


def crash(signum: int = signal.SIGSEGV) -> None:
    """Die of a signal: 11 as by a wild pointer, 9 as by the out-of-memory killer."""
    _no_core_file()
    if signum != signal.SIGKILL:
        signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


def segv() -> None:
    """Read from address 0."""
    import ctypes

    _no_core_file()
    ctypes.string_at(0)


def _no_core_file() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def leave(code: int = 3) -> None:
    """End the process in the middle of the job."""
    os._exit(code)


def hang(ignore: bool = False) -> None:
    """Sleep for ever; deaf to SIGTERM and SIGINT if asked."""
    if ignore:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        time.sleep(3600)


def spin() -> None:
    """Compute for ever."""
    while True:
        pass


def closefd(low: int = 3, high: int = 1024) -> None:
    """Close file descriptors that belong to others."""
    os.closerange(low, high)


def fork() -> str:
    """Fork, and return on both sides."""
    return "child" if os.fork() == 0 else "parent"


def stray(seconds: float = 600) -> int:
    """Leave a detached process behind, asleep, that holds what it inherited."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        time.sleep(seconds)  # not for ever, in case nobody finds it
        os._exit(0)
    return pid


def orphan(seconds: float = 600) -> None:
    """Fork a process that sleeps and holds what it inherited, and die."""
    if os.fork() == 0:
        time.sleep(seconds)  # not for ever, in case nobody finds it
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def nan() -> float:
    """Return what JSON has no number for."""
    return float("nan")


def thread(seconds: float = 600) -> int:
    """Leave a thread running, and return how many there are."""
    threading.Thread(target=time.sleep, args=(seconds,), name="left-behind", daemon=True).start()
    return threading.active_count()


def pid() -> int:
    """Return which process runs the job."""
    return os.getpid()


def output(size: int = 1, stream: str = "stdout") -> None:
    """Print that many bytes."""
    line = "x" * 1023 + "\n"
    out = getattr(sys, stream)
    for _ in range(size // len(line)):
        out.write(line)
    out.write(line[: size % len(line)])
    out.flush()


def chdir(path: str = "/") -> None:
    """Change the working directory."""
    os.chdir(path)


def notjson() -> Any:
    """Return something that has no JSON form."""
    return {1, 2, 3}


def alloc(size: int) -> int:
    """Take that much memory, write to all of it, and give it back."""
    return len(b"\x01" * size)


_ACTIONS: dict[str, Callable[..., Any]] = {
    "done": done,
    "fail": fail,
    "sysexit": sysexit,
    "crash": crash,
    "segv": segv,
    "exit": leave,
    "hang": hang,
    "spin": spin,
    "closefd": closefd,
    "fork": fork,
    "stray": stray,
    "orphan": orphan,
    "nan": nan,
    "thread": thread,
    "pid": pid,
    "print": output,
    "chdir": chdir,
    "notjson": notjson,
    "alloc": alloc,
}
