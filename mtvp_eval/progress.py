"""Say on the error stream what long work is doing; silent when nobody watches is a choice of the caller."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print what is being done and how long it took; in a notebook nothing, for its outputs are compared.

    >>> with step("nothing at all"):
    ...     pass
    """
    if type(sys.stderr).__module__.startswith("ipykernel"):
        yield
        return
    start = time.perf_counter()
    sys.stderr.write(f"  {what} ...")
    sys.stderr.flush()
    try:
        yield
    except BaseException:
        sys.stderr.write(" stopped\n")
        raise
    sys.stderr.write(f" {time.perf_counter() - start:.1f} s\n")
    sys.stderr.flush()
