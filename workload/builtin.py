"""The small built-in Python jobs of forkbench, each of which does one thing.

Only the standard library is used, Python 3.9 and newer. record_event has a module
of its own, workload/recordevent/record_event.py; where it is part of a mix, this
module gets it when it is imported.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # every fork would pay for what is imported here
    from collections.abc import Callable
    from typing import Any

_PAGE = 4096
_ballast = bytearray()
_kept: list[bytearray] = []


def noop(*_args: Any, **_kwargs: Any) -> None:
    """Do nothing."""


def cpu(seconds: float) -> None:
    """Compute for that long, in CPU time of this process."""
    end = time.process_time() + seconds
    state = 1
    while time.process_time() < end:
        for _ in range(200):
            state = state * 6364136223846793005 + 1442695040888963407 & 0xFFFFFFFFFFFFFFFF


def io(seconds: float) -> None:
    """Wait for that long, as for an answer from a network."""
    time.sleep(seconds)


def hold(size: int) -> None:
    """Take memory for touch to write to. It is called where the module is imported."""
    global _ballast
    _ballast = allocate(size)


def allocate(size: int) -> bytearray:
    """Return memory that is really there: each of its pages was written to."""
    memory = bytearray(size)
    memory[::_PAGE] = b"\x01" * len(range(0, size, _PAGE))
    return memory


def touch(size: int) -> None:
    """Write one byte to each page of that much of the memory that hold took.

    In a forked child each of these writes copies the page.
    """
    _ballast[:size:_PAGE] = b"\x02" * len(range(0, size, _PAGE))


def leak(size: int) -> None:
    """Take memory and never give it back."""
    _kept.append(allocate(size))


def crash(die: bool = True) -> None:
    """End this process as a wild pointer in an extension module would, or do nothing."""
    if die:
        import resource
        import signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # leave no core file behind
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)


def hang(forever: bool = True) -> None:
    """Never return, or do nothing."""
    while forever:
        time.sleep(3600)


_CLASSES: dict[str, Callable[..., Any]] = {job.__name__: job for job in (noop, cpu, io, touch, leak, crash, hang)}


def mixed(job: str, args: list[Any]) -> Any:
    """Run one of the other jobs: the classes of a mix."""
    return _CLASSES[job](*args)
