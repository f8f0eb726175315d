"""Settings of which one is computed when it is read first, by a descriptor as libraries write them."""

from __future__ import annotations

from typing import Any, Callable


class memoized:  # noqa: N801 # it is used as property is
    """Computes once for each object, and is out of the way then: the object's own value comes first."""

    def __init__(self, fget: Callable[[Any], Any]) -> None:
        self.fget = fget
        self.__name__ = fget.__name__

    def __get__(self, holder: Any, kind: Any) -> Any:
        if holder is None:
            return self
        value = self.dispatch(holder)
        holder.__dict__[self.__name__] = value
        return value

    def dispatch(self, holder: Any) -> Any:
        return self.fget(holder)


class Settings:
    def __init__(self, scale: int) -> None:
        self.scale = scale

    @memoized
    def rates(self) -> dict[str, int]:
        return {f"{i}": i * self.scale for i in range(30000)}


settings = Settings(7)


def job(text: str = "11") -> int:
    return int(settings.rates[text])
