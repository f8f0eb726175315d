"""An application with a table that is built on first use. Each build says where, in the file BUILDS names."""

import functools
import os


def note(what: str) -> None:
    with open(os.environ["BUILDS"], "a") as file:
        file.write(f"{what} {os.getpid()}\n")


@functools.cache
def table(locale: str) -> list[int]:
    note("build")
    return list(range(1000))


def job(number: int) -> int:
    """A job, and a request: it says where it ran, after it has used the table."""
    found = table("en")[number]
    note("job")
    return found


def wsgi(environ: dict[str, str], start_response: object) -> list[bytes]:
    job(1)
    start_response("200 OK", [])  # type: ignore[operator]
    return [b"done\n"]
