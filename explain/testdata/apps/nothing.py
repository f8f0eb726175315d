"""A job that costs the same each time."""


def job(n: int = 20000) -> int:
    return sum(i * i for i in range(n)) % 1000
