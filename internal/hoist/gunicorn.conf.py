"""Gunicorn: this is its configuration file, or what to add to it.

With `preload_app` the application is loaded in the arbiter, and `when_ready` runs there before the first worker is
forked. `post_fork` runs in each worker: it is the place for connections.
"""

# VARIABLES
import gc

preload_app = True


def when_ready(server: object) -> None:
    """Does here, once, what every worker would repeat."""
    # HOISTED
    gc.collect()
    gc.freeze()  # so that a collection in a worker does not copy all that it has inherited
