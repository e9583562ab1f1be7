"""Say on the error stream what long work is doing; silent when nobody watches is a choice of the caller."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print what is being done and how long it took; in a notebook nothing, for its outputs are compared.

    >>> with step("nothing at all"):
    ...     pass
    """
    if _in_notebook():
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


def counted(items: Sequence[_Item], what: str) -> Iterator[_Item]:
    """Yield items, and say after each tenth of them how many are done and how long it took; in a notebook nothing.

    >>> list(counted([1, 2], "numbers"))
    [1, 2]
    """
    start, tenth = time.perf_counter(), -(-len(items) // 10)
    for number, item in enumerate(items, start=1):
        yield item
        if not _in_notebook() and (number % tenth == 0 or number == len(items)):
            sys.stderr.write(f"  {what}: {number} of {len(items)}, {time.perf_counter() - start:.1f} s\n")
            sys.stderr.flush()


def _in_notebook() -> bool:
    return type(sys.stderr).__module__.startswith("ipykernel")
