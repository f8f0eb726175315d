"""How what a job calls can be called by somebody else: by the name of a function, by an object that a
module holds, or as something that is read.

A call that is seen has a frame, and the frame has no name by which it can be made again: the function
may be a method of an object that nobody else has, or get an object that nobody can write down. Here
all the ways are listed that can be written down, with arguments that are literals of Python. Whether
they do what the job did is for the host to try.

Sent beside profile.py. Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations

import enum
import math
import sys
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, Optional
from weakref import ref

MAX_TEXT = 200

# A way to call: a module, a path in it, arguments as source, and whether reading the path is the work.
Way = dict[str, Any]
Place = Optional[tuple[str, str]]  # a module and a path in it

# Names of arguments that are secret: with such a part, or such a word between underscores. Values are, in which one
# of these stands before = or a colon, or which begin as the last ones do.
SECRETS = (
    *("passw", "secret", "passphrase", "credential", "api_key", "apikey", "access_key", "accesskey", "private_key"),
    *("encryption_key", "signing_key", "authorization"),
)
SECRET_WORDS = frozenset(("pass", "pwd", "token", "auth", "dsn", "cookie", "jwt", "bearer"))
SCHEMES = ("bearer ", "basic ", "token ")
LONG = 16  # so long a user's name in an address is a key

NOTHING = object()
OURS = ("forkbench_", "__main__")


def way(place: Place, args: list[str] | None, read: bool = False) -> list[Way]:
    if place is None or args is None:
        return []
    return [{"module": place[0], "name": place[1], "args": args, "read": read}]


# -- Values, written down -----------------------------------------------------------------------


def literal(value: Any) -> str | None:
    """The value as Python source, if it is simple and short; else nothing."""
    if isinstance(value, (enum.Enum, int)) and isinstance(value, int) and not isinstance(value, bool):
        value = int(value)
    text = None
    if value is None or type(value) in (bool, int, str, bytes) or (type(value) is float and math.isfinite(value)):
        text = repr(value)
    elif type(value) is tuple:
        parts = [literal(part) for part in value]
        if all(part is not None for part in parts):
            text = "(" + "".join(f"{part}, " for part in parts) + ")"
    return text if text is not None and len(text) <= MAX_TEXT else None


def secret(name: str, value: Any) -> bool:
    """Reports whether an argument may be nobody's to print, by its name or as an address with a password."""
    if type(value) is tuple:
        return any(secret(name, part) for part in value)
    if type(value) not in (str, bytes) or not value:
        return False
    name = name.lower()
    if any(part in name for part in SECRETS) or not SECRET_WORDS.isdisjoint(name.split("_")):
        return True
    text = value if isinstance(value, str) else value.decode("latin-1")
    user = text.partition("://")[2].partition("/")[0].rpartition("@")[0]
    return ":" in user or len(user) >= LONG or text.lower().startswith(SCHEMES) or gives(text.lower())


def gives(text: str) -> bool:
    """Reports whether something secret stands in a text by its name: password=…, ?token=…"""
    for word in (*SECRETS, *SECRET_WORDS):
        at = text.find(word)
        while at >= 0:
            at += len(word)
            rest = text[at:]
            if word in SECRETS:
                rest = rest.lstrip("abcdefghijklmnopqrstuvwxyz_")
            rest = rest.lstrip("\"'").lstrip()
            if rest[:1] in ("=", ":") and rest[1:].strip():
                return True
            at = text.find(word, at)
    return False


def arguments(frame: FrameType, function: Any, skip: int = 0) -> list[str] | None:
    """The arguments of a call as source, if they are all simple, and none is a secret. Those that have
    their defaults are left out, simple or not."""
    code, given = frame.f_code, frame.f_locals
    defaults = getattr(function, "__defaults__", None) or ()
    keyword_defaults = getattr(function, "__kwdefaults__", None) or {}
    names = code.co_varnames[: code.co_argcount]
    end = code.co_argcount + code.co_kwonlyargcount
    more: Any = ()
    keywords: Any = {}
    if code.co_flags & 0x04:  # *args
        more = given.get(code.co_varnames[end], ())
        end += 1
    if code.co_flags & 0x08:  # **kwargs
        keywords = given.get(code.co_varnames[end], {})
    if any(name not in given for name in names[skip:]):
        return None
    values = [given[name] for name in names[skip:]]
    if not more:
        first = len(names) - len(defaults)
        while values and len(values) + skip > first:
            default = defaults[len(values) + skip - 1 - first]
            if values[-1] is not default and not (
                type(default) is type(values[-1]) and literal(default) and default == values[-1]
            ):
                break
            values.pop()
    found = [literal(value) for value in [*values, *more]]
    alone = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    called = [*zip(names[skip:], values), *(("", value) for value in more), *keywords.items()]
    if any(secret(name, value) for name, value in [*called, *((name, given.get(name)) for name in alone)]):
        return None
    for name in alone:
        value = given.get(name, NOTHING)
        if name not in keyword_defaults or keyword_defaults[name] is not value:
            text = literal(value)
            found.append(None if text is None else f"{name}={text}")
    for name, value in keywords.items():
        text = literal(value)
        found.append(None if text is None or not name.isidentifier() else f"{name}={text}")
    return None if any(text is None for text in found) else [text for text in found if text is not None]


def needs_nothing(function: FunctionType) -> bool:
    code = function.__code__
    positional = code.co_argcount - len(function.__defaults__ or ())
    keywords = set(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])
    return positional <= 0 and not keywords - set(function.__kwdefaults__ or ())


# -- Names of functions and classes -------------------------------------------------------------


def own(found: Any) -> dict[str, Any]:
    """What an object has itself, without asking it."""
    try:
        space = object.__getattribute__(found, "__dict__")
    except Exception:
        return {}
    return space if isinstance(space, dict) else {}


def lookup(module: str, qualname: str) -> Any:
    """What a module has under a name; classes are gone into, nothing else."""
    first, *rest = qualname.split(".")
    found = own(sys.modules.get(module)).get(first)
    for part in rest:
        found = getattr(found, part, None) if issubclass(type(found), type) else None
    return found


def unwrapped(found: Any) -> Any:
    """The function inside decorators that say what they wrap, a cache's say. Nothing is asked that is
    not a function itself: it could answer with work."""
    for _ in range(20):
        inner = own(found).get("__wrapped__")
        if inner is None and issubclass(type(found), (MethodType, staticmethod, classmethod)):
            inner = found.__func__
        if inner is None:
            break
        found = inner
    return found


def code_of(found: Any) -> CodeType | None:
    found = unwrapped(found)
    return found.__code__ if type(found) is FunctionType else None


def private(path: str) -> int:
    return f".{path}".count("._")


def rank(module: str, path: str) -> tuple[Any, ...]:
    """Which of several names of one thing is its best: a public one, of a package that lists it, near
    the outside, short."""
    space = own(sys.modules[module])
    listed = path.split(".")[0] in (space.get("__all__") or ())
    return (
        private(f"{module}.{path}"),
        f"{module}.{path}".count("."),
        not listed,
        "__path__" not in space,
        len(f"{module}.{path}"),
        module,
    )


def public_name(module: str, qualname: str) -> tuple[str, str]:
    """Where users find a function or a class: under its own name in any imported module of the same
    outermost package."""
    first, _, rest = qualname.partition(".")
    target = own(sys.modules[module]).get(first, NOTHING)
    package = module.partition(".")[0]
    found = [(module, first)]
    for name, other in list(sys.modules.items()):
        if (name == package or name.startswith(package + ".")) and own(other).get(first, NOTHING) is target:
            found.append((name, first))
    where, known = min(found, key=lambda place: rank(*place))
    return where, f"{known}.{rest}" if rest else known


def class_name(kind: type) -> Place:
    module, qualname = getattr(kind, "__module__", None), getattr(kind, "__qualname__", "")
    if not isinstance(module, str) or module not in sys.modules or module.startswith(OURS) or "<" in qualname:
        return None
    return public_name(module, qualname) if lookup(module, qualname) is kind else None


# -- Objects that modules hold ------------------------------------------------------------------


def inside(found: Any) -> dict[str, Any]:
    """What an object has itself; of a class, what it holds, and not what its descriptors answer."""
    if not issubclass(type(found), type):
        return own(found)
    return {name: value for name, value in type.__getattribute__(found, "__dict__").items() if not descriptor(value)}


def descriptor(value: Any) -> bool:
    return hasattr(type(value), "__get__")


class Holdings:
    """The objects that modules held when the job began, and so will in a parent that has run none; and
    those that the application's objects and classes hold, and classes that are made by a metaclass: a
    model's description."""

    def __init__(self) -> None:
        self.places: dict[int, list[tuple[str, str]]] = {}
        for name, module in list(sys.modules.items()):
            if not issubclass(type(module), ModuleType) or name.startswith(OURS):
                continue
            mine = yours(module)
            for path, value in list(own(module).items()):
                if not self.hold(name, path, value):
                    continue
                if issubclass(type(value), type):
                    if getattr(value, "__module__", None) != name or not (mine or type(value) is not type):
                        continue
                elif not mine:
                    continue
                for attribute, inner in list(inside(value).items()):
                    if isinstance(attribute, str):
                        self.hold(name, f"{path}.{attribute}", inner)

    def hold(self, module: str, path: str, value: Any) -> bool:
        if issubclass(type(value), SIMPLE) or not all(part.isidentifier() for part in path.split(".")):
            return False
        self.places.setdefault(id(value), []).append((module, path))
        return True

    def place(self, found: Any) -> Place:
        """Where to find an object: still there, and not another that has its address now."""
        good = [place for place in self.places.get(id(found), ()) if self.at(*place) is found]
        return min(good, key=lambda place: rank(*place)) if good else None

    def at(self, module: str, path: str) -> Any:
        found: Any = sys.modules.get(module)
        for part in path.split("."):
            found = inside(found).get(part, NOTHING)
        return found


SIMPLE = (
    *(ModuleType, FunctionType, BuiltinFunctionType, CodeType, type(None), bool, int, float, complex, str, bytes),
    *(tuple, list, dict, set, frozenset),
)


def yours(module: ModuleType) -> bool:
    """Whether it is of the application: not installed, not of Python."""
    file = own(module).get("__file__")
    return isinstance(file, str) and not any(part in file for part in ("-packages/", "/lib/python", "<"))


class Makers:
    """Objects that functions without arguments returned in this job, and properties and cached
    properties of objects that modules hold: app.client().load() is a way, and db.engine.connect().

    They are not kept alive: what a job drops may be a connection, which is to be closed.
    """

    def __init__(self, holdings: Holdings) -> None:
        self.holdings = holdings
        self.made: dict[int, tuple[ref[Any], tuple[str, str]]] = {}

    def returned(self, frame: FrameType, value: Any) -> None:
        """Is told of every call that ends."""
        code = frame.f_code
        if code.co_argcount > 1 or code.co_kwonlyargcount or code.co_flags & 0x2AC or issubclass(type(value), SIMPLE):
            return
        if code.co_argcount:
            self.read(frame, value)
            return
        module = frame.f_globals.get("__name__")
        if not isinstance(module, str) or module.startswith(OURS) or len(self.made) >= 1000:
            return
        function = own(sys.modules.get(module)).get(code.co_name)
        if code_of(function) is code:
            where, name = public_name(module, code.co_name)
            self.keep(value, (where, f"{name}()"))

    def read(self, frame: FrameType, value: Any) -> None:
        """Keeps what a property, or what is like one, of an object that a module holds was read to be."""
        code = frame.f_code
        me = frame.f_locals.get(code.co_varnames[0])
        if not code.co_name.isidentifier() or id(me) not in self.holdings.places or len(self.made) >= 1000:
            return
        held = own_of_class(type(me), code.co_name)
        if callable(held) or not holds(held, code):
            return
        place = self.holdings.place(me)
        if place is not None:
            self.keep(value, (place[0], f"{place[1]}.{code.co_name}"))

    def keep(self, value: Any, place: tuple[str, str]) -> None:
        known = self.made.get(id(value))
        if known is not None and known[0]() is value:
            return  # its first name is as good
        try:
            self.made[id(value)] = ref(value), place
        except TypeError:
            return  # it cannot be watched

    def place(self, found: Any) -> Place:
        """Where to find what was made, or a public attribute of that."""
        made, place = self.made.get(id(found), (None, ("", "")))
        if made is not None and made() is found:
            return place
        for made, place in list(self.made.values()):
            for name, inner in list(own(made()).items()):
                if inner is found and name.isidentifier() and not name.startswith("_"):
                    return place[0], f"{place[1]}.{name}"
        return None


# -- Ways to call -------------------------------------------------------------------------------


class Namer:
    """Names the calls of one job."""

    def __init__(self) -> None:
        self.holdings = Holdings()
        self.makers = Makers(self.holdings)

    def place(self, found: Any) -> Place:
        return self.holdings.place(found) or self.makers.place(found)

    def ways(self, frame: FrameType) -> list[Way]:
        """How what a frame does can be done by name, without what only the job has."""
        code, module = frame.f_code, frame.f_globals.get("__name__") or ""
        if module.startswith(OURS) or module not in sys.modules:
            return []
        if code.co_name == "compile" and module in ("re._compiler", "sre_compile"):
            # What re.compile calls when its cache has no such pattern; the cache is re.compile's.
            given = [literal(frame.f_locals.get(name)) for name in ("p", "flags")]
            return way(("re", "compile"), [text for text in given if text]) if all(given) else []
        if code.co_name == "import_module" and module == "importlib":
            name = frame.f_locals.get("name")
            if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
                return []
            return way((name, ""), [])  # as an import is written
        found = self.of_function(frame, module) or self.of_object(frame)
        if code.co_name.startswith("_") and getattr(code, "co_qualname", code.co_name) == code.co_name:
            found += thin_wrappers(sys.modules[module], code)
        return found

    def of_function(self, frame: FrameType, module: str) -> list[Way]:
        """A function of a module; a static method."""
        code = frame.f_code
        qualname = getattr(code, "co_qualname", code.co_name)
        if "<" in qualname:
            return []
        itself = lookup(module, qualname)
        if code_of(itself) is not code:
            return []
        if "." in qualname:
            owner, _, name = qualname.rpartition(".")
            if not issubclass(type(own_of_class(lookup(module, owner), name)), staticmethod):
                return []
        return way(public_name(module, qualname), arguments(frame, unwrapped(itself)))

    def of_object(self, frame: FrameType) -> list[Way]:
        """A method, a property, or something else that Python calls for an object."""
        code = frame.f_code
        if code.co_argcount == 0 or code.co_varnames[0] not in frame.f_locals:
            return []
        me = frame.f_locals[code.co_varnames[0]]
        if code.co_name in ("__get__", "__getattr__", "__getattribute__") and code.co_argcount > 1:
            return self.of_access(me, frame.f_locals.get(code.co_varnames[1]), code.co_name)
        kinds = me.__mro__ if issubclass(type(me), type) else type(me).__mro__
        name, held = next(((n, v) for c in kinds for n, v in list(vars(c).items()) if holds(v, code)), ("", None))
        if not name:
            return []
        if issubclass(type(me), type):
            place = class_name(me) if issubclass(type(held), classmethod) else None
            return way(place and (place[0], f"{place[1]}.{name}"), arguments(frame, unwrapped(held), 1))
        if name == "__init__":
            return way(class_name(type(me)), arguments(frame, unwrapped(held), 1))
        place = self.place(me)
        if place is None:
            return []
        if not callable(held):
            return way((place[0], f"{place[1]}.{name}"), [], read=True)
        path = place[1] if name == "__call__" else f"{place[1]}.{name}"
        return way((place[0], path), arguments(frame, unwrapped(held), 1))

    def of_access(self, me: Any, other: Any, special: str) -> list[Way]:
        """A descriptor's __get__, or the __getattr__ of an object or a class."""
        if special != "__get__":
            owner, name = me, other
        elif other is None:
            return []
        else:
            owner = other
            name = next((n for c in type(other).__mro__ for n, v in list(vars(c).items()) if v is me), None)
        place = class_name(owner) if issubclass(type(owner), type) else self.place(owner)
        if place is None or not isinstance(name, str) or not name.isidentifier():
            return []
        return way((place[0], f"{place[1]}.{name}"), [], read=True)


def own_of_class(kind: Any, name: str) -> Any:
    return (
        next((vars(c)[name] for c in kind.__mro__ if name in vars(c)), None) if issubclass(type(kind), type) else None
    )


def holds(value: Any, code: CodeType) -> bool:
    """Whether a class's attribute runs this code: a method, a property, any descriptor that keeps its
    function (as functools.cached_property does) in an attribute."""
    if code_of(value) is code:
        return True
    if issubclass(type(value), property):
        return code_of(value.fget) is code
    if issubclass(type(value), type) or not descriptor(value):
        return False
    return any(code_of(inner) is code for inner in list(own(value).values()))


def thin_wrappers(module: Any, code: CodeType) -> list[Way]:
    """Public functions of the module that take nothing and only call its private function.

    configure_mappers is one, of what a mapped class calls when it is first used. One that does
    anything else, or is about something else by its name, is not called: nobody asked for that.
    """
    found: list[Way] = []
    verb = code.co_name.strip("_").split("_")[0]
    space = vars(module)
    for name, value in sorted(space.items()):
        if name.startswith("_") or not issubclass(type(value), FunctionType) or value.__module__ != module.__name__:
            continue
        names = value.__code__.co_names
        if code.co_name not in names or len(names) > 3 or name.split("_")[0] != verb or not needs_nothing(value):
            continue
        if all(isinstance(space.get(n), FunctionType) and space[n].__module__ == module.__name__ for n in names):
            found += way(public_name(module.__name__, name), [])
    return found
