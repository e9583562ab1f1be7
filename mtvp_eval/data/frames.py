"""Any table of units by periods -> Panel; every count that changes the comparison is said, nothing is repaired."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from mtvp_eval.clock import NEVER, period_label
from mtvp_eval.data.panel import LineageRow, Panel
from mtvp_eval.data.time_axis import Axis, read_entries, read_periods
from mtvp_eval.errors import DataError, DataWarning

if TYPE_CHECKING:
    import pandas as pd


def panel_from_frame(
    frame: pd.DataFrame,
    unit: str,
    period: str,
    entry: str,
    outcomes: str | Sequence[str],
    *,
    weight: str | None = None,
    cluster: str | None = None,
    baseline: Sequence[str] = (),
    ended: str | None = None,
) -> Panel:
    """Return the panel of a table with one row a unit and period.

    Parameters
    ----------
    frame : rows in any order; not changed.
    unit, period, entry : names of the columns; see `data.time_axis` for how periods and "not enrolled" may be written.
    outcomes : one or several numeric or true-false columns; empty cells are missing and stay missing.
    weight : constant within a unit and positive, such as a frozen list size; one where not given.
    cluster : constant within a unit; the unit itself where not given.
    baseline : numeric columns; the value of a unit's first row in time counts. A unit without one is left out.
    ended : first period without the programme, after entry and constant within a unit; written like the entry, and in
        the same ways empty where the programme goes on.

    Raises
    ------
    DataError
        If columns are missing, a unit has two rows for one period, an entry, weight or cluster changes within a unit, a
        value is infinite or no number, or periods are written in a way that distorts time.

    Warns
    -----
    DataWarning
        How many units were read as not enrolled, rows are missing, or units were left out.

    Example
    -------
    >>> import pandas as pd, warnings
    >>> table = pd.DataFrame({"gp": ["a", "a", "b", "b"], "q": ["2023Q1", "2023Q2"] * 2,
    ...     "start": ["2023Q2", "2023Q2", None, None], "y": [1.0, 2.0, 3.0, 4.0]})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     panel = panel_from_frame(table, "gp", "q", "start", "y")
    >>> panel.periods, panel.outcomes["y"].tolist()
    (('2023Q1', '2023Q2'), [[1.0, 2.0], [3.0, 4.0]])
    """
    names = [outcomes] if isinstance(outcomes, str) else list(outcomes)
    _need_columns(frame, [unit, period, entry, *names, *baseline, *(c for c in (weight, cluster, ended) if c)])
    clock_of_row, axis = read_periods(frame[period])
    clock, column = _distinct(clock_of_row)
    if frame[unit].isna().any():
        raise DataError(f"{unit}: {int(frame[unit].isna().sum())} rows name no unit.")
    row, ids = _units(frame[unit])
    n, T = len(ids), len(clock)
    cell = row * T + column
    _refuse_duplicates(cell, unit, period)
    first = _first_rows(cell, n, T)
    entry_of_unit = _entries(frame[entry], row, first, clock, axis)
    stop = _ends(frame[ended], row, first, clock, axis, entry_of_unit) if ended else None
    values = {name: _numbers(frame[name], name) for name in (*names, *baseline, *((weight,) if weight else ()))}
    if weight:
        _refuse_changes(values[weight], row, first, weight, "A weight is frozen before the first entry.")
    groups = frame[cluster].astype(object).to_numpy() if cluster else None
    if groups is not None:
        _refuse_changes(frame[cluster].factorize()[0], row, first, str(cluster), "A unit lies in one cluster.")

    def grid(values: FloatArray) -> FloatArray:
        table = np.full(n * T, np.nan)
        table[cell] = values
        return table.reshape(n, T)

    panel = Panel(
        unit_ids=np.asarray(ids, dtype=object),
        periods=tuple(str(t) if axis == "number" else period_label(int(t)) for t in clock),
        clock=clock,
        outcomes={name: grid(values[name]) for name in names},
        weight=values[weight][first] if weight else None,  # type: ignore[arg-type]
        cluster=None if groups is None else groups[first],  # type: ignore[arg-type]
        baseline={name: values[name][first] for name in baseline},
        entry=entry_of_unit,
        ended=stop,
        lineage=(LineageRow("read", "rows of the table", n, 0),),
    )
    moved = {name: len(np.unique(row[_changed(values[name], row, first)])) for name in baseline}
    return _with_known_baseline(panel, n * T - len(frame), moved)


def _with_known_baseline(panel: Panel, absent: int, moved: dict[str, int]) -> Panel:
    assert panel.entry is not None
    said = [f"{int((panel.entry > panel.clock[-1]).sum())} of {panel.n_units} units read as not enrolled"]
    if absent:
        said.append(f"{absent} of {panel.n_units * panel.n_periods} unit-periods have no row")
    missing = {name: int(np.isnan(y).sum()) for name, y in panel.outcomes.items() if np.isnan(y).any()}
    if missing:
        said.append("missing values: " + ", ".join(f"{name} {count}" for name, count in missing.items()))
    said += [
        f"{name} changes within {count} units, and their first value counts" for name, count in moved.items() if count
    ]
    known = np.ones(panel.n_units, dtype=np.bool_)
    for x in panel.baseline.values():
        known &= np.isfinite(x)
    if not known.all():
        said.append(f"{int((~known).sum())} units left out, because a baseline value is missing")
        panel = panel.restrict(known, "baseline", "a baseline value is missing")
    warnings.warn("; ".join(said) + ".", DataWarning, stacklevel=3)
    return panel


def _ends(column: pd.Series, row: IntArray, first: IntArray, clock: IntArray, axis: Axis, entry: IntArray) -> IntArray:
    """Return the (n,) ends, which follow the entry of each unit."""
    end, _ = read_entries(column, clock, axis)
    name = str(column.name)
    _refuse_changes(end, row, first, name, "An end is one date per unit.")
    wrong = (end[first] != NEVER) & (end[first] <= entry)
    if wrong.any():
        raise DataError(
            f"{name}: {int(wrong.sum())} units end before they enter, in the same period, or without having entered. "
            "Correct the record: the end is the first period without the programme, empty where it goes on."
        )
    return end[first]


def _distinct(values: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distinct values in order, and the place of each value among them; without sorting where few."""
    low, high = int(values.min()), int(values.max())
    if high - low > len(values):
        distinct, place = np.unique(values, return_inverse=True)
        return distinct, place.astype(np.int64)
    present = np.zeros(high - low + 1, dtype=np.bool_)
    present[values - low] = True
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[values - low]


def _units(column: pd.Series) -> tuple[IntArray, ObjectArray]:
    """Return the unit of each row, counted in order of first appearance, and their names."""
    import pandas as pd

    if pd.api.types.is_integer_dtype(column.dtype):
        values = column.to_numpy()
        step = np.diff(values) if isinstance(values, np.ndarray) and values.dtype.kind == "i" else np.array([-1])
        if (step >= 0).all():  # sorted by unit: a new one begins at each step
            starts = np.flatnonzero(np.concatenate([[True], step > 0]))
            return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(values)))), values[starts]
    codes, ids = column.factorize(sort=False)
    return np.asarray(codes, dtype=np.int64), ids


def _entries(column: pd.Series, row: IntArray, first: IntArray, clock: IntArray, axis: str) -> IntArray:
    """Return one entry a unit; where the column changes within units or is faulty, every row is read and counted."""
    codes = column.to_numpy()
    if codes.dtype.kind in "if":
        own = codes[first]
        if np.array_equal(own[row], codes, equal_nan=codes.dtype.kind == "f"):
            with suppress(DataError):
                return read_entries(column.iloc[first], clock, axis)[0]
    entry_of_row, _ = read_entries(column, clock, axis)
    rule = "An entry is one date per unit; practices that stop need an end."
    _refuse_changes(entry_of_row, row, first, str(column.name), rule)
    return entry_of_row[first]


def _need_columns(frame: pd.DataFrame, names: list[str]) -> None:
    from mtvp_eval.settings import nearest

    absent = [name for name in names if name not in frame.columns]
    if absent:
        found = [str(column) for column in frame.columns]
        raise DataError("Missing columns: " + "; ".join(f"{name} ({nearest(name, found)})" for name in absent) + ".")
    if frame.empty:
        raise DataError("The table holds no rows.")


def _numbers(column: pd.Series, name: str) -> FloatArray:
    import pandas as pd

    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        raise DataError(f"{name} must hold numbers; it holds {column.dtype}. Check the decimal mark of the file.")
    values = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if np.isinf(values).any():
        raise DataError(
            f"{name}: {int(np.isinf(values).sum())} infinite values. Correct them, or leave the cells empty."
        )
    return values


def _refuse_duplicates(cell: IntArray, unit: str, period: str) -> None:
    counts = np.bincount(cell)
    if (counts > 1).any():
        raise DataError(
            f"{int((counts > 1).sum())} combinations of {unit} and {period} stand in more than one row "
            f"({int(counts[counts > 1].sum())} rows). Which row counts is a decision: make it before estimating."
        )


def _first_rows(cell: IntArray, n: int, T: int) -> IntArray:
    """Return the row of each unit's first period."""
    place = np.full(n * T, -1)
    place[cell] = np.arange(len(cell))
    table = place.reshape(n, T)
    return np.asarray(table[np.arange(n), (table >= 0).argmax(axis=1)], dtype=np.int64)


def _refuse_changes(
    values: FloatArray | IntArray | ObjectArray, row: IntArray, first: IntArray, name: str, rule: str
) -> None:
    changed = _changed(values, row, first)
    if changed.any():
        raise DataError(f"{name} changes within {len(np.unique(row[changed]))} units. {rule}")


def _changed(values: FloatArray | IntArray | ObjectArray, row: IntArray, first: IntArray) -> BoolArray:
    """Return (rows,) whether a value differs from that of its unit's first row."""
    at_first = values[first][row]
    same = (values == at_first) | ((values != values) & (at_first != at_first))
    return np.asarray(~same, dtype=np.bool_)
