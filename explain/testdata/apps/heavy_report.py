"""Takes its time to be imported: it makes code and tables, as large packages do."""

import dataclasses

RATES = {f"{a}{b}": (a * 7919 + b) % 997 for a in range(300) for b in range(300)}
ROWS = [dataclasses.make_dataclass(f"Row{i}", [(f"field_{j}", int) for j in range(12)]) for i in range(12)]


def count(text: str) -> int:
    return len(text.split()) + RATES["11"] - RATES["11"]
