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
