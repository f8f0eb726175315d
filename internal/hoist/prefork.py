"""A server of your own that forks: what to do before its first fork, in this order."""

# VARIABLES
import gc


def before_fork() -> None:
    """Does here, once, what every child would repeat."""
    # HOISTED
    # Close what this has opened: children must not share connections. No thread may run.
    gc.collect()
    gc.freeze()  # so that a collection in a child does not copy all that it has inherited
