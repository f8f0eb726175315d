"""A global that is filled when it is asked for first: what is called once is of the library, and changes
nothing when it is called by itself. Who asks for it is the application's."""

from __future__ import annotations

import ssl

contexts: list[ssl.SSLContext] = []


def context() -> ssl.SSLContext:
    if not contexts:
        contexts.append(ssl.create_default_context())
    return contexts[0]


def job(n: int = 0) -> bool:
    return context().verify_mode == ssl.CERT_REQUIRED
