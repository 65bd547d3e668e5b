"""Where coverage has nothing to learn, its tracer would be most of what a test costs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def untraced() -> Iterator[None]:
    """Coverage does not hear of what runs inside.

    For code that it does not measure, and for sweeps through thousands of values, where it counts that each has its
    answer. A line that only such a sweep reached would be reported as missed, never the other way round.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
