"""Any table of units by periods -> Panel; every count that changes the comparison is said, nothing is repaired."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray, ObjectArray, all_finite, as_labels
from mtvp_eval.clock import NEVER, period_label
from mtvp_eval.data.layout import Layout, is_whole, read_layout
from mtvp_eval.data.panel import LineageRow, Panel
from mtvp_eval.data.time_axis import Axis, read_entries, read_periods, whole_entries
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
    layout = read_layout(frame[unit], clock_of_row, period)
    clock, first = layout.clock, layout.first
    entry_of_unit = _entries(frame[entry], layout, axis)
    stop = _ends(frame[ended], layout, axis, entry_of_unit) if ended else None
    read = {name: _numbers(frame[name], name) for name in (*names, *baseline, *((weight,) if weight else ()))}
    values = {name: numbers for name, (numbers, _) in read.items()}
    if weight:
        _refuse_changes(values[weight], layout, weight, "A weight is frozen before the first entry.")
    groups = frame[cluster].astype(object).to_numpy() if cluster else None
    if groups is not None:
        _refuse_changes(frame[cluster].factorize()[0], layout, str(cluster), "A unit lies in one cluster.")
    panel = Panel(
        unit_ids=as_labels(layout.ids),
        periods=tuple(str(t) if axis == "number" else period_label(t) for t in clock.tolist()),
        clock=clock,
        outcomes={name: layout.grid(values[name]) for name in names},
        weight=values[weight][first] if weight else None,  # type: ignore[arg-type]
        cluster=None if groups is None else groups[first],  # type: ignore[arg-type]
        baseline={name: values[name][first] for name in baseline},
        entry=entry_of_unit,
        ended=stop,
        lineage=(LineageRow("read", "rows of the table", len(layout.ids), 0),),
    )
    moved = {name: layout.units_changing(values[name]) for name in baseline}
    return _with_known_baseline(
        panel, panel.n_units * panel.n_periods - len(frame), {name: read[name][1] for name in names}, moved
    )


def _with_known_baseline(panel: Panel, absent: int, empty: dict[str, int], moved: dict[str, int]) -> Panel:
    assert panel.entry is not None
    said = [f"{int((panel.entry > panel.clock[-1]).sum())} of {panel.n_units} units read as not enrolled"]
    if absent:
        said.append(f"{absent} of {panel.n_units * panel.n_periods} unit-periods have no row")
    missing = {name: count + absent for name, count in empty.items()}
    if any(missing.values()):
        said.append("missing values: " + ", ".join(f"{name} {count}" for name, count in missing.items() if count))
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


def _ends(column: pd.Series, layout: Layout, axis: Axis, entry: IntArray) -> IntArray:
    """Return the (n,) ends, which follow the entry of each unit."""
    end = read_entries(column, layout.clock, axis)
    name, first = str(column.name), layout.first
    _refuse_changes(end, layout, name, "An end is one date per unit.")
    wrong = (end[first] != NEVER) & (end[first] <= entry)
    if wrong.any():
        raise DataError(
            f"{name}: {int(wrong.sum())} units end before they enter, in the same period, or without having entered. "
            "Correct the record: the end is the first period without the programme, empty where it goes on."
        )
    return end[first]


def _entries(column: pd.Series, layout: Layout, axis: Axis) -> IntArray:
    """Return one entry a unit; where the column changes within units or is faulty, every row is read and counted."""
    codes = column.to_numpy()
    if codes.dtype.kind in "if" and not layout.units_changing(codes):
        with suppress(DataError):
            if is_whole(column):
                return whole_entries(codes[layout.first], layout.clock, axis, str(column.name))
            return read_entries(column.iloc[layout.first], layout.clock, axis)
    entry_of_row = read_entries(column, layout.clock, axis)
    rule = "An entry is one date per unit; practices that stop need an end."
    _refuse_changes(entry_of_row, layout, str(column.name), rule)
    return entry_of_row[layout.first]


def _need_columns(frame: pd.DataFrame, names: list[str]) -> None:
    from mtvp_eval.settings import nearest

    absent = [name for name in names if name not in frame.columns]
    if absent:
        found = [str(column) for column in frame.columns]
        raise DataError("Missing columns: " + "; ".join(f"{name} ({nearest(name, found)})" for name in absent) + ".")
    if frame.empty:
        raise DataError("The table holds no rows.")


def _numbers(column: pd.Series, name: str) -> tuple[FloatArray, int]:
    """Return the (rows,) numbers of a column, and how many of its cells are empty."""
    import pandas as pd

    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        raise DataError(f"{name} must hold numbers; it holds {column.dtype}. Check the decimal mark of the file.")
    values = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if all_finite(values):
        return values, 0
    if np.isinf(values).any():
        raise DataError(
            f"{name}: {int(np.isinf(values).sum())} infinite values. Correct them, or leave the cells empty."
        )
    return values, int(np.isnan(values).sum())


def _refuse_changes(values: FloatArray | IntArray | ObjectArray, layout: Layout, name: str, rule: str) -> None:
    if count := layout.units_changing(values):
        raise DataError(f"{name} changes within {count} units. {rule}")
