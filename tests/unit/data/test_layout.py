"""Layout of a table: in order or shuffled, with gaps or without, the same panel."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.data.layout import read_layout
from mtvp_eval.data.panel import Panel
from mtvp_eval.errors import DataError


def table(units: list[object], periods: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = len(units)
    return pd.DataFrame({
        "unit": np.repeat(np.array(units, dtype=object), periods), "time": np.tile(np.arange(1, periods + 1), n),
        "entry": np.repeat([3, 0, 4, 0, 3][:n], periods), "x": np.repeat(rng.standard_normal(n), periods),
        "y": rng.standard_normal(n * periods),
    })  # fmt: skip


def panel(frame: pd.DataFrame) -> Panel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Panel.from_frame(frame, "unit", "time", "entry", "y", baseline=["x"])


@pytest.mark.parametrize("units", [[1, 2, 3, 4, 5], [5, 1, 4, 2, 3], list("cabed")])
def test_rows_in_any_order_make_the_same_panel(units: list[object]) -> None:
    frame = table(units, 5)
    if isinstance(units[0], int):
        frame["unit"] = frame["unit"].astype(np.int64)
    in_order, shuffled = panel(frame), panel(frame.sample(frac=1.0, random_state=1))
    place = {unit: row for row, unit in enumerate(shuffled.unit_ids.tolist())}
    rows = [place[unit] for unit in in_order.unit_ids.tolist()]
    assert in_order.unit_ids.tolist() == units
    np.testing.assert_array_equal(in_order.outcomes["y"], shuffled.outcomes["y"][rows])
    np.testing.assert_array_equal(in_order.baseline["x"], shuffled.baseline["x"][rows])
    np.testing.assert_array_equal(in_order.entry, shuffled.entry[rows])  # type: ignore[index]


def test_rows_count_as_in_order_only_when_every_unit_has_the_same_periods() -> None:
    frame = table([1, 2, 3], 4)
    unit, time = frame["unit"].astype(np.int64), frame["time"].to_numpy()
    assert read_layout(unit, time, "time").places is None
    later = np.where(unit == 2, time + 1, time)  # as many rows, other periods
    found = read_layout(unit, later, "time")
    assert found.places is not None
    assert found.shape == (3, 5)
    assert np.isnan(found.grid(frame["y"].to_numpy())).sum() == 3
    assert read_layout(unit, time[::-1].copy(), "time").places is not None


@pytest.mark.parametrize("seed", range(300))
def test_order_is_seen_in_any_small_table(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, T = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    unit, time = np.repeat(np.sort(rng.permutation(9)[:n]), T), np.tile(np.sort(rng.permutation(9)[:T]), n)
    for column in (unit, time)[: rng.integers(0, 3)]:
        column[rng.integers(len(column))] = rng.integers(9)
    rows = list(zip(unit.tolist(), time.tolist(), strict=True))
    full = [(i, t) for i in dict.fromkeys(unit.tolist()) for t in sorted(set(time.tolist()))]
    if len(set(rows)) < len(rows):
        with pytest.raises(DataError, match="more than one row"):
            read_layout(pd.Series(unit), time, "time")
    else:
        assert (read_layout(pd.Series(unit), time, "time").places is None) == (rows == full)


def test_the_frame_may_change_afterwards() -> None:
    frame = table([1, 2, 3], 4)
    made = panel(frame)
    before = made.outcomes["y"].copy()
    frame.loc[:, "y"] = 0.0
    np.testing.assert_array_equal(made.outcomes["y"], before)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
def test_missing_values_within_a_unit_are_no_change(order: list[int]) -> None:
    units, times = pd.Series([1, 1, 2, 2], name="unit"), np.array([1, 2, 1, 2])
    layout = read_layout(units.iloc[order], times[order], "time")
    assert (layout.places is None) == (order == [0, 1, 2, 3])
    for values, changing in (([np.nan, np.nan, 1.0, np.nan], 1), ([np.nan, np.nan, 1.0, 1.0], 0), ([1.0, 2, 2, 3], 2)):
        assert layout.units_changing(np.array(values)[order]) == changing


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
def test_two_rows_for_one_period_are_refused(order: list[int]) -> None:
    units, times = pd.Series([1, 1, 2, 2], name="unit"), np.array([1, 1, 1, 2])
    with pytest.raises(DataError, match="1 combinations of unit and time stand in more than one row"):
        read_layout(units.iloc[order], times[order], "time")
