"""A job that asks for a handler by name: all plugins are loaded when one is asked for first."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

PLUGINS = [
    "xml.dom.minidom",
    "xml.sax.expatreader",
    "http.cookiejar",
    "mailbox",
    "imaplib",
    "plistlib",
    "configparser",
    "optparse",
]


class Registry:
    """Loads by its own way of asking for attributes, as lazy loaders do."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[str], str]] = {}

    def __getitem__(self, name: str) -> Callable[[str], str]:
        if not self.handlers:
            discover(self, object())
        return self.handlers[name]


def discover(registry: Registry, _: object) -> None:
    for i, name in enumerate(PLUGINS):
        module: Any = importlib.import_module(name)
        registry.handlers[f"handler_{i}"] = functools.partial(documented, str(module.__doc__))


def documented(doc: str, text: str) -> str:
    return text + doc


handlers = Registry()


def job(text: str = "a") -> int:
    return len(handlers["handler_3"](text))
