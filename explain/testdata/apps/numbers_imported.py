"""Imports numpy in its jobs, whose BLAS starts a pool of threads with that."""


def job(*args: object) -> None:
    import numpy

    numpy.ones(4).sum()
