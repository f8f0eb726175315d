"""Drives Celery: enqueues a round's jobs, runs `celery worker` on them, reads their outcomes.

The worker is Celery's own, unchanged, started as `celery worker --pool=prefork` does. What is
added are receivers of its signals, which put stamps on the host's pipe, and a waitpid that is
wait4, which tells what a child has used.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

import billiard.popen_fork
from celery import Celery, signals

if TYPE_CHECKING:
    from peers import forkbench_peer as peer
else:
    import forkbench_peer as peer

ORDER = peer.ORDER
SETTINGS: dict[str, Any] = ORDER["settings"]
REDIS: dict[str, Any] = ORDER["redis"]

if REDIS["socket"]:
    URL = f"redis+socket://{peer.credentials()}{REDIS['socket']}?virtual_host={REDIS['db']}"
else:
    scheme = "rediss" if REDIS["tls"] else "redis"
    URL = f"{scheme}://{peer.credentials()}{REDIS['host']}:{REDIS['port']}/{REDIS['db']}"

app = Celery("forkbench", broker=URL, backend=URL, set_as_current=True)
app.conf.update(
    broker_connection_retry_on_startup=False,
    broker_transport_options={"global_keyprefix": ORDER["prefix"]},
    result_backend_transport_options={"global_keyprefix": ORDER["prefix"]},
    task_default_queue=ORDER["queue"],
    task_time_limit=ORDER["timeout"] or None,
    worker_max_tasks_per_child=SETTINGS["max_tasks_per_child"] or None,
)
if REDIS["tls"]:
    app.conf.update(broker_use_ssl=peer.security(), redis_backend_use_ssl=peer.security())
task = app.task(name="forkbench.run")(peer.run)

main = 0  # the worker's main process
began = 0  # its last fork


def enqueue() -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for job, payload in peer.jobs():
            task.apply_async((job, payload), task_id=str(job), producer=producer)


def work() -> None:
    global main
    main = os.getpid()
    peer.is_parent = True
    signals.worker_init.connect(on_init)
    peer.warm()
    app.set_current()  # again: the application may have made one of its own
    app.set_default()
    # After those of the application's, which may open something in the main process or close it in a child.
    signals.worker_init.connect(after_init)
    signals.worker_process_init.connect(on_child)
    billiard.popen_fork.os = Waiting()
    try:
        app.worker_main(
            [
                "worker",
                "--pool=prefork",
                f"--concurrency={ORDER['workers']}",
                f"--hostname=forkbench-{main}@%h",
                "--loglevel=WARNING",
            ]
        )
    finally:
        if os.getpid() == main:
            peer.leave()


class Waiting:
    """The module os as billiard sees it: waitpid passes on what the child used."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @staticmethod
    def waitpid(pid: int, options: int) -> tuple[int, int]:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | options) if pid > 0 else None
        own = peer.used_by(pid) if ended else 0
        waited, status, used = os.wait4(pid, options)
        if waited:
            peer.reaped(waited, status, used, own)
        return waited, status


initializing = contextlib.ExitStack()


def on_init(**_: object) -> None:
    initializing.enter_context(peer.step("the receivers of worker_init"))


def after_init(**_: object) -> None:
    initializing.close()
    peer.hold()


def on_ready(**_: object) -> None:
    peer.ready()


def on_fork(**_: object) -> None:
    global began
    began = time.monotonic_ns()


def on_child(**_: object) -> None:
    peer.look()
    peer.say(b"fork %d %d %d %d\n" % (main, os.getpid(), began, time.monotonic_ns()))


def on_stored(task_id: str, **_: object) -> None:
    """Runs in the child, when the outcome has been stored."""
    peer.say(b"over %d %d\n" % (int(task_id), time.monotonic_ns()))


def on_lost(task_id: str, **_: object) -> None:
    """Runs in the main process for a job whose child is gone; a child's own failures come to on_stored."""
    if os.getpid() == main:
        peer.say(b"over %d %d\n" % (int(task_id), time.monotonic_ns()))


signals.worker_ready.connect(on_ready)
signals.worker_before_create_process.connect(on_fork)
signals.task_postrun.connect(on_stored)
signals.task_failure.connect(on_lost)

ENDS = {"WorkerLostError": "crashed", "TimeLimitExceeded": "timed_out"}


def collect() -> None:
    peer.answers()
    ids = [job for job, _ in peer.jobs()]
    backend = app.backend
    for at in range(0, len(ids), 500):
        part = ids[at : at + 500]
        found = backend.mget([backend.get_key_for_task(str(job)) for job in part])
        for job, text in zip(part, found):
            if not text:
                peer.outcome(job, "")
                continue
            meta = backend.decode(text)
            if meta["status"] == "SUCCESS":
                peer.outcome(job, "done", result=meta["result"])
            else:
                error = meta["result"] if isinstance(meta["result"], dict) else {}
                kind = str(error.get("exc_type", meta["status"]))
                detail = meta.get("traceback") or f"{kind}: {error.get('exc_message', '')}"
                peer.outcome(job, ENDS.get(kind, "failed"), detail)
