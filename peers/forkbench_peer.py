"""What every process of a foreign job system shares: the application, and stamps around its jobs.

The host writes this file into a directory of the round, beside order.json (what to run, and on
which Redis), a driver (forkbench_celery.py, forkbench_rq.py) and a pipe. What happens is said on
the pipe, a line for each event, with times of CLOCK_MONOTONIC in nanoseconds:

    ready PID NOW USER_US SYSTEM_US WAITED_US    a process that was started waits for jobs; it has used
                                             that much, WAITED_US of it in children that it has waited for
    fork MAKER PID BEGAN NOW                 a child can take a job
    reap PID STATUS USER_US SYSTEM_US MINOR_FAULTS MAJOR_FAULTS NOW OWN    it was waited for; OWN is its
                                             CPU clock before that, without its children, or 0
    take JOB NOW                             a worker has a job in hand
    start JOB PID NOW                        the job's first instruction
    done JOB PID STARTED FINISHED CPU        its last
    kept JOB NOW                             its outcome is in Redis
    over JOB NOW                             and whoever had it can take the next

Lines are shorter than PIPE_BUF, so those of several processes do not mix.

Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Union
from urllib.parse import quote

if TYPE_CHECKING:
    from workload import application
else:
    import forkbench_application as application

DIRECTORY = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(DIRECTORY, "order.json")) as file:
    ORDER: dict[str, Any] = json.load(file)

# What a job is called with, or why its payload is none.
Call = Union[tuple[Sequence[Any], dict[str, Any]], Exception]

# Stands for a result that is not kept, beside the reason.
DROPPED = "forkbench: dropped"

function: Callable[..., Any] | None = None
is_set_up = False
pipe = -1
answer = sys.stdout


def say(line: bytes) -> None:
    """Tells the host. The pipe is opened once and inherited."""
    global pipe
    if pipe < 0:
        pipe = os.open(os.path.join(DIRECTORY, "pipe"), os.O_WRONLY)
    os.write(pipe, line)


def ready() -> None:
    """Says that this process, which the host started, waits for jobs."""
    own, waited_for = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    say(
        b"ready %d %d %d %d %d\n"
        % (
            os.getpid(),
            time.monotonic_ns(),
            round((own.ru_utime + waited_for.ru_utime) * 1e6),
            round((own.ru_stime + waited_for.ru_stime) * 1e6),
            round((waited_for.ru_utime + waited_for.ru_stime) * 1e6),
        )
    )


def used_by(pid: int) -> int:
    """The CPU clock of a child that has exited and was not waited for: its own, its children's not included."""
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)  # as clock_getcpuclockid(3) has it
    except OSError:
        return 0


def reaped(pid: int, status: int, used: resource.struct_rusage, own: int = 0) -> None:
    """Passes on what wait4 said of a child, and what it used itself if that is known."""
    say(
        b"reap %d %d %d %d %d %d %d %d\n"
        % (
            pid,
            status,
            round(used.ru_utime * 1e6),
            round(used.ru_stime * 1e6),
            used.ru_minflt,
            used.ru_majflt,
            time.monotonic_ns(),
            own,
        )
    )


def set_up() -> None:
    """Sets the application up, if this process did not inherit that."""
    global is_set_up
    if not is_set_up:
        is_set_up = True
        application.set_up(ORDER["setup"])


def leave() -> None:
    """Leaves what set_up entered, in the process that did."""
    application.leave()


def load() -> Callable[..., Any]:
    """Imports the application, if this process did not inherit it, and returns the jobs' function."""
    global function
    if function is None:
        set_up()
        function = application.resolve(ORDER["function"])
    return function


def warm() -> None:
    """Imports the application and does the one-time work that was named."""
    load()
    for reference in ORDER["warm"]:
        application.awaited(application.resolve(reference)())


def call_of(payload: str) -> Call:
    """Parses a payload, as template.py does: an array is positional arguments, an object keyword arguments."""
    try:
        value = json.loads(payload) if payload else []
    except (ValueError, RecursionError) as error:
        return error
    if isinstance(value, list):
        return value, {}
    if isinstance(value, dict):
        return (), value
    return (value,), {}


def run(job: int, payload: str) -> Any:
    """Is the task: it calls the jobs' function between two stamps.

    What it returns is kept by the rule of our own models, so that all do the same jobs: real Celery fails a task whose
    result is not JSON.
    """
    call = call_of(payload)
    pid = os.getpid()
    cpu = time.process_time_ns()
    started = time.monotonic_ns()
    say(b"start %d %d %d\n" % (job, pid, started))
    try:
        if isinstance(call, Exception):
            raise call
        called = function or load()
        result = application.awaited(called(*call[0], **call[1]))
    finally:
        finished = time.monotonic_ns()
        cpu = time.process_time_ns() - cpu
        if os.getpid() == pid:  # else the job forked, and this is its child come out of the job
            say(b"done %d %d %d %d %d\n" % (job, pid, started, finished, cpu))
    _, dropped = (b"", "") if result is None else application.kept(result)
    return {DROPPED: dropped} if dropped else result


def jobs() -> Iterator[tuple[int, str]]:
    """Yields what to enqueue: the numbers and payloads of the round's jobs."""
    with open(os.path.join(DIRECTORY, "jobs.jsonl")) as lines:
        for line in lines:
            job = json.loads(line)
            yield job["id"], job["payload"]


def answers() -> None:
    """Keeps standard output for outcomes: to read a job's result may run code of the application, which may print."""
    global answer
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)


def outcome(job: int, status: str, detail: str = "", result: object = None) -> None:
    """Says what became of a job, after answers(): done, failed, crashed, timed_out, or nothing known."""
    dropped = result.get(DROPPED, "") if isinstance(result, dict) and len(result) == 1 else ""
    try:
        text = "null" if dropped else json.dumps(result, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        text = "null"  # what the peer could store is its own matter
    known = json.dumps({"id": job, "status": status, "detail": detail[-65536:], "dropped": dropped})
    print(f'{known[:-1]}, "result": {text}}}', file=answer)


def security() -> dict[str, Any]:
    """Returns what redis-py is told of TLS."""
    import ssl  # most have none

    redis = ORDER["redis"]
    known = {"ssl_ca_certs": redis["cas"], "ssl_certfile": redis["cert"], "ssl_keyfile": redis["key"]}
    return {
        "ssl_cert_reqs": ssl.CERT_REQUIRED if redis["verify"] else ssl.CERT_NONE,
        "ssl_check_hostname": redis["check_name"],
        **{name: file for name, file in known.items() if file},
    }


def credentials() -> str:
    """Returns what stands before the host in a URL."""
    user, password = ORDER["redis"]["username"], ORDER["redis"]["password"]
    if not user and not password:
        return ""
    return f"{quote(user, safe='')}:{quote(password, safe='')}@"
