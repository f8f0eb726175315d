"""A first job that calls one function 700 deep."""

answers: list[int] = []


def depth(n: int) -> int:
    return 0 if n == 0 else 1 + depth(n - 1)


def job() -> None:
    if not answers:
        answers.append(depth(700))
