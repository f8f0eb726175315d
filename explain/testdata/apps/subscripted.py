"""Jobs over tables that a dictionary makes when one is asked for first."""

from __future__ import annotations


class Tables(dict[str, dict[str, str]]):
    def __missing__(self, key: str) -> dict[str, str]:
        self[key] = {f"{key}{i}": str(i) for i in range(30000)}
        return self[key]


tables = Tables()


def job(key: str = "de") -> int:
    return int(tables[key][key + "7"])
