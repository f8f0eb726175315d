"""RQ: run this instead of `rq worker`, as `python rq_worker.py [QUEUE ...]`.

A worker forks for each job, and a fork inherits what its worker has done. `rq worker` itself imports
nothing of the application before it forks. REDIS_URL says where the queues are.
"""

# VARIABLES
import gc
import os
import sys

from redis import Redis
from rq import Worker


def hoist() -> None:
    """Does here, once, what every fork would repeat."""
    # HOISTED


if __name__ == "__main__":
    hoist()
    gc.collect()
    gc.freeze()  # so that a collection in a fork does not copy all that it has inherited
    connection = Redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379"))
    Worker(sys.argv[1:] or ["default"], connection=connection).work()
