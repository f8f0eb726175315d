"""Bare loops to measure forkbench against: no Redis, no Go, no accounts.

    bare.py fork N       socket pair, fork, one JSON frame to the child and one back, os._exit, wait4
    bare.py pingpong N   one child, one JSON frame to it and one back, again and again

Each starts when a line comes on standard input and prints how long it took, in seconds. Of
Python it has next to nothing: what the template imports beyond it, each fork pays for.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import time

LENGTH = struct.Struct(">I")


def job(*args: object) -> None:
    return None


def send(sock: socket.socket, value: object) -> None:
    body = json.dumps(value).encode()
    sock.sendall(LENGTH.pack(len(body)) + body)


def receive(sock: socket.socket) -> dict[str, object]:
    data = sock.recv(65536)
    (size,) = LENGTH.unpack_from(data)
    value: dict[str, object] = json.loads(data[4 : 4 + size])
    return value


def answer(sock: socket.socket) -> None:
    frame = receive(sock)
    job(*frame["args"])  # type: ignore[misc]
    send(sock, {"id": frame["id"], "status": "done"})


def fork_loop(n: int) -> None:
    for i in range(n):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            answer(theirs)
            os._exit(0)
        theirs.close()
        send(ours, {"id": i, "args": [i]})
        receive(ours)
        os.wait4(pid, 0)
        ours.close()


def pingpong_loop(n: int) -> None:
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        for _ in range(n):
            answer(theirs)
        os._exit(0)
    theirs.close()
    for i in range(n):
        send(ours, {"id": i, "args": [i]})
        receive(ours)


def main() -> None:
    mode, n = sys.argv[1], int(sys.argv[2])
    for module in sys.argv[3:]:
        sys.path.insert(0, os.path.dirname(module))
        __import__(os.path.basename(module).removesuffix(".py"))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    {"fork": fork_loop, "pingpong": pingpong_loop}[mode](n)
    print(time.monotonic() - began, flush=True)


main()
