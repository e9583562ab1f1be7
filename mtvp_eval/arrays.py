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
