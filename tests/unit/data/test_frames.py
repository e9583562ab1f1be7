"""Any table -> panel: the awkward ways to write time, entry and values give the right panel or a clear refusal."""

import warnings

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.clock import NEVER, quarter
from mtvp_eval.data.panel import Panel
from mtvp_eval.errors import DataError, DataWarning

QUARTERS = ["2022Q3", "2022Q4", "2023Q1", "2023Q2"]
STARTS = {"a": "2023Q1", "b": "2023Q2", "c": None}


def table(**changes):
    rows = [
        {"unit": u, "q": q, "start": STARTS[u], "y": 10.0 * i + j, "size": 100.0 * (i + 1), "x": float(i)}
        for i, u in enumerate(STARTS)
        for j, q in enumerate(QUARTERS)
    ]
    return pd.DataFrame(rows).assign(**changes)


def read(frame, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return Panel.from_frame(frame, "unit", "q", "start", "y", **more)


def test_row_order_does_not_matter_and_the_frame_is_not_changed():
    frame = table()
    before = frame.copy()
    shuffled = read(frame.sample(frac=1, random_state=1))
    expected = read(frame)
    order = [shuffled.unit_ids.tolist().index(u) for u in expected.unit_ids]
    np.testing.assert_array_equal(shuffled.outcomes["y"][order], expected.outcomes["y"])
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("write", ["text", "period", "date_start", "date_end"])
def test_quarters_in_every_form_give_one_clock(write):
    frame = table()
    if write != "text":
        for column in ("q", "start"):
            periods = pd.PeriodIndex(frame[column], freq="Q")
            frame[column] = periods if write == "period" else periods.to_timestamp(how=write.removeprefix("date_"))
    panel = read(frame)
    assert panel.periods == tuple(QUARTERS)
    assert panel.clock.tolist() == [quarter(q) for q in QUARTERS]
    assert panel.entry.tolist() == [quarter("2023Q1"), quarter("2023Q2"), NEVER]


@pytest.mark.parametrize("waiting", [0, np.nan, np.inf, 9])
def test_not_enrolled_in_every_numeric_form(waiting):
    frame = table(q=lambda f: f["q"].map({q: i + 1 for i, q in enumerate(QUARTERS)}))
    frame["start"] = frame["unit"].map({"a": 3, "b": 4, "c": waiting})
    with pytest.warns(DataWarning, match="1 of 3 units read as not enrolled"):
        panel = Panel.from_frame(frame, "unit", "q", "start", "y")
    assert panel.entry.tolist() == [3, 4, 9 if waiting == 9 else NEVER]


def test_zero_as_a_period_makes_zero_ambiguous():
    frame = table(q=lambda f: f["q"].map({q: i - 2 for i, q in enumerate(QUARTERS)}), start=0)
    with pytest.raises(DataError, match="0 is one of the periods"):
        read(frame)


@pytest.mark.parametrize("code", [[20223, 20224, 20231, 20232], [202207, 202210, 202301, 202304]])
def test_year_quarter_and_year_month_codes_are_refused(code):
    with pytest.raises(DataError, match="jump at every new year"):
        read(table(q=lambda f: f["q"].map(dict(zip(QUARTERS, code, strict=True))), start=0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: pd.concat([f, f.iloc[[0]]]), "1 combinations of unit and q stand in more than one row"),
        (lambda f: f.assign(start=["2023Q2", *f["start"].iloc[1:]]), "start changes within 1 units"),
        (lambda f: f.assign(y=[np.inf, *f["y"].iloc[1:]]), "y: 1 infinite values"),
        (lambda f: f.assign(y=f["y"].astype(str) + ",0"), "must hold numbers"),
        (lambda f: f.assign(q=[None, *f["q"].iloc[1:]]), "1 of 12 rows have no period"),
        (lambda f: f.assign(unit=[None, *f["unit"].iloc[1:]]), "1 rows name no unit"),
        (lambda f: f.rename(columns={"y": "yy"}), r"Missing columns: y \("),
        (lambda f: f.iloc[:0], "no rows"),
        (lambda f: f.assign(start=2023), "start is written in numbers, the periods in quarters"),
        (lambda f: f.assign(q=f["q"].str[:4].astype(float) + 0.5), "no whole number"),
    ],
)
def test_refusals_say_what_and_how_many(change, said):
    with pytest.raises(DataError, match=said):
        read(change(table()))


def test_weight_and_cluster_must_be_constant_within_a_unit():
    panel = read(table(), weight="size", cluster="x", baseline=["x"])
    assert panel.weight.tolist() == [100.0, 200.0, 300.0]
    assert panel.cluster.tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(DataError, match="size changes within 3 units"):
        read(table(size=lambda f: f["y"] + 1), weight="size")


def test_missing_rows_values_and_baselines_are_counted():
    frame = table()
    frame.loc[0, "y"] = np.nan
    frame.loc[frame["unit"] == "b", "x"] = np.nan
    with pytest.warns(DataWarning) as said:
        panel = Panel.from_frame(frame.drop(index=1), "unit", "q", "start", "y", baseline=["x"])
    text = str(said[0].message)
    assert "1 of 12 unit-periods have no row" in text
    assert "missing values: y 2" in text
    assert "1 units left out" in text
    assert panel.unit_ids.tolist() == ["a", "c"]
    assert panel.lineage[-1].lost == 1
    assert np.isnan(panel.outcomes["y"][0, :2]).all()


def test_true_and_false_are_shares():
    assert set(np.unique(read(table(y=lambda f: f["y"] > 5)).outcomes["y"])) == {0.0, 1.0}
