package workload

import (
	"strings"
	"testing"
)

// TestResults runs the rule for what a job returns: what is awaited, and what of
// it is kept. The names are those that a note shows.
func TestResults(t *testing.T) {
	var got map[string][2]string
	pythonScript(t, mustParse(t, "act"), `
import datetime, decimal, types
import forkbench_application as application
from collections import namedtuple

assert "asyncio" not in sys.modules
ran = []
async def coroutine(value):
    ran.append("coroutine")
    return value
async def asks():
    import asyncio
    await asyncio.sleep(0)
    return [id(asyncio.get_running_loop())]
def generator():
    ran.append("generator")
    yield 1
async def generates():
    ran.append("async generator")
    yield 1
class Future:
    def __await__(self):
        ran.append("future")
        yield
class Rude(dict):
    def items(self):
        raise LookupError("no")
    __iter__ = keys = items
class Meant:
    """A coroutine that is none of Python's own: Cython's are such."""
    def __init__(self):
        self.own = coroutine("of another kind")
    def send(self, value):
        return self.own.send(value)
    def throw(self, *error):
        return self.own.throw(*error)
    def close(self):
        return self.own.close()
    def __await__(self):
        return self.own.__await__()
circle = []
circle.append(circle)
deep = []
for _ in range(100_000):
    deep = [deep]
returned = {
    "nothing": lambda: None,
    "plain": lambda: {"a": [1, 2.5, True, None, "ü\ud800"]},
    "pair": lambda: (1, 2),
    "named": lambda: namedtuple("Point", "x y")(1, 2),
    "coroutine": lambda: coroutine({"n": 1}),
    "coroutine of a date": lambda: coroutine(datetime.date(2026, 1, 1)),
    "cython": Meant,
    "generator": generator,
    "async generator": generates,
    "future": Future,
    "date": lambda: datetime.datetime(2026, 1, 1),
    "deep date": lambda: {"a": [datetime.datetime(2026, 1, 1)]},
    "decimal": lambda: decimal.Decimal(1),
    "object": object,
    "bytes": lambda: b"x",
    "key": lambda: {(1, 2): 3},
    "nan": lambda: float("nan"),
    "circle": lambda: circle,
    "deep": lambda: deep,
    "rude": lambda: Rude(a=1),
    "digits": lambda: 10 ** 5000,
    "long text": lambda: "x" * 3_000_000,
    "long list": lambda: ["x" * 1000] * 1100,
    "just fits": lambda: "x" * ((1 << 20) - 2),
    "just not": lambda: "x" * ((1 << 20) - 1),
}
found = {}
for name, job in returned.items():
    text, dropped = application.kept(application.awaited(job()))
    found[name] = (text.decode()[:40], dropped)
assert ran == ["coroutine"] * 3, ran
# A loop for each job, and it is closed.
application.awaited(asks())
before = len(os.listdir("/proc/self/fd"))
for _ in range(50):
    application.awaited(asks())
assert len(os.listdir("/proc/self/fd")) == before
print(json.dumps(found))
`).run(t, &got)
	for name, want := range map[string][2]string{
		"nothing":             {"null", ""},
		"plain":               {`{"a": [1, 2.5, true, null, "\u00fc\ud800"`, ""},
		"pair":                {"[1, 2]", ""},
		"named":               {"[1, 2]", ""},
		"coroutine":           {`{"n": 1}`, ""},
		"coroutine of a date": {"", "not JSON: date"},
		"cython":              {`"of another kind"`, ""},
		"generator":           {"", "not JSON: generator"},
		"async generator":     {"", "not JSON: async_generator"},
		"future":              {"", "not JSON: Future"},
		"date":                {"", "not JSON: datetime"},
		"deep date":           {"", "not JSON: datetime in a dict"},
		"decimal":             {"", "not JSON: Decimal"},
		"object":              {"", "not JSON: object"},
		"bytes":               {"", "not JSON: bytes"},
		"key":                 {"", "not JSON: dict"},
		"nan":                 {"", "not JSON: float"},
		"circle":              {"", "not JSON: list"},
		"deep":                {"", "not JSON: list"},
		"rude":                {"", "not JSON: Rude"},
		"digits":              got["digits"], // by version: long numbers have a form or none
		"long text":           {"", "above 1 MiB: str"},
		"long list":           {"", "above 1 MiB: list"},
		"just fits":           {`"` + strings.Repeat("x", 39), ""},
		"just not":            {"", "above 1 MiB: str"},
	} {
		want[0] = want[0][:min(len(want[0]), 40)]
		if got[name] != want {
			t.Errorf("%s: %q; want %q", name, got[name], want)
		}
	}
}

// TestSetUp runs the rule for what --setup names: what is called, what is
// entered, and what is refused with which words.
func TestSetUp(t *testing.T) {
	var got struct {
		Log     []string
		Refused map[string]string
		Tasks   []string
	}
	pythonScript(t, mustParse(t, "act"), `
import contextlib, types
import forkbench_application as application

app = types.ModuleType("app")
sys.modules["app"] = app
log = app.log = []
source = '''
import contextlib
def plain():
    log.append("plain")
    return 42
async def awaits():
    log.append("awaits")
@contextlib.contextmanager
def manager():
    log.append("entered")
    yield
    log.append("left")
class Built:
    def __init__(self, name="built"):
        self.name = name
    def __enter__(self):
        log.append("in " + self.name)
    def __exit__(self, *error):
        log.append("out of " + self.name)
        raise RuntimeError("on the way out")
built = Built("module")
class Flask:
    def __call__(self, environ, start_response):
        raise AssertionError("is no function to set up with")
    def app_context(self):
        return Built("flask")
flask = Flask()
def create_app():
    log.append("create_app")
    return Flask()
class Loader:
    def import_default_modules(self):
        log.append("default modules")
class Celery:
    loader = Loader()
    tasks = {"a name of its own": len}
    def __enter__(self):
        raise AssertionError("an application of Celery is a context manager, too")
    __exit__ = __enter__
    def set_current(self):
        log.append("current")
    set_default = set_current
celery = Celery()
def make_celery():
    return Celery()
class Later:
    async def __aenter__(self): pass
    async def __aexit__(self, *error): pass
later = Later()
class Quart:
    def app_context(self):
        return Later()
quart = Quart()
def forgot():
    yield
async def forgot_later():
    yield
number = 3
def raises():
    raise OSError("no licence")
'''
exec(source, app.__dict__)
application.set_up(["app:" + name for name in (
    "plain", "awaits", "manager", "Built", "built", "flask", "create_app", "celery", "make_celery", "flask.app_context",
)])
refused = {}
for name in "later", "quart", "forgot", "forgot_later", "number", "nothing", "raises":
    try:
        application.set_up(["app:" + name])
    except Exception as error:
        refused[name] = type(error).__name__ + ": " + str(error)
log.append("--")
sys.stderr = open(os.devnull, "w")
application.leave()
application.leave()
print(json.dumps({"Log": log, "Refused": refused, "Tasks": [str(application.task(n)) for n in ("a name of its own", "none")]}))
`).run(t, &got)
	equal(t, "what was done", got.Log, []string{
		"plain", "awaits", "entered", "in built", "in module", "in flask", "create_app", "in flask",
		"default modules", "current", "current", "default modules", "current", "current", "in flask",
		"--", "out of flask", "out of flask", "out of flask", "out of module", "out of built", "left",
	})
	equal(t, "tasks", got.Tasks, []string{"<built-in function len>", "None"})
	for name, want := range map[string]string{
		"later":        "NotFound: app:later is an asynchronous context manager (Later), and no event loop outlives a job",
		"quart":        "NotFound: app:quart.app_context() returned an asynchronous context manager",
		"forgot":       "NotFound: app:forgot returned a generator: put @contextlib.contextmanager above",
		"forgot_later": "NotFound: app:forgot_later returned a generator",
		"number":       "NotFound: app:number is of type int: name a function, a context manager",
		"nothing":      "NotFound: app has no attribute 'nothing'",
		"raises":       "OSError: no licence",
	} {
		if !strings.HasPrefix(got.Refused[name], want) {
			t.Errorf("%s: %q; want %q", name, got.Refused[name], want)
		}
	}
}
