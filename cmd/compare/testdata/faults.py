"""Jobs that do what they should not, to the comparison that runs them."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import time


def mark(path: str, hang: bool = False) -> None:
    """Leave a file, and hang if asked."""
    pathlib.Path(path).touch()
    while hang:
        time.sleep(3600)


def remove(directory: str) -> None:
    """Remove a directory with all that is in it."""
    shutil.rmtree(directory, ignore_errors=True)


def occupy(path: str) -> None:
    """Put a directory where a file is going to be written."""
    os.makedirs(os.path.join(path, "occupied"), exist_ok=True)


def flush(address: str) -> None:
    """Empty the Redis server on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(address)
        s.sendall(b"FLUSHALL\r\n")
        s.recv(64)


def kill(pid: int) -> None:
    """Kill a process, the Redis server say."""
    os.kill(pid, signal.SIGKILL)


def waste(size: int) -> str:
    """Fail with a long message."""
    raise ValueError("x" * size)
