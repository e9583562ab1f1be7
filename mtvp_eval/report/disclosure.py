"""Withhold what would disclose a small group, together with what it could be worked out from; check what leaves."""

from __future__ import annotations

import base64
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.errors import DataError

_TOKEN = re.compile(r"[\w.\-]+")
_EMBEDDED = re.compile(rb"data:[\w/+.\-]+;base64,([A-Za-z0-9+/=]+)")
_RANK_TOLERANCE = 1e-9


def derivable(hidden: BoolArray, equations: FloatArray) -> BoolArray:
    r"""Tell which withheld cells follow exactly from the published ones.

    Cells x obey A x = 0. With H the withheld cells, x_j is determined iff row j of a basis of the null space of
    :math:`A_H` is zero.

    Parameters
    ----------
    hidden : (K,) withheld cells.
    equations : (m, K) known linear relations, parts positive and their total negative.

    Returns
    -------
    (K,) true for a withheld cell that anyone can work out.

    Source: Willenborg & de Waal, Elements of Statistical Disclosure Control (2001), on secondary cell suppression.

    Example
    -------
    >>> import numpy as np
    >>> derivable(np.array([True, False, False]), np.array([[1.0, 1.0, -1.0]])).tolist()
    [True, False, False]
    >>> derivable(np.array([True, True, False]), np.array([[1.0, 1.0, -1.0]])).tolist()
    [False, False, False]
    """
    found = np.zeros(len(hidden), dtype=np.bool_)
    columns = np.flatnonzero(hidden)
    if not len(columns) or not len(equations):
        return found
    A = equations[:, columns]
    _, singular, Vt = np.linalg.svd(A, full_matrices=True)
    rank = int(np.sum(singular > _RANK_TOLERANCE * max(1.0, singular.max(initial=0.0))))
    free = np.abs(Vt[rank:]).max(axis=0, initial=0.0)
    found[columns] = free < _RANK_TOLERANCE
    return found


def withhold(
    size: FloatArray,
    equations: FloatArray,
    threshold: float,
    also: BoolArray | None = None,
    unpublished: BoolArray | None = None,
    cost: FloatArray | None = None,
) -> BoolArray:
    """Choose the cells to withhold: the small ones, and the cheapest others that keep them from being worked out.

    Small: 0 < size < threshold. Starting from nothing shown, cells are shown one by one, the dearest first, as long as
    no small cell becomes derivable and no published total leaves withheld parts that together stay under the threshold.
    So the cells withheld for protection are the cheapest that will do, and none of them without need. Empty cells give
    no protection and are always shown.

    Parameters
    ----------
    size : (K,) number of units behind each cell, totals included.
    equations : (m, K) parts positive, total negative.
    threshold : smallest number of units that may be shown.
    also : (K,) cells not shown for another reason; they need no protection of their own.
    unpublished : (K,) cells that no table shows, so that they help to protect others.
    cost : (K,) loss to the reader when a cell goes; its size where not given.

    Returns
    -------
    (K,) true for a cell to withhold.

    Example: three practices in a margin of forty take the next smallest cohort with them.

    >>> import numpy as np
    >>> withhold(np.array([3.0, 9.0, 28.0, 40.0]), np.array([[1.0, 1.0, 1.0, -1.0]]), 5).tolist()
    [True, True, False, False]
    """
    nowhere = np.zeros(len(size), dtype=np.bool_)
    unpublished = nowhere if unpublished is None else unpublished
    cost = size if cost is None else cost
    small = (size > 0) & (size < threshold)
    fixed = small | (nowhere if also is None else also)
    if _is_safe(small, fixed | unpublished, size, equations, threshold):
        return fixed
    hidden = fixed | (size > 0)
    for cell in np.lexsort((-size, -cost)):
        if hidden[cell] and not fixed[cell] and not unpublished[cell]:
            hidden[cell] = False
            hidden[cell] = not _is_safe(small, hidden | unpublished, size, equations, threshold)
    return hidden & ~unpublished | fixed


def _is_safe(small: BoolArray, unknown: BoolArray, size: FloatArray, equations: FloatArray, threshold: float) -> bool:
    """Whether neither a small cell nor a small union of unknown cells with one in it can be worked out."""
    known = derivable(unknown, equations)
    if bool((known & small).any()):
        return False
    unknown = unknown & ~known
    parts, total = equations > 0, equations < 0
    holds_small = (parts & small).any(axis=1)
    together = (parts & unknown) @ size
    return not bool((holds_small & (together < threshold) & ~(total & unknown).any(axis=1)).any())


def assert_releasable(paths: Iterable[Path], identifiers: Iterable[str]) -> None:
    """Refuse to publish files in which a practice's identifier stands, pictures and workbooks included.

    Raises
    ------
    DataError
        Naming the files and how many different identifiers each holds; never which.
    """
    wanted = {str(identifier) for identifier in identifiers}
    spaced = {identifier for identifier in wanted if not _TOKEN.fullmatch(identifier)}
    found = []
    for path in paths:
        seen: set[str] = set()
        for text in _texts(path):
            seen |= wanted & {token.strip(".-") for token in _TOKEN.findall(text)}
            seen |= {identifier for identifier in spaced if identifier in text}
        if seen:
            found.append(f"{path.name} ({len(seen)} different)")
    if found:
        raise DataError(
            f"Not published: practice identifiers stand in {', '.join(found)}. A report shows groups only; "
            "take the identifiers out of the titles and texts of the region's evaluation.yaml and extracts."
        )


def _texts(path: Path) -> Iterator[str]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name).decode("utf-8", "replace")
        return
    content = path.read_bytes()
    for embedded in _EMBEDDED.findall(content):
        yield base64.b64decode(embedded).decode("utf-8", "replace")
    yield _EMBEDDED.sub(b"", content).decode("utf-8", "replace")
