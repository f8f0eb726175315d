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
    hold PID                                 the application has left something in a process that forks: held-PID.json
                                             says what, and what Python knows of it
    look MAKER PID                           what of that is in a fork can be looked at; held-PID.json likewise

After the last two, the host writes a byte to turn-PID or turn-MAKER when it has looked.

Lines are shorter than PIPE_BUF, so those of several processes do not mix.

Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Union
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

# Seconds that the host may take to look.
PATIENCE = 10

function: Callable[..., Any] | None = None
is_set_up = False
is_parent = False  # of forks that run jobs: what it does before them is noted
holder = 0  # the process that has something to hand down
is_threaded = False  # threads among it
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


def step(name: str) -> contextlib.AbstractContextManager[None]:
    """Notes what the body leaves open or starts, in a process whose forks would have it."""
    return application.step(name) if is_parent else contextlib.nullcontext()


def set_up() -> None:
    """Sets the application up, if this process did not inherit that."""
    global is_set_up
    if not is_set_up:
        is_set_up = True
        for reference in ORDER["setup"]:
            with step(f"--setup={reference}"):
                application.set_up([reference])


def leave() -> None:
    """Leaves what set_up entered, in the process that did."""
    application.leave()


def load() -> Callable[..., Any]:
    """Imports the application, if this process did not inherit it, and returns the jobs' function."""
    global function
    if function is None:
        set_up()
        with step(application.importing(ORDER["function"])):
            function = application.resolve(ORDER["function"])
    return function


def warm() -> None:
    """Imports the application and does the one-time work that was named."""
    load()
    for reference in ORDER["warm"]:
        with step(application.importing(reference)):
            called = application.resolve(reference)
        with step(f"--warm={reference}"):
            application.awaited(called())


def hold(hand_down: bool = False) -> None:
    """Shows the host what the application has left in this process, before it forks.

    What the system itself has is not among it: its steps are not noted. With hand_down, a fork is made
    as the system makes them, which runs no job, for the host to look at.
    """
    global is_parent, holder, is_threaded
    is_parent = False
    if not application.steps:
        return
    holder, is_threaded = os.getpid(), len(os.listdir("/proc/self/task")) > 1
    path = os.path.join(DIRECTORY, f"turn-{holder}")
    os.mkfifo(path)
    turn = os.open(path, os.O_RDWR)  # so that the host finds a reader
    try:
        tell(b"hold %d\n" % holder, steps=application.steps)
        wait(turn)
        if hand_down:
            child = os.fork()
            if not child:
                show_fork()
            wait(turn)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    finally:
        os.close(turn)


def show_fork() -> NoReturn:
    """Is all that the fork does that is looked at."""
    try:
        look()
        time.sleep(PATIENCE)  # until it is killed
    finally:
        os._exit(0)


def look() -> None:
    """Shows the host what a fork was handed, if it is the first that can run a job."""
    if holder and os.getpid() != holder:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(os.path.join(DIRECTORY, f"looked-{holder}"), os.O_CREAT | os.O_EXCL))
            tell(b"look %d %d\n" % (holder, os.getpid()))


def tell(line: bytes, **known: object) -> None:
    """Writes what is known, and what Python knows of threads and locks if there are threads, and tells the host."""
    if is_threaded:
        import forkbench_held  # type: ignore[import-not-found]

        known.update(forkbench_held.held())
    with open(os.path.join(DIRECTORY, f"held-{os.getpid()}.json"), "w") as file:
        json.dump(known, file)
    say(line)


def wait(turn: int) -> None:
    """Waits until the host has looked."""
    if select.select([turn], [], [], PATIENCE)[0]:
        os.read(turn, 1)


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
