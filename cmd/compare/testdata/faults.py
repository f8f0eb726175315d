"""Jobs that do what they should not, to the comparison that runs them."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import sys
import threading
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


def luck(fails: bool) -> None:
    """Fail, or do not."""
    if fails:
        raise RuntimeError("no luck")


calls: list[int] = []


def once() -> None:
    """Fail from the second call in a process on, as what is set up once may."""
    calls.append(os.getpid())
    if calls.count(os.getpid()) > 1:
        raise RuntimeError("not twice")


def begin() -> None:
    """Start a thread, which must not be forked."""
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def waste(size: int) -> str:
    """Fail with a long message."""
    raise ValueError("x" * size)


def desert(path: str, hang: bool = False) -> None:
    """Leave a daemon asleep, without any mark of the run, and its number in a file; and hang if asked."""
    middle = os.fork()
    if middle == 0:
        os.setsid()
        if os.fork() == 0:
            pathlib.Path(path + ".new").write_text(str(os.getpid()))
            os.rename(path + ".new", path)
            os.execve("/bin/sleep", ["sleep", "600"], {})
        os._exit(0)
    os.waitpid(middle, 0)
    while hang:
        time.sleep(3600)


def disown() -> None:
    """Have a process burn 50 ms that nobody can wait for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        while time.process_time() < 0.05:
            pass
        os._exit(0)
    try:
        os.waitpid(child, 0)  # returns when it has ended, and has nothing to tell
    except ChildProcessError:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def strand() -> None:
    """Start a program that burns 50 ms, and do not wait for it."""
    text = "import time\nwhile time.process_time() < 0.05:\n    pass"
    os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-S", "-c", text])
