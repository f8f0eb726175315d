"""A job that imports many modules here and there, each in no time, and compiles patterns the same way."""

from __future__ import annotations

import importlib
import re

MODULES = [
    *("wave", "chunk", "sndhdr", "imghdr", "aifc", "sunau", "xdrlib", "uu", "nntplib", "telnetlib", "mailcap", "pipes"),
    *(
        "colorsys",
        "plistlib",
        "netrc",
        "cmd",
        "code",
        "codeop",
        "fileinput",
        "filecmp",
        "sched",
        "symtable",
        "tabnanny",
    ),
    *("trace", "timeit", "turtledemo", "pyclbr", "py_compile", "zipapp", "compileall", "stringprep", "this_is_none"),
]


def load(name: str) -> int:
    try:
        return len(dir(importlib.import_module(name)))
    except ImportError:
        return 0


def job(text: str = "a") -> int:
    found = 0
    for name in MODULES:
        found += load(name)
    for i in range(80):
        found += bool(re.match(rf"(?P<a{i}>[a-z]+|\d{{1,{i + 2}}})\s*({text}|b{i}?)+", text))
    return found
