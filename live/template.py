"""The process that runs Python jobs, and the template that its children are forked from.

The host starts it with a Unix stream socket as file descriptor 3 and speaks the protocol of
docs/protocol.md over it. A forked child gets a socket of its own and speaks the same protocol:
any process can run jobs, and any process can fork.

Standard library only, Python 3.9 and newer, one file. It stays single-threaded, so that what a
child inherits is whole. What can be done before a fork is not done after it: each page that a
child touches is a copy, and each page that it inherits is one to set up and to tear down: what plain
jobs do not need is not imported.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import importlib.machinery
import mmap
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
import traceback
from json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:  # every fork would pay for what is imported here
    from collections.abc import Callable, Sequence
    from types import ModuleType, TracebackType
    from typing import Any, NoReturn, Union

    from workload import application as rule  # boot imports it, as one of the sources

    # What a job is called with (positional and keyword arguments), or why its payload is none.
    Call = Union[tuple[Sequence[Any], dict[str, Any]], Exception]

HEADER = struct.Struct(">IB")  # length of the body, kind
FORK = struct.Struct(">IB")  # the child's life in jobs, whether a job follows
JOB = struct.Struct(">Q")  # job id; the payload follows
PID = struct.Struct(">I")
FORKED = struct.Struct(">Iqq")  # pid, fork began, fork returned
DONE = struct.Struct(">QBqqq")  # job id, status, started, finished, CPU; result or traceback follow
REAPED = struct.Struct(">Iiqqqqqq")  # pid, wait status, user us, system us, faults (2), when, own CPU
ONCE = struct.Struct(">IQ")  # seat, job id; the payload follows
ENDED = struct.Struct(">Iqq")  # seat, fork began, fork returned; a REAPED follows

# Seats are memory shared with the host. What the host acts upon stands in the first SEAT bytes, the
# register, which no child has mapped: who sits where. A seat holds what its child said, and no other
# child has it mapped.
SEAT = 2 << 20
ENTRY = 16  # of the register, one for each seat
SITTER = struct.Struct("@I")  # at 0 of it: pid, or 0 if it has been or is about to be waited for
RETURNED = struct.Struct("@q")  # at 8 of it: when the fork returned
RETURNED_AT = 8
SAID = struct.Struct("@I")  # the length of what follows it, a DONE body; written last
SAID_AT, DONE_AT = 4, 8
NO_SEAT = -1  # of a child that has a socket
WARM_JOB = "job"  # the warm-up that is a job
REFERENCE = "forkbench_warm:"  # one that does another, and says what it left open and gave up

STATUS_DONE, STATUS_FAILED, STATUS_DROPPED = 1, 2, 3
MAX_TRACEBACK = 64 << 10
ENDING = (0.001, 0.01, 0.1)  # seconds that a thread may take to end after it was joined


class HostGone(Exception):
    """The host closed its end: exit."""


class SourceImporter:
    """Imports modules that the host sent as text, which are installed nowhere: a finder and a loader.

    It does not inherit from importlib.abc, which imports tempfile, pathlib and 30 modules more.
    """

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self.sources:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=f"{name}.py")  # type: ignore[arg-type] # see above

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        module.__file__ = f"{name}.py"
        exec(compile(self.sources[name], module.__file__, "exec"), module.__dict__)

    def get_source(self, name: str) -> str:
        """Lets tracebacks show the line."""
        return self.sources[name]


undone: list[str] = []  # what a warm-up of this process had left open and gave up, since the last ready reply


class Application:
    """The jobs' code, set up and loaded."""

    def __init__(self, boot: dict[str, Any]) -> None:
        self.allow_threads: bool = boot["allow_threads"]
        self.pid = os.getpid()  # of the process that was booted
        for reference in boot["setup"]:
            with rule.step(f"--setup={reference}"):
                rule.set_up([reference])
        with rule.step(rule.importing(boot["function"])):
            self.function = rule.resolve(boot["function"])
        self.warm: list[str] = boot["warm"]
        self.warmed = False
        self.warmed_us = 0  # CPU of what was warmed last
        for reference in self.warm:
            if reference == WARM_JOB:
                continue
            with rule.step(rule.importing(reference)):
                rule.resolve(reference)  # a wrong name is an error at boot, not at the first warm-up

    def do_warm(self, payload: bytes) -> None:
        """Runs the named warm-ups, once, and moves what lives now out of the collector's sight.

        A collection in a child would write to every inherited object. Freezing without collecting
        first, or around every fork, leaks.
        """
        self.warmed_us = 0
        if not self.warmed:
            began = time.process_time_ns()
            for reference in self.warm:
                with rule.step(f"--warm={reference}"):
                    if reference == WARM_JOB:
                        self.run_and_undo(payload)
                    else:
                        given_up = rule.awaited(rule.resolve(reference)())
                        if reference.startswith(REFERENCE) and given_up:
                            undone.extend(given_up)
            self.warmed_us = (time.process_time_ns() - began) // 1000
            self.warmed = True
        keep_children()
        gc.collect()
        gc.freeze()

    def run_and_undo(self, payload: bytes) -> None:
        """Runs a job in this process, and undoes what it leaves open."""
        import forkbench_undo  # type: ignore[import-not-found] # sent where a job is to be run

        def run() -> Any:
            call = call_of(payload)  # each time anew: a job may change what it is given
            if isinstance(call, Exception):
                raise call
            return rule.awaited(self.function(*call[0], **call[1]))

        undone.extend(forkbench_undo.job(run))


def call_of(payload: bytes) -> Call:
    """Parses a payload: an array is positional arguments, an object keyword arguments."""
    try:
        value = loads(payload) if payload else []
    except (ValueError, RecursionError) as error:
        return error
    if isinstance(value, list):
        return value, {}
    if isinstance(value, dict):
        return (), value
    return (value,), {}


def ours(trace: TracebackType) -> bool:
    """Reports whether a frame is this file's, or one between it and the job."""
    name = str(trace.tb_frame.f_globals.get("__name__"))
    return name in ("__main__", "forkbench_application", "forkbench_dispatch") or name.startswith("asyncio.")


def failure(error: BaseException) -> bytes:
    """The traceback of a job, from its own first frame on."""
    inner = error.__traceback__
    while inner is not None and ours(inner):
        inner = inner.tb_next
    text = "".join(traceback.format_exception(type(error), error, inner))
    return text.encode("utf-8", "replace")[-MAX_TRACEBACK:]


def threads() -> list[str]:
    """The names of this process's threads, the kernel's view: C threads are in it."""
    names = []
    for task in sorted(os.listdir("/proc/self/task"), key=int):
        try:
            with open(f"/proc/self/task/{task}/comm") as comm:
                names.append(f"{comm.read().strip()} ({task})")
        except OSError:
            continue  # it ended meanwhile
    return names


def usage() -> dict[str, int]:
    """CPU of this process so far and of the children it has waited for, in microseconds.

    It has some even now if it was a shell script before it was Python, as pyenv's python3 is.
    """
    own, waited_for = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "user_us": round((own.ru_utime + waited_for.ru_utime) * 1e6),
        "system_us": round((own.ru_stime + waited_for.ru_stime) * 1e6),
        "waited_us": round((waited_for.ru_utime + waited_for.ru_stime) * 1e6),
    }


def keep_children() -> None:
    """Has the kernel keep dead children until they are waited for, whatever the application set."""
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def used_by(pid: int) -> int:
    """The CPU clock of a child that has exited and was not waited for: its own, its children's not included."""
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)  # as clock_getcpuclockid(3) has it
    except OSError:
        return 0


def waited(pid: int, options: int, apart: bool = True) -> bytes:
    """Waits for a child: a REAPED, or nothing if it has not exited yet.

    Of a child that ran one job nobody asks what it used apart from its own children.
    """
    own = 0
    try:
        if apart and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | options):
            own = used_by(pid)
        done, status, used = os.wait4(pid, options)
    except ChildProcessError:  # the application waited for it: its accounts are lost
        return REAPED.pack(pid, -1, 0, 0, 0, 0, time.monotonic_ns(), 0)
    if not done:
        return b""
    now = time.monotonic_ns()
    user, system = round(used.ru_utime * 1e6), round(used.ru_stime * 1e6)
    return REAPED.pack(pid, status, user, system, used.ru_minflt, used.ru_majflt, now, own)


def held(source: bytes) -> bytes:
    """What this process holds, as the host's own code tells it: a JSON text."""
    names: dict[str, Any] = {}
    exec(compile(source, "held.py", "exec"), names)
    return dumps(names["held"]()).encode()


def mapped_seats(file: int, keep: int = -1) -> mmap.mmap:
    """Maps seats, for this process and none that it forks: fork_once lets a child have its own.

    No child gets at them by a descriptor, either: also mmap's own copy of it is closed. So the
    mapping must never be let go of, which would close whatever then has that number.
    """
    seats = mmap.mmap(file, 0)
    seats.madvise(mmap.MADV_DONTFORK)
    which = os.fstat(file)
    for fd in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # the directory's own is closed by now
            if fd != keep and os.path.samestat(os.fstat(fd), which):
                os.close(fd)
    return seats


class Channel:
    """A socket to the host, blocking, with a buffer for what came early."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.buffer = b""

    def receive(self) -> tuple[int, bytes]:
        """Waits for the next message: its kind and body."""
        buffer = self.buffer
        while len(buffer) < 5:
            buffer += self.read(65536)
        length, kind = HEADER.unpack_from(buffer)
        end = 5 + length
        if len(buffer) < end:
            parts = [buffer]
            missing = end - len(buffer)
            while missing > 0:
                part = self.read(min(missing, 1 << 20))
                parts.append(part)
                missing -= len(part)
            buffer = b"".join(parts)
        self.buffer = buffer[end:]
        return kind, buffer[5:end]

    def read(self, size: int) -> bytes:
        try:
            data = os.read(self.fd, size)
        except ConnectionError:
            data = b""
        if not data:
            raise HostGone
        return data

    def send(self, kind: bytes, body: bytes) -> None:
        data = HEADER.pack(len(body), kind[0]) + body
        try:
            sent = os.write(self.fd, data)
            while sent < len(data):
                data = data[sent:]
                sent = os.write(self.fd, data)
        except ConnectionError:
            raise HostGone from None

    def send_with_fd(self, kind: bytes, body: bytes, fd: int) -> None:
        """Sends a small message that carries a file descriptor (SCM_RIGHTS)."""
        data = HEADER.pack(len(body), kind[0]) + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        carrier = socket.socket(fileno=self.fd)
        try:
            sent = carrier.sendmsg([data], rights)
            if sent < len(data):
                carrier.sendall(data[sent:])
        except ConnectionError:
            raise HostGone from None
        finally:
            carrier.detach()


class Process:
    """This process: what it was told, and what it has made."""

    def __init__(self, channel: Channel, seats: mmap.mmap) -> None:
        self.channel = channel
        self.application: Application  # set by boot
        self.life = 0  # jobs left before this process exits; 0 is for ever
        self.children: set[int] = set()  # forked and not reaped
        self.forking = False  # in os.fork, called by us
        self.shared = False  # it has had several children at once: several slots use it
        # Children to reap when they exit: their pidfd to their pid, seat, and when they were made.
        self.ending: dict[int, tuple[int, int, int, int]] = {}
        self.poll = select.poll()
        self.poll.register(channel.fd, select.POLLIN)
        self.seats = seats
        self.seated = True  # the seats are mapped in this process; not in a forked one
        # Seats of ancestors, which are not mapped here. To let go of them would unmap what else is there.
        self.absent: list[mmap.mmap] = []

    def serve(self) -> None:
        """Answers the host until it goes or this process's life is over."""
        while True:
            if self.ending:
                self.wait_for_host_or_children()
            kind, body = self.channel.receive()
            if kind == 0x6F:  # o
                self.fork_once(body)
            elif kind == 0x72:  # r
                self.run(JOB.unpack_from(body)[0], call_of(body[8:]))
            elif kind == 0x66:  # f
                self.fork(body)
            elif kind == 0x70:  # p
                self.reap(PID.unpack(body)[0])
            elif kind == 0x68:  # h
                self.channel.send(b"H", held(body))
            elif kind == 0x77:  # w
                self.warm(body)
            elif kind == 0x62:  # b
                self.reply_ready(lambda: self.boot(loads(body)))  # noqa: B023
            else:
                raise ValueError(f"unknown message {chr(kind)!r} from the host")

    def boot(self, order: dict[str, Any]) -> None:
        own = os.path.dirname(__file__)  # /dev/fd, which Python has put first
        sys.path[:] = order["path"] + [entry for entry in sys.path if entry != own]
        sys.meta_path.insert(0, SourceImporter(order["sources"]))
        global rule
        import forkbench_application as rule  # type: ignore[import-not-found]

        self.application = Application(order)
        keep_children()

    def warm(self, payload: bytes) -> None:
        """Does the one-time work. A process that was forked becomes a template by it: it gets seats."""

        def work() -> None:
            self.application.do_warm(payload)

        if self.seated or not hasattr(os, "pidfd_open"):
            self.reply_ready(work)
            return
        try:
            fd = os.memfd_create("forkbench-seats", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:  # the limit of open files: it can do without seats
            self.reply_ready(work)
            return
        try:
            os.ftruncate(fd, len(self.seats))
            seats = mapped_seats(fd, keep=fd)
        except OSError:
            self.reply_ready(work)
        else:
            self.absent.append(self.seats)
            self.seats, self.seated = seats, True
            self.reply_ready(work, fd)
        finally:
            os.close(fd)

    def reply_ready(self, work: Callable[[], None], fd: int = -1) -> None:
        """Does the work and says how it went; what it raises is the host's to report."""
        answer: dict[str, Any] = {}
        try:
            work()
        except HostGone:
            raise
        except BaseException as error:  # an application may call sys.exit while it is imported
            answer["error"] = f"{type(error).__name__}: {error}"
            answer["kind"] = type(error).__name__
            answer["traceback"] = failure(error).decode("utf-8", "replace")
        answer.update(usage())
        answer["warmed_us"] = self.application.warmed_us if hasattr(self, "application") else 0
        answer["version"] = "{}.{}.{}".format(*sys.version_info[:3])
        answer["executable"] = sys.executable
        answer["pid"] = os.getpid()
        if not hasattr(os, "pidfd_open"):  # built on an old kernel's headers
            answer["no_pidfd"] = True
        answer["undone"] = list(undone)
        undone.clear()
        answer["steps"] = list(rule.steps)
        rule.steps.clear()
        if fd >= 0:
            self.channel.send_with_fd(b"R", dumps(answer).encode(), fd)
        else:
            self.channel.send(b"R", dumps(answer).encode())

    def run(self, job_id: int, call: Call) -> None:
        """Runs a job and reports it; exits with the last one of this process's life."""
        status, started, finished, cpu, detail = self.perform(call)
        self.channel.send(b"D", DONE.pack(job_id, status, started, finished, cpu) + detail)
        if self.life:
            self.life -= 1
            if not self.life:
                os._exit(0)

    def perform(self, call: Call) -> tuple[int, int, int, int, bytes]:
        """Runs a job: its status, when it started and finished, its CPU, its result or traceback."""
        pid = os.getpid()
        status, detail = STATUS_DONE, b""
        cpu = time.process_time_ns()
        started = time.monotonic_ns()
        try:
            if isinstance(call, Exception):
                raise call
            result = rule.awaited(self.application.function(*call[0], **call[1]))
        except BaseException as error:  # SystemExit too: a job must not end its process politely
            finished = time.monotonic_ns()
            status, detail = STATUS_FAILED, failure(error)
        else:
            finished = time.monotonic_ns()
            if result is not None:
                detail, dropped = rule.kept(result)
                if dropped:
                    status, detail = STATUS_DROPPED, dropped.encode("utf-8", "replace")
        cpu = time.process_time_ns() - cpu
        if os.getpid() != pid:
            os._exit(0)  # the job forked, and this is its child come out of the job
        return status, started, finished, cpu, detail

    def fork_once(self, body: bytes) -> None:
        """Makes a child for one job, which leaves what came of it in its seat and exits."""
        seat, job_id = ONCE.unpack_from(body)
        place = (seat + 1) * SEAT
        if not self.seated or place + SEAT > len(self.seats):
            raise ValueError(f"there is no seat {seat}")
        refusal = self.refusal()
        if refusal:
            self.refuse_once(seat, refusal)
            return
        call = call_of(body[12:])
        began = time.monotonic_ns()
        self.seats.madvise(mmap.MADV_DOFORK, place, SEAT)
        self.forking = True
        try:
            pid = os.fork()
        except OSError as error:
            self.forking = False
            self.seats.madvise(mmap.MADV_DONTFORK, place, SEAT)
            self.refuse_once(seat, f"fork failed: {error.strerror} (limit of processes, or memory)")
            return
        if pid == 0:
            self.be_once(place, job_id, call)
        returned = time.monotonic_ns()
        self.forking = False
        self.seats.madvise(mmap.MADV_DONTFORK, place, SEAT)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:  # waiting here and now would keep the other slots waiting
            os.kill(pid, signal.SIGKILL)
            waited(pid, 0)
            self.refuse_once(seat, f"no pidfd for a child: {error.strerror} (limit of open files)")
            return
        SITTER.pack_into(self.seats, seat * ENTRY, pid)
        RETURNED.pack_into(self.seats, seat * ENTRY + RETURNED_AT, returned)
        self.shared = self.shared or bool(self.ending) or bool(self.children)
        self.ending[pidfd] = (pid, seat, began, returned)
        self.poll.register(pidfd, select.POLLIN)

    def be_once(self, place: int, job_id: int, call: Call) -> NoReturn:
        """Is the child: it has no host to serve, and touches as little as it can."""
        try:
            os.close(self.channel.fd)  # self.forking stays, there is nothing to forget
            self.seats.madvise(mmap.MADV_DONTFORK, place, SEAT)  # what the job forks has no seat
            status, started, finished, cpu, detail = self.perform(call)
            DONE.pack_into(self.seats, place + DONE_AT, job_id, status, started, finished, cpu)
            if detail:
                at = place + DONE_AT + DONE.size
                self.seats[at : at + len(detail)] = detail
            SAID.pack_into(self.seats, place + SAID_AT, DONE.size + len(detail))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(70)  # EX_SOFTWARE; not by end, which kills the siblings

    def unseat(self, pid: int, seat: int, began: int, returned: int) -> None:
        """Waits for a child that has exited and tells the host all of it.

        The register is cleared before, so that nobody kills by a pid that may be another's.
        """
        SITTER.pack_into(self.seats, seat * ENTRY, 0)
        self.channel.send(b"O", ENDED.pack(seat, began, returned) + waited(pid, 0, apart=False))

    def refuse_once(self, seat: int, reason: str) -> None:
        self.channel.send(b"O", ENDED.pack(seat, 0, 0) + reason.encode())

    def fork(self, body: bytes) -> None:
        """Makes a child. Returns in both: the child is this object from then on."""
        refusal = self.refusal()
        if refusal:
            self.refuse(refusal)
            return
        life, fused = FORK.unpack_from(body)
        job = (JOB.unpack_from(body, 5)[0], call_of(body[13:])) if fused else None
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            self.refuse(f"no socket for a child: {error.strerror} (limit of open files)")
            return
        ours_fd, theirs_fd = ours.detach(), theirs.detach()
        began = time.monotonic_ns()
        self.forking = True
        try:
            pid = os.fork()
        except OSError as error:
            os.close(ours_fd)
            os.close(theirs_fd)
            self.refuse(f"fork failed: {error.strerror} (limit of processes, or memory)")
            return
        finally:
            self.forking = False
        if pid == 0:
            os.close(self.channel.fd)
            os.close(ours_fd)
            self.channel = Channel(theirs_fd)
            self.become_child(life)
            if job is not None:
                self.run(*job)
            return
        returned = time.monotonic_ns()
        os.close(theirs_fd)
        self.children.add(pid)
        self.shared = self.shared or len(self.children) > 1 or bool(self.ending)
        try:
            self.channel.send_with_fd(b"F", FORKED.pack(pid, began, returned), ours_fd)
        finally:
            os.close(ours_fd)

    def refuse(self, reason: str) -> None:
        self.channel.send(b"F", FORKED.pack(0, 0, 0) + reason.encode())

    def forget(self) -> None:
        """Runs in every forked child. One that the application forked must not hold the socket:

        the host takes its end for the end of this process.
        """
        if not self.forking:
            with contextlib.suppress(OSError):  # a job may have closed it
                os.close(self.channel.fd)
            self.channel.fd = -1

    def become_child(self, life: int) -> None:
        self.life = life
        for pidfd in self.ending:
            os.close(pidfd)
        if self.children:
            self.children = set()
        self.ending = {}
        self.shared = False
        self.seated = False
        self.poll = select.poll()
        self.poll.register(self.channel.fd, select.POLLIN)

    def refusal(self) -> str:
        """Why this process must not fork, or nothing.

        A forked child has only the thread that forked: a lock that another thread held stays
        locked in it for ever. The link count of the task directory is the thread count plus two,
        the cheapest way to ask the kernel.
        """
        if self.application.allow_threads or os.stat("/proc/self/task").st_nlink <= 3:
            return ""
        for pause in ENDING:  # a thread that was joined may not be gone yet
            time.sleep(pause)
            if os.stat("/proc/self/task").st_nlink <= 3:
                return ""
        return (
            "refused to fork: the process has more than one thread: "
            + ", ".join(threads())
            + ". Stop them before the fork, start them in the job, or pass --allow-threads"
        )

    def reap(self, pid: int) -> None:
        """Waits for a child that the host is done with, and reports what it used."""
        if pid not in self.children:
            raise ValueError(f"asked to reap {pid}, which is no child of this process")
        # One slot's parent may wait for the exit, as RQ's does; another would keep others waiting.
        if not self.shared:
            self.reaped(pid, waited(pid, 0))
            return
        report = waited(pid, os.WNOHANG)
        if report:
            self.reaped(pid, report)
            return
        try:
            pidfd = os.pidfd_open(pid)
        except (OSError, AttributeError):  # the limit of open files, or there is none: wait after all
            self.reaped(pid, waited(pid, 0))
            return
        self.ending[pidfd] = (pid, NO_SEAT, 0, 0)
        self.poll.register(pidfd, select.POLLIN)

    def reaped(self, pid: int, report: bytes) -> None:
        self.children.discard(pid)
        self.channel.send(b"P", report)

    def wait_for_host_or_children(self) -> None:
        """Reaps children that exit until a message is there."""
        called = False
        while self.ending and not called and not self.channel.buffer:
            for fd, _ in self.poll.poll():
                if fd == self.channel.fd:
                    called = True
                    continue
                pid, seat, began, returned = self.ending.pop(fd)
                self.poll.unregister(fd)
                os.close(fd)
                if seat == NO_SEAT:
                    self.reaped(pid, waited(pid, 0))
                else:
                    self.unseat(pid, seat, began, returned)

    def end(self, status: int) -> NoReturn:
        """Exits and takes the children along: none may outlive the host, a hung one least."""
        for pid in [*self.children, *(child[0] for child in self.ending.values())]:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except OSError:
                continue
        if status == 0 and hasattr(self, "application") and self.application.pid == os.getpid():
            rule.leave()  # it is the process that set the application up
        os._exit(status)


def main() -> NoReturn:
    os.set_inheritable(3, False)
    os.close(4)  # this file
    sys.argv = ["forkbench"]
    process = Process(Channel(3), mapped_seats(5))
    os.register_at_fork(after_in_child=process.forget)
    try:
        process.serve()
    except HostGone:
        process.end(0)
    except BaseException:
        traceback.print_exc()
    process.end(70)  # EX_SOFTWARE


main()
