"""A job that imports a heavy module where it needs it, and so in its first run in each process."""


def job(text: str = "a b c") -> int:
    import heavy_report  # type: ignore[import-not-found] # it is, where the jobs run

    return int(heavy_report.count(text))
