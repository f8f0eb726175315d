"""Celery: put this into the module that makes the application, or import it there.

`worker_init` runs in the main process, before the pool is forked: all children inherit what is done in it, also
those that replace others (max_tasks_per_child). `worker_process_init` is the wrong place: it runs in each child,
so the work would be done once per child again, and a child that takes more than 4 s for it is killed. It is
the right place for what children must not share: open connections there.
"""

# VARIABLES
import gc

from celery.signals import worker_init


def hoist(**_: object) -> None:
    """Does here, once, what every child would repeat."""
    # HOISTED
    gc.collect()
    gc.freeze()  # so that a collection in a child does not copy all that it has inherited


worker_init.connect(hoist)
