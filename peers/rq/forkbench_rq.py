"""Drives RQ: enqueues a round's jobs, runs workers on them, reads their outcomes.

A worker is a script that makes RQ's own Worker and calls work(), as `rq worker` does and as RQ's
documentation advises where the application is to be imported before the fork ("Performance
notes"). Subclasses put stamps on the host's pipe and leave the rest alone.
"""

from __future__ import annotations

import math
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peers import forkbench_peer as peer
else:
    import forkbench_peer as peer

ORDER = peer.ORDER
SETTINGS: dict[str, Any] = ORDER["settings"]
REDIS: dict[str, Any] = ORDER["redis"]
os.environ["RQ_KEY_PREFIX"] = ORDER["prefix"]  # before rq is imported

import redis  # noqa: E402
import rq  # noqa: E402
import rq.defaults  # noqa: E402
import rq.worker  # noqa: E402
from rq.job import Job  # noqa: E402

try:
    from rq.results import Result
except ImportError:  # before 1.12, a job has its result itself
    Result = None  # type: ignore[assignment,misc]

# Before 3.0 there is only one prefix, and the host has seen to it that the server is ours alone.
if getattr(rq.defaults, "RQ_KEY_PREFIX", "rq") != ORDER["prefix"]:
    sys.exit(f"rq {rq.__version__} keeps its keys under another prefix than {ORDER['prefix']}")

KEPT = 24 * 3600  # seconds that outcomes are kept: they are removed at the end of the round


def connect() -> redis.Redis:
    known: dict[str, Any] = {
        "db": REDIS["db"],
        "username": REDIS["username"] or None,
        "password": REDIS["password"] or None,
    }
    if REDIS["socket"]:
        return redis.Redis(unix_socket_path=REDIS["socket"], **known)
    if REDIS["tls"]:
        known.update(ssl=True, **peer.security())
    return redis.Redis(host=REDIS["host"], port=REDIS["port"], **known)


class Stamped(getattr(rq.worker, "BaseWorker", rq.Worker)):  # type: ignore[misc]  # Worker is the base before 1.14
    """What all kinds of worker have in common."""

    said_ready = False

    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> Any:
        if not self.said_ready:
            self.said_ready = True
            peer.ready()
        return super().dequeue_job_and_maintain_ttl(*args, **kwargs)

    def execute_job(self, job: Any, queue: Any) -> None:
        peer.say(b"take %d %d\n" % (int(job.id), time.monotonic_ns()))
        super().execute_job(job, queue)
        peer.say(b"over %d %d\n" % (int(job.id), time.monotonic_ns()))

    def perform_job(self, job: Any, *args: Any, **kwargs: Any) -> bool:
        performed: bool = super().perform_job(job, *args, **kwargs)
        peer.say(b"kept %d %d\n" % (int(job.id), time.monotonic_ns()))
        return performed


class Forking(Stamped):
    """What the two that start a process for each job have in common."""

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        began = time.monotonic_ns()
        super().fork_work_horse(job, queue)
        peer.say(b"fork %d %d %d %d\n" % (os.getpid(), self.horse_pid, began, time.monotonic_ns()))

    def wait_for_horse(self) -> Any:
        waited = super().wait_for_horse()
        pid, status, *used = waited
        if pid and used and used[0]:
            peer.reaped(pid, status or 0, used[0])
        return waited


class Worker(Forking, rq.Worker):
    """A fork for each job."""


class SimpleWorker(Stamped, rq.SimpleWorker):
    """All jobs in the worker itself."""


KINDS: dict[str, type[Stamped]] = {kind.__name__: kind for kind in (Worker, SimpleWorker)}

if hasattr(rq, "SpawnWorker"):  # since 2.2

    class SpawnWorker(Forking, rq.SpawnWorker):
        """A new interpreter for each job."""

    KINDS["SpawnWorker"] = SpawnWorker


class Waiting:
    """The module os as an old RQ sees it: waitpid passes on what the child used."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @staticmethod
    def waitpid(pid: int, options: int) -> tuple[int, int]:
        waited, status, used = os.wait4(pid, options)
        if waited:
            peer.reaped(waited, status, used)
        return waited, status


if "wait4" not in rq.Worker.wait_for_horse.__code__.co_names:  # before 1.13
    vars(rq.worker)["os"] = Waiting()


def enqueue() -> None:
    queue = rq.Queue(ORDER["queue"], connection=connect())
    # In whole seconds, as RQ has it; -1 is no limit.
    limit = math.ceil(ORDER["timeout"]) or -1
    batch: list[Any] = []

    def flush() -> None:
        queue.enqueue_many(batch)
        batch.clear()

    for job, payload in peer.jobs():
        batch.append(
            rq.Queue.prepare_data(
                "forkbench_peer.run",
                (job, payload),
                timeout=limit,
                result_ttl=KEPT,
                failure_ttl=KEPT,
                job_id=str(job),
            )
        )
        if len(batch) == 500:
            flush()
    flush()


def work() -> None:
    peer.is_parent = SETTINGS["class"] == "Worker"  # the others' jobs are run in no fork
    peer.set_up()
    if SETTINGS["preload"] or ORDER["warm"]:
        peer.warm()
    peer.hold(hand_down=True)
    connection = connect()
    worker = KINDS[SETTINGS["class"]]([ORDER["queue"]], connection=connection)
    worker.work(logging_level="WARNING")
    peer.leave()


def collect() -> None:
    peer.answers()
    connection = connect()
    ids = [job for job, _ in peer.jobs()]
    for at in range(0, len(ids), 500):
        part = ids[at : at + 500]
        found = Job.fetch_many([str(job) for job in part], connection)
        if Result is None:
            for number, job in zip(part, found):
                collect_one(number, job)
            continue
        with connection.pipeline(transaction=False) as pipeline:
            for number in part:
                pipeline.xrevrange(Result.get_key(str(number)), "+", "-", count=1)  # type: ignore[no-untyped-call]
            results = pipeline.execute()
        for number, job, stored in zip(part, found, results):
            status = job.get_status(refresh=False) if job else None
            result = restored(number, stored[0][0], stored[0][1], connection) if stored else None
            if result is None or status not in ("finished", "failed"):
                peer.outcome(number, "")
            elif status == "finished":
                peer.outcome(number, "done", result=result.return_value)
            else:
                detail = result.exc_string or ""
                peer.outcome(number, end_of(detail), detail)


def collect_one(number: int, job: Any) -> None:
    """Says what became of a job of an RQ that has no results apart from jobs."""
    status = job.get_status(refresh=False) if job else None
    if status == "finished":
        peer.outcome(number, "done", result=job.result)
    elif status == "failed":
        detail = job.exc_info or ""
        peer.outcome(number, end_of(detail), detail)
    else:
        peer.outcome(number, "")


def restored(job: int, entry: bytes, fields: dict[bytes, bytes], connection: redis.Redis) -> Result:
    """The stored result; without what the job returned if that is a pickle that cannot be read again."""
    try:
        return Result.restore(str(job), entry.decode(), fields, connection)
    except (Exception, SystemExit):  # unpickling runs code of the application
        known = {name: value for name, value in fields.items() if name != b"return_value"}
        return Result.restore(str(job), entry.decode(), known, connection)


def end_of(detail: str) -> str:
    """What kind of failure it was: RQ has one status for all, and says more in words."""
    last = detail.strip().rpartition("\n")[2]
    if last.startswith("rq.timeouts.JobTimeoutException"):
        return "timed_out"
    if re.match("Work-horse (was )?terminated unexpectedly", detail):
        return "crashed"
    return "failed"
