"""Read a column of periods, or of entry dates, as integers on one clock; codes that would distort time are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import BoolArray, IntArray
from mtvp_eval.clock import NEVER, quarter
from mtvp_eval.data.layout import is_whole
from mtvp_eval.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Axis = str
"""What one step of a clock is: ``quarter``, ``month``, ``year`` or ``number``."""

_FREQUENCY = {"year": "Y", "quarter": "Q", "month": "M"}


def read_periods(column: pd.Series) -> tuple[IntArray, Axis]:
    """Return (rows,) clock values of a column of periods, and what a step is.

    Accepted: pandas periods and dates (quarters, months or years), texts such as ``2023Q2``, and plain integers.
    Refused: missing values, fractions, and codes such as 20231 or 202304, whose differences are not lengths of time.

    Raises
    ------
    DataError
        With the number of rows concerned and what to write instead.

    Example
    -------
    >>> import pandas as pd
    >>> read_periods(pd.Series(["2023Q4", "2024Q1"]))[0].tolist()
    [8095, 8096]
    >>> read_periods(pd.Series([2003, 2004]))
    (array([2003, 2004]), 'number')
    """
    missing = 0 if is_whole(column) else np.count_nonzero(column.isna())
    if missing:
        raise DataError(
            f"{column.name}: {missing} of {len(column)} rows have no period. Fill them in or leave them out."
        )
    return _clock(column, str(column.name))


def read_entries(column: pd.Series, clock: IntArray, axis: Axis) -> IntArray:
    """Return (rows,) entry on the clock of `read_periods`; ``clock.NEVER`` where a row says "not enrolled".

    Not enrolled is written as 0 (where 0 is no period), an empty cell, NaN, NaT or infinity, or as a date after the
    panel, which is returned as it stands.

    Raises
    ------
    DataError
        If entries are written otherwise than the periods, or 0 could be a period as well as "not enrolled".

    Example
    -------
    >>> import pandas as pd
    >>> entry = read_entries(pd.Series([2004, 0, 2010]), np.array([2003, 2004, 2005]), "number")
    >>> entry.tolist() == [2004, NEVER, 2010]
    True
    """
    name = str(column.name)
    if is_whole(column):
        return whole_entries(column.to_numpy(), clock, axis, name)
    waiting, zero = _not_enrolled(column)
    _refuse_zeros(zero, clock, name)
    entry = np.full(len(column), NEVER, dtype=np.int64)
    known = ~waiting
    if known.any():
        entry[known], written_axis = _clock(column[known], name, axis)
        _refuse_other_axis(written_axis, axis, name)
    return entry


def whole_entries(codes: IntArray, clock: IntArray, axis: Axis, name: str) -> IntArray:
    """Return what `read_entries` says of plain integers ``codes`` (rows,) of the column of that name.

    >>> whole_entries(np.array([2004, 0]), np.array([2003, 2004]), "number", "start").tolist() == [2004, NEVER]
    True
    """
    known = codes != 0
    _refuse_zeros(~known, clock, name)
    if known.any():
        _refuse_codes(codes[known], name)
        _refuse_other_axis("number", axis, name)
    return np.where(known, codes, NEVER).astype(np.int64, copy=False)


def _refuse_zeros(zero: BoolArray, clock: IntArray, name: str) -> None:
    if zero.any() and clock.min() <= 0 <= clock.max():
        raise DataError(
            f"{name}: 0 is one of the periods, so {int(zero.sum())} rows with entry 0 could mean either. "
            "Leave the entry empty where a unit is not enrolled."
        )


def _refuse_other_axis(written: Axis, axis: Axis, name: str) -> None:
    if written != axis:
        raise DataError(f"{name} is written in {written}s, the periods in {axis}s. Write both in the same way.")


def _not_enrolled(column: pd.Series) -> tuple[BoolArray, BoolArray]:
    """Return (rows,) which entries say "not enrolled", and which of them by a zero."""
    import pandas as pd

    waiting = np.array(column.isna().to_numpy(), dtype=np.bool_)
    if not pd.api.types.is_numeric_dtype(column):
        return waiting, np.zeros(len(column), dtype=np.bool_)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    zero = values == 0
    return waiting | np.isinf(values) | zero, zero


def _clock(column: pd.Series, name: str, axis: Axis | None = None) -> tuple[IntArray, Axis]:
    if is_whole(column):
        return _refuse_codes(column.to_numpy(dtype=np.int64), name), "number"
    import pandas as pd

    if isinstance(column.dtype, pd.PeriodDtype):
        return _from_periods(pd.PeriodIndex(column), name)
    if pd.api.types.is_datetime64_any_dtype(column):
        return _from_dates(pd.DatetimeIndex(column), name, axis)
    if pd.api.types.is_bool_dtype(column):
        raise DataError(f"{name} holds true and false, not periods.")
    if pd.api.types.is_numeric_dtype(column):
        if column.dtype.kind == "i":  # Int64, which could have held missing values
            return _refuse_codes(column.to_numpy(dtype=np.int64), name), "number"
        return _from_numbers(column.to_numpy(dtype=np.float64), name)
    return _from_texts(column, name)


def _from_periods(index: pd.PeriodIndex, name: str) -> tuple[IntArray, Axis]:
    kind = index.freqstr[:1]
    if kind == "Q":
        return np.asarray(4 * index.year + index.quarter - 1, dtype=np.int64), "quarter"
    if kind == "M":
        return np.asarray(12 * index.year + index.month - 1, dtype=np.int64), "month"
    if kind in ("Y", "A"):
        return np.asarray(index.year, dtype=np.int64), "year"
    raise DataError(f"{name}: periods of frequency {index.freqstr} are not read; use quarters, months or years.")


def _from_dates(index: pd.DatetimeIndex, name: str, axis: Axis | None) -> tuple[IntArray, Axis]:
    if axis in _FREQUENCY:
        return _from_periods(index.to_period(_FREQUENCY[axis]), name)
    distinct = index.unique()
    for frequency in _FREQUENCY.values():
        if len(distinct.to_period(frequency).unique()) == len(distinct):
            return _from_periods(index.to_period(frequency), name)
    raise DataError(
        f"{name}: several dates fall within one month. Write periods as quarters (2023Q2), months or years."
    )


def _from_numbers(values: np.ndarray[Any, np.dtype[np.float64]], name: str) -> tuple[IntArray, Axis]:
    whole = np.isfinite(values) & (values == np.round(values))
    if not whole.all():
        raise DataError(f"{name}: {int((~whole).sum())} rows hold no whole number.")
    return _refuse_codes(values.astype(np.int64), name), "number"


def _refuse_codes(numbers: IntArray, name: str) -> IntArray:
    early = len(numbers) > 0 and (numbers[0] < 10 * 1900 or numbers.min() < 10 * 1900)
    if not early and (_looks_like_code(numbers, 10, 4) or _looks_like_code(numbers, 100, 12)):
        raise DataError(
            f"{name} holds codes such as 20231 (year and quarter) or 202304 (year and month). As numbers they make "
            "time jump at every new year. Write quarters as 2023Q2, or give dates."
        )
    return numbers


def _looks_like_code(numbers: IntArray, factor: int, last: int) -> bool:
    year, part = np.divmod(numbers, factor)
    valid: BoolArray = (year >= 1900) & (year < 2200) & (part >= 1) & (part <= last)
    return bool(valid.all())


def _from_texts(column: pd.Series, name: str) -> tuple[IntArray, Axis]:
    texts, inverse = np.unique(np.asarray(column.astype(str).str.strip(), dtype=object), return_inverse=True)
    try:
        values = np.array([float(text) for text in texts])
    except ValueError:
        values = None
    if values is not None:
        numbers, axis = _from_numbers(values, name)
        return numbers[inverse], axis
    try:
        return np.array([quarter(text) for text in texts], dtype=np.int64)[inverse], "quarter"
    except ValueError as error:
        raise DataError(f"{name}: {error}, as a date or as a whole number.") from error
