"""One-time work by reference, which a parent does before it forks: warm_0, warm_1 and so on.

The host sends this module with the references of --warm, in their order, as REFERENCES:

    MODULE                  its import
    MODULE:FUNCTION         a call of it; dots reach into classes and objects
    MODULE:NAME.METHOD(…)   a call with arguments, which are literals; more may follow a call
    MODULE:OBJECT.NAME      a property, or whatever else is computed when it is read
    undo:MODULE:…           any of these but an import, and what it leaves open is given up again

A wrong name is an error when a function is asked for, before any work is done: so far as names can be
looked up without computing anything.

Standard library only, Python 3.9 and newer. What only some references need is imported for them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from types import GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from workload.application import awaited
else:
    from forkbench_application import awaited

REFERENCES: list[str] = []
READ: set[str] = set()  # those, without undo:, of which reading the last name was the work
UNDO = "undo:"

# A step on the way: a name, or what a call or an index is given.
Step = Union[str, "Call", "Index"]
NOTHING = object()  # no value
COMPUTED = object()  # one that reading it would compute


class NotFound(LookupError):
    """A reference leads nowhere: whoever gave it is to mend it."""


class Call:
    def __init__(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs

    def source(self) -> str:
        return f"({', '.join([*map(repr, self.args), *(f'{k}={v!r}' for k, v in self.kwargs.items())])})"


class Index:
    def __init__(self, key: Any) -> None:
        self.key = key

    def source(self) -> str:
        return f"[{self.key!r}]"


def parse(reference: str) -> tuple[str, list[Step]]:
    """The module, and the steps from it; none is its import."""
    module, colon, path = reference.partition(":")
    if not colon:
        return module, []
    if all(name.isidentifier() for name in path.split(".")):
        return module, list(path.split("."))
    import ast

    try:
        node: Any = ast.parse(path, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotFound(
            f"{reference}: {path!r} is no call of Python ({error}): write it as in app:table('en')"
        ) from None

    def literal(value: ast.expr) -> Any:
        try:
            return ast.literal_eval(value)
        except ValueError:
            raise NotFound(
                f"{reference}: {ast.unparse(value)} is no literal: what a warm-up is called with are numbers, strings,"
                " bytes, None, True, False, and tuples, lists, sets and dicts of them. Write a function that does it"
            ) from None

    steps: list[Step] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            steps.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
                raise NotFound(f"{reference}: a warm-up takes no * and no **: write the arguments out")
            steps.append(Call([literal(a) for a in node.args], {str(k.arg): literal(k.value) for k in node.keywords}))
            node = node.func
        elif isinstance(node, ast.Subscript):
            key: Any = node.slice
            steps.append(Index(literal(getattr(key, "value", key) if type(key).__name__ == "Index" else key)))
            node = node.value
        else:
            raise NotFound(
                f"{reference}: {ast.unparse(node)} is neither a name, an attribute nor a call: write it as in"
                " app:table('en') or app:settings.tables, or write a function that does it"
            )
    steps.append(node.id)
    return module, steps[::-1]


def held(found: Any, name: str) -> Any:
    """What an object, a class or a module has under a name, if that is there without computing it:
    COMPUTED where only reading tells, NOTHING where there is none."""
    classes = type(found).__mro__
    try:
        own = vars(found)
    except Exception:  # it has slots, or is a proxy for something that is not there yet
        own = {}
    if isinstance(found, type):
        classes, own = found.__mro__ + classes, {}
    value: Any = next((vars(c)[name] for c in classes if name in vars(c)), NOTHING)
    if name in own and not hasattr(type(value), "__set__"):
        return own[name]
    if value is NOTHING:
        return COMPUTED if any("__getattr__" in vars(c) for c in type(found).__mro__) else NOTHING
    if callable(value) or isinstance(value, THERE) or not hasattr(type(value), "__get__"):
        return getattr(found, name, NOTHING)
    return COMPUTED


# Descriptors that compute nothing: methods, slots, attributes of C types.
THERE = (staticmethod, classmethod, MemberDescriptorType, GetSetDescriptorType)


def module_named(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise  # the module is there, and misses another
        parent, _, last = name.rpartition(".")
        if parent in sys.modules and hasattr(sys.modules[parent], last):
            raise NotFound(
                f"no module named {name!r}: {last} is in the module {parent}: write {parent}:{last}"
            ) from None
        raise NotFound(
            f"no module named {error.name!r} on sys.path ({os.pathsep.join(sys.path)}): name its folder with --path"
        ) from None


def missing(walked: str, found: Any, name: str) -> NotFound:
    names = ", ".join(sorted(n for n in dir(found) if not n.startswith("_"))) or "nothing"
    return NotFound(f"{walked} has no attribute {name!r}; it has {names}")


def check(reference: str) -> None:
    """Follows the names as far as nothing is computed."""
    module, steps = parse(reference)
    if not steps:
        top = module.partition(".")[0]
        if top not in sys.modules and all(finder.find_spec(top, None) is None for finder in sys.meta_path):
            raise NotFound(
                f"no module named {top!r} on sys.path ({os.pathsep.join(sys.path)}): name its folder with --path"
            )
        return
    found: Any = module_named(module)
    walked = module
    for i, step in enumerate(steps):
        if isinstance(step, Index):
            return
        if isinstance(step, Call):
            if not callable(found):
                raise NotFound(f"{walked} is not callable: it is of type {type(found).__name__}")
            return
        value = held(found, step) if i else getattr(found, step, NOTHING)  # a module may compute it, too
        if value is NOTHING:
            raise missing(walked, found, step)
        if value is COMPUTED:
            return
        found = value
        walked += f"{'.' if i else ':'}{step}"
    if not callable(found):
        raise NotFound(f"{reference} is not callable: it is of type {type(found).__name__}")


def do(reference: str, on_the_way: dict[str, Any] | None = None) -> None:
    """Does it: what the last name leads to is called, unless reading the name was the work. The objects
    before that are noted by their names in Python."""
    module, steps = parse(reference)
    found: Any = module_named(module)
    walked, name = module, module
    for i, step in enumerate(steps):
        if i and on_the_way is not None:
            on_the_way[name] = found
        name += f".{step}" if isinstance(step, str) else step.source()
        if isinstance(step, Call):
            found = awaited(found(*step.args, **step.kwargs))
        elif isinstance(step, Index):
            found = found[step.key]
        else:
            computed = i > 0 and held(found, step) is COMPUTED
            try:
                value = getattr(found, step)
            except AttributeError:
                if i > 0 and held(found, step) is not NOTHING:
                    raise  # what it computes misses something
                raise missing(walked, found, step) from None
            if i == len(steps) - 1:
                if computed:
                    READ.add(reference)
                else:
                    awaited(value())
            found = value
            walked += f"{'.' if i else ':'}{step}"


def __getattr__(name: str) -> Callable[[], Any]:
    kind, _, number = name.partition("_")
    if kind != "warm" or not number.isdigit() or int(number) >= len(REFERENCES):
        raise AttributeError(name)
    reference = REFERENCES[int(number)]
    if reference.startswith(UNDO) and ":" in reference[len(UNDO) :]:
        return undoing(reference)
    check(reference)

    def run() -> None:
        do(reference)

    return run


def undoing(reference: str) -> Callable[[], list[str]]:
    """Does it and gives up what it leaves open: that is returned in words."""
    import forkbench_undo  # type: ignore[import-not-found] # sent with such a reference

    inner = reference[len(UNDO) :]
    check(inner)

    def run() -> list[str]:
        named: dict[str, Any] = {}
        lines: list[str] = forkbench_undo.run(lambda: do(inner, named), f"--warm={reference}", named)
        return lines

    return run
