"""Runs jobs under a deterministic call profiler, in the processes that run jobs anyway.

The host sends this module beside the application and names job as the function to run; it calls
the application's own function and writes what it saw to a file of its own for each job. Nothing
of it is in a process that is not profiled.

Three ways to look. By default: the tree of all calls, C functions and imports included, with the
wall and CPU time of each. SETTINGS["watch"] and SETTINGS["places"]: only at named functions, or at
places of that tree, at what is opened, started, dirtied and given there. SETTINGS["time"]: only the
time of named functions, without a profiler.

Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from json import dump, loads
from types import CodeType, FrameType, FunctionType
from typing import Any, Union

from forkbench_application import awaited, resolve  # type: ignore[import-not-found]
from forkbench_names import Namer, lookup, unwrapped  # type: ignore[import-not-found]
from forkbench_profile_settings import SETTINGS  # type: ignore[import-not-found]

# What a call is known by in the tree: Python code, a C function's module and name, or a module
# that is imported.
Key = Union[CodeType, tuple[str, str]]
Hook = Callable[[FrameType, str, Any], None]

IMPORT = "import"
WARM_JOB = "job"  # the warm-up that is a job
REFERENCE = "forkbench_warm:"  # one that does another, and says what it left open and gave up
MAX_NODES = 300_000
MAX_DEPTH = 500  # recursion is told no further
MAX_TEXT = 200

wall_ns = time.perf_counter_ns
cpu_ns = time.thread_time_ns

function: Callable[..., Any] = resolve(SETTINGS["function"])
directory: str = SETTINGS["directory"]
watched: set[str] = set(SETTINGS.get("watch") or ())
places: list[list[str]] = SETTINGS.get("places") or []  # each as the calls that lead there, from the job's function
looking_closely = bool(watched or places)
timed: list[str] = SETTINGS.get("time") or []
parts: set[str] = set(SETTINGS.get("parts") or ())  # timed inside others, too
first_jobs: int = SETTINGS["jobs"]  # to look at, of each process
settling: int = SETTINGS.get("settling") or 0  # jobs that are not looked at, behind the first


def page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


class State:
    """Where this process stands: forked children set themselves apart by their pid."""

    pid = os.getpid()
    jobs = 0  # run in this process
    inherited = 0  # run in the processes that it was forked from
    looking: Callable[[str, tuple[Any, ...]], None] | None = None  # gets the audit events


def importlib_frame(code: CodeType) -> bool:
    return code.co_filename.startswith("<frozen importlib")


class Node:
    """A call in its place: the same function called from elsewhere is another node."""

    __slots__ = ("calls", "children", "cpu", "key", "line", "module", "parent", "wall")

    def __init__(self, parent: Node | None, key: Key, module: str, line: int) -> None:
        self.parent = parent
        self.key = key
        self.module = module
        self.line = line  # of the caller, where it is called first
        self.calls = 0
        self.wall = 0
        self.cpu = 0
        self.children: dict[Key, Node] = {}


class Tree:
    """The tree of calls below a function, with the time of each outside those it calls.

    The clocks are read first and last in the hook, so that its own work is not booked on anybody;
    what it costs to call the hook is, and calibrate measures that.
    """

    def __init__(self) -> None:
        self.root = Node(None, ("", ""), "", 0)
        self.events = 0
        self.nodes = 0
        self.cut = 0  # calls that are too many or too deep for nodes of their own
        self.displaced = False  # by a profiler of the job's own: the rest was not seen

    def run(self, call: Callable[[], Any]) -> Any:
        hook = self.hook()
        sys.setprofile(hook)
        try:
            return awaited(call())
        finally:
            self.displaced = sys.getprofile() is not hook
            sys.setprofile(None)
            for name in ("getprofile", "setprofile"):
                self.root.children.pop(("sys", name), None)

    def hook(self) -> Hook:
        node = self.root
        stack: list[Node] = []
        wall = cpu = 0
        first = True

        def enter(key: Key, module: str, line: int) -> None:
            nonlocal node
            stack.append(node)
            child = node.children.get(key)
            if child is None:
                if self.nodes >= MAX_NODES or len(stack) > MAX_DEPTH:
                    self.cut += 1
                    return  # its time is its caller's
                self.nodes += 1
                child = node.children[key] = Node(node, key, module, line)
            child.calls += 1
            node = child

        def hook(frame: FrameType, event: str, arg: Any) -> None:
            nonlocal node, wall, cpu, first
            now = wall_ns()
            used = cpu_ns()
            if first:
                first = False
            else:
                node.wall += now - wall
                node.cpu += used - cpu
            self.events += 1
            if event == "call":
                code = frame.f_code
                if importlib_frame(code):
                    if code.co_name == "_find_and_load":
                        enter((IMPORT, frame.f_locals["name"]), "", importing_line(frame))
                    else:
                        stack.append(node)
                elif code.co_name == "<module>" and type(node.key) is tuple and node.key[0] == IMPORT:
                    stack.append(node)
                else:
                    back = frame.f_back
                    enter(code, frame.f_globals.get("__name__") or "", back.f_lineno if back else 0)
            elif event == "c_call":
                if importlib_frame(frame.f_code):
                    stack.append(node)
                else:
                    enter((arg.__module__ or "", arg.__qualname__), "", frame.f_lineno)
            elif stack:
                node = stack.pop()
            cpu = cpu_ns()
            wall = wall_ns()

        return hook


def importing_line(frame: FrameType) -> int:
    back = frame.f_back
    while back is not None and importlib_frame(back.f_code):
        back = back.f_back
    return back.f_lineno if back else 0


def empty() -> None:
    pass


def calibrate() -> dict[str, int]:
    """What a call costs more under the profiler, of what it books: nanoseconds."""

    def calls() -> None:
        for _ in range(1000):
            empty()

    best: dict[str, int] = {}
    for _ in range(5):
        wall, cpu = wall_ns(), cpu_ns()
        calls()
        wall, cpu = wall_ns() - wall, cpu_ns() - cpu
        tree = Tree()
        tree.run(calls)
        top = tree.root.children[calls.__code__]
        inner = top.children[empty.__code__]
        costs = {"wall": (top.wall + inner.wall - wall) // 1000, "cpu": (top.cpu + inner.cpu - cpu) // 1000}
        for name, cost in costs.items():
            best[name] = max(0, min(cost, best.get(name, cost)))
    return best


overhead = calibrate()


# -- The tree, written down ---------------------------------------------------------------------


def identity(key: Key, module: str) -> tuple[str, str, str, int]:
    """Kind, name, file and line of what a node calls."""
    if isinstance(key, CodeType):
        name = getattr(key, "co_qualname", key.co_name)
        return "python", f"{module}.{name}" if module else name, key.co_filename, key.co_firstlineno
    if key[0] == IMPORT:
        return IMPORT, key[1], "", 0
    return "c", f"{key[0]}.{key[1]}" if key[0] else key[1], "", 0


def flat(root: Node) -> tuple[list[list[Any]], list[list[int]]]:
    """The functions, and the nodes below the root: parent (-1 for none), function, line of the call,
    calls, wall, CPU."""
    functions: dict[tuple[str, str, str, int], int] = {}
    nodes: list[list[int]] = []
    pending = [(child, -1) for child in root.children.values()]
    while pending:
        node, parent = pending.pop()
        of = functions.setdefault(identity(node.key, node.module), len(functions))
        nodes.append([parent, of, node.line, node.calls, node.wall, node.cpu])
        me = len(nodes) - 1
        pending.extend((child, me) for child in node.children.values())
    return [list(f) for f in functions], nodes


# -- Watching named functions -------------------------------------------------------------------


def descriptors() -> dict[int, str]:
    """What this process has open, without what belongs to the host."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the directory itself, closed by now
    return found


def threads() -> set[str]:
    return set(os.listdir("/proc/self/task"))


def native(had: set[str]) -> tuple[int, list[str]]:
    """How many of the threads that were not there before are none of Python's, and the libraries that are loaded."""
    module = sys.modules.get("threading")
    known = {str(thread.native_id) for thread in module._active.values()} if module else set()
    count = len(threads() - had - known)
    if not count:
        return 0, []
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        return count, sorted({"/".join(line.split("/")[-2:]).strip() for line in file if ".so" in line})


def opened(before: dict[int, str], after: dict[int, str]) -> list[str]:
    return sorted(text for fd, text in after.items() if before.get(fd) != text)


def handed_over(before: dict[int, str]) -> list[str]:
    """What a forked child would have open that was not open before. What the application does at
    a fork, to close its connections, is done."""
    if len(threads()) > 1:
        return []
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            mine = {fd: text for fd, text in descriptors().items() if fd != writing}
            os.write(writing, "\n".join(opened(before, mine)).encode("utf-8", "replace")[:4096])
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as file:
        text = file.read()
    os.waitpid(child, 0)
    return text.splitlines()


class Watch:
    """One call of a watched function: what it did to the process."""

    def __init__(self, name: str, place: int, ways: list[dict[str, Any]]) -> None:
        self.name = name
        self.place = place  # which of those that were asked for; -1 for a name
        self.ways = ways
        self.events: list[list[str]] = []
        self.depth = 0
        self.descriptors = descriptors()
        self.threads = threads()
        self.faults = page_faults()
        self.cpu = cpu_ns()
        self.wall = wall_ns()

    def end(self) -> dict[str, Any]:
        wall, cpu = wall_ns() - self.wall, cpu_ns() - self.cpu
        faults = page_faults() - self.faults
        return {
            "name": self.name,
            "place": self.place,
            "wall": wall,
            "cpu": cpu,
            "faults": faults,
            "left_open": opened(self.descriptors, descriptors()),
            "threads": len(threads() - self.threads),
            "events": self.events,
            "ways": self.ways,
        }


# The audit events that say why a call must not be made before a fork.
TOLD: dict[str, Callable[[tuple[Any, ...]], str]] = {
    "socket.connect": lambda args: str(args[1]),
    "sqlite3.connect": lambda args: os.fsdecode(args[0]) if isinstance(args[0], (str, bytes, os.PathLike)) else "",
    "subprocess.Popen": lambda args: str(args[0]),
    "os.system": lambda args: os.fsdecode(args[0]),
    "os.posix_spawn": lambda args: str(args[0]),
    "os.fork": lambda args: "",
    "_thread.start_new_thread": lambda args: getattr(args[0], "__qualname__", ""),
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def told(event: str, args: tuple[Any, ...]) -> list[str] | None:
    """An audit event as it is written down, if it is one to be told."""
    try:
        if event == "open":
            if not isinstance(args[2], int) or not args[2] & WRITING:
                return None
            if isinstance(args[0], (str, bytes)) and not os.fsdecode(args[0]).endswith((".pyc", "/dev/null")):
                name = os.fsdecode(args[0])
                return None if "/__pycache__/" in name else ["write", name[:MAX_TEXT]]
            return None
        if event in TOLD:
            return [event, TOLD[event](args)[:MAX_TEXT]]
    except (IndexError, TypeError, ValueError):
        return [event, ""]
    return None


def audit(event: str, args: tuple[Any, ...]) -> None:
    looking = State.looking
    if looking is not None:
        looking(event, args)


class Way:
    """A step on the way to the places that are watched."""

    def __init__(self) -> None:
        self.next: dict[str, Way] = {}
        self.place = -1  # which place is here
        self.seen = 0


MAX_SEEN = 100  # calls in one place of one job


def ways_to(places: list[list[str]]) -> Way:
    root = Way()
    for number, path in enumerate(places):
        step = root
        for name in path:
            step = step.next.setdefault(name, Way())
        step.place = number
    return root


def watch(call: Callable[[], Any]) -> tuple[list[dict[str, Any]], Callable[[], Any]]:
    """Returns where the watched calls go, and the call to make."""
    seen: list[dict[str, Any]] = []
    active: list[Watch] = []
    namer = Namer()
    step: Way | None = ways_to(places)
    importing = False
    stack: list[tuple[Way | None, bool, Watch | None]] = []

    def enter(kind: str, name: str, line: int, frame: FrameType | None) -> None:
        nonlocal step, importing
        label = f"{IMPORT} {name}" if kind == IMPORT else name
        below = step.next.get(f"{kind} {name} {line}") if step is not None else None
        mine = None
        if below is not None and below.place >= 0 and below.seen < MAX_SEEN:
            below.seen += 1
            mine = Watch(label, below.place, namer.ways(frame) if frame else [])
        elif label in watched and all(w.name != label for w in active):
            mine = Watch(label, -1, namer.ways(frame) if frame else [])
        if mine is not None:
            active.append(mine)
        stack.append((step, importing, mine))
        step, importing = below, kind == IMPORT

    def hook(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal step, importing
        code = frame.f_code
        if event == "call":
            if importlib_frame(code):
                if code.co_name == "_find_and_load":
                    enter(IMPORT, frame.f_locals["name"], 0, None)
                else:
                    stack.append((step, importing, None))
            elif code.co_name == "<module>" and importing:
                stack.append((step, importing, None))
            elif step is None and not watched:
                stack.append((None, False, None))
            else:
                enter("python", identity(code, frame.f_globals.get("__name__") or "")[1], code.co_firstlineno, frame)
        elif event == "c_call":
            if importlib_frame(code):
                stack.append((step, importing, None))
            elif step is None:
                stack.append((None, False, None))
            else:
                enter("c", identity((arg.__module__ or "", arg.__qualname__), "")[1], 0, None)
        elif stack:
            if event == "return":
                namer.makers.returned(frame, arg)
            step, importing, mine = stack.pop()
            if mine is not None:
                active.remove(mine)
                seen.append(mine.end())

    def look(event: str, args: tuple[Any, ...]) -> None:
        line = told(event, args)
        if line is not None:
            for w in active:
                if len(w.events) < 50 and line not in w.events:
                    w.events.append(line)

    def run() -> Any:
        State.looking = look
        sys.setprofile(hook)
        try:
            return awaited(call())
        finally:
            sys.setprofile(None)
            State.looking = None

    return seen, run


# -- Timing named functions at full speed -------------------------------------------------------


class Timer:
    """The time of all calls of a function, those that it makes of itself included once. What runs
    inside another that is timed is that one's, unless it is there as a part."""

    active = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = self.wall = self.cpu = self.faults = 0
        self.running = False

    def around(self, target: Callable[..., Any], inside: Callable[[bool], None] = lambda _: None) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            if self.running:
                return target(*args, **kwargs)
            counts = not Timer.active or self.name in parts
            self.running = True
            Timer.active += 1
            inside(True)
            faults = page_faults()
            wall, cpu = wall_ns(), cpu_ns()
            try:
                return target(*args, **kwargs)
            finally:
                if counts:
                    self.wall += wall_ns() - wall
                    self.cpu += cpu_ns() - cpu
                    self.faults += page_faults() - faults
                    self.calls += 1
                inside(False)
                Timer.active -= 1
                self.running = False

        return run


def trampoline(*args: Any, forkbench_run: Callable[..., Any], **kwargs: Any) -> Any:
    return forkbench_run(*args, **kwargs)


imports: dict[str, Timer] = {}  # by what they import


def timed_import(target: Callable[..., Any]) -> Callable[..., Any]:
    """One for all: imports are deep in one another, and each would be deeper by as many as are timed."""

    def run(name: str, *args: Any) -> Any:
        timer = imports.get(name)
        return target(name, *args) if timer is None else timer.around(target)(name, *args)

    return run


GENERATORS = 0x20 | 0x80 | 0x200  # and coroutines: a call of one runs nothing yet


def start_timer(name: str) -> Timer | None:
    """Times a function or an import from now on, wherever it has been imported to; nothing where
    that cannot be done.

    The function gets other code, which calls its own: its callers hold the function itself, so its
    name could be set to another in vain. While it runs it has its own code again, so recursion
    is neither timed nor deeper than it would be.
    """
    timer = Timer(name)
    if name.startswith(IMPORT + " "):
        if not imports:
            importlib: Any = sys.modules["_frozen_importlib"]
            importlib._find_and_load = timed_import(importlib._find_and_load)
        imports[name[len(IMPORT) + 1 :]] = timer
        return timer
    found: Any = None
    parts = name.split(".")
    for i in range(len(parts) - 1, 0, -1):
        if ".".join(parts[:i]) in sys.modules:
            found = unwrapped(lookup(".".join(parts[:i]), ".".join(parts[i:])))
            break
    if not isinstance(found, FunctionType) or found.__code__.co_freevars or found.__code__.co_flags & GENERATORS:
        return None
    own = FunctionType(found.__code__, found.__globals__, found.__name__, found.__defaults__)
    own.__kwdefaults__ = found.__kwdefaults__

    def inside(running: bool) -> None:
        found.__code__ = own.__code__ if running else trampoline.__code__

    # Its own defaults stay: they are no parameters of the other code.
    run = timer.around(own, inside)
    found.__kwdefaults__ = {**(own.__kwdefaults__ or {}), "forkbench_run": run}
    inside(False)
    return timer


def fault_cost() -> int:
    """What it costs to copy a page of the parent's that is written to: nanoseconds of CPU."""
    costs = []
    for _ in range(2):  # the second time, the pages are this process's own
        cpu = cpu_ns()
        for i in range(0, len(inherited), 4096):
            inherited[i] = 1
        costs.append(cpu_ns() - cpu)
    return max(0, costs[0] - costs[1]) // (len(inherited) // 4096)


def time_calls(call: Callable[[], Any]) -> tuple[list[dict[str, Any]], Callable[[], Any]]:
    """Returns where the times go, and the call to make."""
    seen: list[dict[str, Any]] = []
    timers = [timer for timer in map(start_timer, timed) if timer is not None]

    def run() -> Any:
        try:
            return awaited(call())
        finally:
            seen.extend({"name": t.name, "wall": t.wall, "cpu": t.cpu, "faults": t.faults} for t in timers if t.calls)

    return seen, run


# -- What the template calls --------------------------------------------------------------------


def write(name: str, profile: dict[str, Any]) -> None:
    profile["pid"], profile["overhead"] = os.getpid(), overhead
    path = os.path.join(directory, name)
    with open(path + ".new", "w", encoding="utf-8", errors="backslashreplace") as file:
        dump(profile, file, separators=(",", ":"))
    os.rename(path + ".new", path + ".json")


def looked_at(call: Callable[[], Any], name: str, about: dict[str, Any]) -> Any:
    """Makes the call under the profiler, and writes what it saw. What it raises is the caller's."""
    before, had = descriptors(), threads()
    tree = Tree()
    seen: list[dict[str, Any]] = []
    if looking_closely:
        seen, run = watch(call)
    elif timed:
        seen, run = time_calls(call)
    else:

        def run() -> Any:
            return tree.run(call)

    about["fault_cost"] = fault_cost() if inherited else 0
    faults = page_faults()
    wall, cpu = wall_ns(), cpu_ns()
    try:
        return run()
    finally:
        about["wall"], about["cpu"] = wall_ns() - wall, cpu_ns() - cpu
        about["faults"] = page_faults() - faults
        about["events"], about["cut"], about["displaced"] = tree.events, tree.cut, tree.displaced
        about["left_open"] = opened(before, descriptors())
        about["threads"] = len(threads() - had)
        about["native"], about["libraries"] = native(had) if about["threads"] else (0, [])
        about["watched"] = seen
        about["handed_over"] = handed_over(before) if looking_closely else []
        about["functions"], about["nodes"] = flat(tree.root)
        if os.getpid() == State.pid:  # else it is a child that the job forked
            write(name, about)


def job(*args: Any, **kwargs: Any) -> Any:
    pid = os.getpid()
    if pid != State.pid:
        State.pid, State.inherited, State.jobs = pid, State.inherited + State.jobs, 0
    State.jobs += 1
    if not (State.jobs == 1 or settling + 1 < State.jobs <= settling + first_jobs):
        return function(*args, **kwargs)
    about = {"kind": "job", "seq": State.jobs, "inherited": State.inherited}
    return looked_at(partial(function, *args, **kwargs), f"{pid}-{State.jobs}", about)


def one_job() -> Any:
    """Runs one of the jobs in a parent and undoes what it leaves open: returns that in words."""
    import forkbench_undo  # type: ignore[import-not-found] # sent where a job is to be run

    def run() -> Any:
        payload: Any = loads(SETTINGS["payload"] or "[]")  # each time anew: a job may change what it is given
        args = payload if isinstance(payload, list) else [] if isinstance(payload, dict) else [payload]
        return awaited(function(*args, **(payload if isinstance(payload, dict) else {})))

    return forkbench_undo.job(run)


def was_read(reference: str) -> bool:
    """Whether a warm-up that was made only read an attribute, which computes it."""
    if not reference.startswith(REFERENCE):
        return False
    warm = sys.modules[REFERENCE.rstrip(":")]
    given: str = warm.REFERENCES[int(reference.rpartition("_")[2])]
    return given in warm.READ or given.partition(":")[2] in warm.READ  # undo:…


def __getattr__(name: str) -> Callable[[], None]:
    """The warm-ups, as warm_0, warm_1 and so on."""
    kind, _, number = name.partition("_")
    if kind != "warm" or not number.isdigit() or int(number) >= len(SETTINGS["warm"]):
        raise AttributeError(name)
    reference = SETTINGS["warm"][int(number)]
    about: dict[str, Any] = {"kind": "warm", "reference": reference, "seq": int(number)}
    warm_up = one_job if reference == WARM_JOB else resolve(reference)

    def run() -> None:
        result = looked_at(warm_up, f"warm-{number}", about)
        more: dict[str, Any] = {}
        if result and (reference == WARM_JOB or reference.startswith(REFERENCE)):
            more["undone"] = result
        if was_read(reference):
            more["read"] = True
        if more:
            write(f"warm-{number}", {**about, **more})

    return run


inherited = bytearray(b"x" * (4 << 20)) if timed else bytearray()
if looking_closely:
    sys.addaudithook(audit)
