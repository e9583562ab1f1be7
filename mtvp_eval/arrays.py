"""Names of the array types used in signatures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
ObjectArray = NDArray[Any]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view, so that a shared array cannot be changed by accident.

    >>> import numpy as np
    >>> frozen(np.zeros(2)).flags.writeable
    False
    """
    view = array.view()
    view.flags.writeable = False
    return view


def keep_freed_memory() -> None:
    """Let the C library keep freed memory, up to 64 MB, for the arrays of the next block of work.

    By default it hands larger pieces back to the system and asks for them again page by page, which takes as long as
    the work on them. Once an array of nearly 32 MB has been freed, glibc keeps what is smaller; the one made here is
    never written to, so it takes no memory itself. Other C libraries take no notice.
    """
    np.empty(2**25 - 2**16, dtype=np.uint8)


def all_finite(values: FloatArray) -> bool:
    """Return whether none of ``values`` is missing or infinite, in one pass where that is so.

    A sum of squares is finite only then; squares too large for it are looked at one by one.

    >>> all_finite(np.array([1.0, 1e200])), all_finite(np.array([1.0, np.nan])), all_finite(np.array([np.inf, -np.inf]))
    (True, False, False)
    """
    flat = values.reshape(-1)
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.dot(flat, flat))) or bool(np.isfinite(flat).all())


def as_labels(values: Any) -> ObjectArray:
    """Return labels of units or clusters as they are kept: whole numbers as such, all others as objects.

    >>> as_labels(np.array([3, 1])).dtype, as_labels(["b", "a"]).dtype
    (dtype('int64'), dtype('O'))
    """
    found = np.asarray(values)
    return found if found.dtype.kind == "i" else np.asarray(values, dtype=object)


def repeats(labels: ObjectArray) -> int:
    """Return how many of ``labels`` (n,) are there already; at once where they are numbers in order.

    >>> repeats(np.array([1, 2, 3])), repeats(np.array(["a", "b", "a"], dtype=object))
    (0, 1)
    """
    if labels.dtype.kind == "i" and bool((labels[1:] > labels[:-1]).all()):
        return 0
    return len(labels) - len(set(labels.tolist()))


def distinct(values: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distinct ``values`` (n,) in order, and the place of each among them; without sorting where close.

    >>> [found.tolist() for found in distinct(np.array([5, 3, 5]))]
    [[3, 5], [1, 0, 1]]
    """
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if high - low > len(values):
        found, place = np.unique(values, return_inverse=True)
        return found, place.astype(np.int64)
    present, above = np.zeros(high - low + 1, dtype=np.bool_), values - low
    present[above] = True
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1).take(above)


def by_group(group: IntArray, groups: int) -> list[IntArray]:
    """Return the places of each of so many ``groups`` in ``group`` (n,), which holds their numbers from 0 on.

    >>> [places.tolist() for places in by_group(np.array([1, 0, 1]), 2)]
    [[1], [0, 2]]
    """
    # Numbers of one or two bytes are sorted by counting, in one pass.
    order = np.argsort(group.astype(np.min_scalar_type(groups)), kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=groups)).tolist()
    return [order[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
