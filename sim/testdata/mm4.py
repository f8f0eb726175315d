"""The queue M/M/4 at a load of 0.8 in SimPy, as users of it write it: the
benchmarks compare its speed with package sim's. It prints two lines of a form's
name, the seconds that the run took, and the mean time in the system in ms.

usage: mm4.py JOBS
"""

import random
import sys
import time
from collections.abc import Generator
from typing import Any

import simpy

WORKERS = 4
SERVICE = 10.0  # ms
RATE = 0.8 * WORKERS / SERVICE  # jobs per ms

Events = Generator[simpy.Event, Any, None]


def of_jobs(jobs: int) -> float:
    """A process for each job, which requests one of four servers."""
    env = simpy.Environment()
    servers = simpy.Resource(env, capacity=WORKERS)
    rng = random.Random(1)
    total = 0.0

    def job() -> Events:
        nonlocal total
        came = env.now
        with servers.request() as request:
            yield request
            yield env.timeout(rng.expovariate(1 / SERVICE))
        total += env.now - came

    def source() -> Events:
        for _ in range(jobs):
            yield env.timeout(rng.expovariate(RATE))
            env.process(job())

    env.process(source())
    env.run()
    return total / jobs


def of_workers(jobs: int) -> float:
    """A process for each worker, which takes jobs from a store."""
    env = simpy.Environment()
    stream = simpy.Store(env)
    rng = random.Random(1)
    total = 0.0

    def worker() -> Events:
        nonlocal total
        while True:
            came = yield stream.get()
            yield env.timeout(rng.expovariate(1 / SERVICE))
            total += env.now - came

    def source() -> Events:
        for _ in range(jobs):
            yield env.timeout(rng.expovariate(RATE))
            stream.put(env.now)

    for _ in range(WORKERS):
        env.process(worker())
    env.process(source())
    env.run()
    return total / jobs


def main() -> None:
    jobs = int(sys.argv[1])
    for form in (of_jobs, of_workers):
        began = time.process_time()
        response = form(jobs)
        print(form.__name__, time.process_time() - began, response)


if __name__ == "__main__":
    main()
