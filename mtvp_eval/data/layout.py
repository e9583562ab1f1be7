"""Which row of a table holds which unit and period: any order of rows, and at once where they stand in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray, distinct
from mtvp_eval.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Hold where the rows of a table of n units by T periods stand.

    Parameters
    ----------
    ids : (n,) units in order of first appearance.
    clock : (T,) distinct periods in order.
    first : (n,) the row of each unit's first period.
    places : of each row its unit among ``ids`` and its cell among n times T, both (rows,); None where rows are the
        cells, all of them and in order.
    """

    ids: ObjectArray
    clock: IntArray
    first: IntArray
    places: tuple[IntArray, IntArray] | None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of units and of periods."""
        return len(self.ids), len(self.clock)

    def grid(self, values: FloatArray) -> FloatArray:
        """Return ``values`` (rows,) as (n, T); NaN where a unit has no row for a period."""
        if self.places is None:
            return values.reshape(self.shape).copy()
        table = np.full(self.shape, np.nan)
        table.reshape(-1)[self.places[1]] = values
        return table

    def units_changing(self, values: FloatArray | IntArray | ObjectArray) -> int:
        """Return in how many units one of ``values`` (rows,) differs from that of the unit's first row."""
        if self.places is None:
            if _steady(values, len(self.clock)):
                return 0
            own = values.reshape(self.shape)
            return int(_differ(own, own[:, :1]).any(axis=1).sum())
        unit = self.places[0]
        return len(np.unique(unit[_differ(values, values[self.first][unit])]))


def _differ(values: FloatArray | IntArray | ObjectArray, other: FloatArray | IntArray | ObjectArray) -> BoolArray:
    """Return where ``values`` and ``other`` differ; a missing value is the same as another one."""
    found = np.asarray(values != other, dtype=np.bool_)
    if found.any():  # a missing value differs from itself
        found &= ~np.asarray((values != values) & (other != other), dtype=np.bool_)
    return found


def read_layout(units: pd.Series, clock_of_row: IntArray, period: str) -> Layout:
    """Return the layout of a table from its units and the time of each row; ``period`` names that column in errors.

    Raises
    ------
    DataError
        If rows name no unit, or a unit has two rows for one period.

    Example
    -------
    >>> import pandas as pd
    >>> found = read_layout(pd.Series(["a", "b", "a"]), np.array([2, 1, 1]), "year")
    >>> found.grid(np.array([1.0, 2.0, 3.0])).tolist(), found.first.tolist()
    ([[3.0, 1.0], [2.0, nan]], [2, 1])
    """
    if is_whole(units):
        values = units.to_numpy()
        if T := _in_order(values, clock_of_row):
            return Layout(values[::T].copy(), clock_of_row[:T].copy(), np.arange(0, len(values), T), None)
    elif units.isna().any():
        raise DataError(f"{units.name}: {int(units.isna().sum())} rows name no unit.")
    codes, ids = units.factorize(sort=False)
    unit = np.asarray(codes, dtype=np.int64)
    if T := _in_order(unit, clock_of_row):
        return Layout(ids, clock_of_row[:T].copy(), np.arange(0, len(unit), T), None)
    clock, column = distinct(clock_of_row)
    cell = unit * len(clock) + column
    counts = np.bincount(cell)
    if (counts > 1).any():
        raise DataError(
            f"{int((counts > 1).sum())} combinations of {units.name} and {period} stand in more than one row "
            f"({int(counts[counts > 1].sum())} rows). Which row counts is a decision: make it before estimating."
        )
    return Layout(ids, clock, _first_rows(cell, len(ids), len(clock)), (unit, cell))


def is_whole(column: pd.Series) -> bool:
    """Return whether a column holds plain integers, none of which can be missing.

    >>> import pandas as pd
    >>> is_whole(pd.Series([1, 2])), is_whole(pd.Series([1, None], dtype="Int64"))
    (True, False)
    """
    return isinstance(column.dtype, np.dtype) and column.dtype.kind == "i"


def _in_order(unit: IntArray, time: IntArray) -> int:
    """Return T if rows are one increasing unit after the other, all over the same T increasing periods; else 0."""
    T = int(unit.searchsorted(unit[0], side="right"))  # anything where units are not in order, which is seen below
    if not T or len(unit) % T:
        return 0
    own, first = unit[::T].copy(), time[:T]
    if not ((own[1:] > own[:-1]).all() and (first[1:] > first[:-1]).all()):
        return 0
    return T if _steady(unit, T) and (time[T:] == time[:-T]).all() else 0


def _steady(values: FloatArray | IntArray | ObjectArray, T: int) -> bool:
    """Return whether ``values`` (rows,) keep one value over each T rows: neighbours are compared, in one pass."""
    other = np.asarray(values[1:] != values[:-1], dtype=np.bool_)
    other[T - 1 :: T] = False
    return not other.any()


def _first_rows(cell: IntArray, n: int, T: int) -> IntArray:
    """Return the row of each unit's first period."""
    place = np.full(n * T, -1)
    place[cell] = np.arange(len(cell))
    table = place.reshape(n, T)
    return np.asarray(table[np.arange(n), (table >= 0).argmax(axis=1)], dtype=np.int64)
