"""The awkward cases of staggered data, through every estimator for few units and for starts and stops.

Each case is right (the number of the clean table, or a sound one with a note) or a clear error; none is silently wrong.
"""

import warnings

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import DataWarning, MtvpError
from mtvp_eval.estimators.dcdh import dcdh
from mtvp_eval.estimators.stepped_wedge import stepped_wedge
from mtvp_eval.estimators.stepped_wedge_gee import stepped_wedge_gee
from mtvp_eval.estimators.synthetic_control import synthetic_control
from mtvp_eval.estimators.synthetic_did import synthetic_did

QUARTERS = [f"{year}Q{q}" for year in (2020, 2021, 2022) for q in (1, 2, 3, 4)]
STARTS = ["2021Q3"] * 4 + ["2022Q1"] * 4 + [None] * 12
METHODS = {
    "dcdh": dcdh,
    "synthetic_control": lambda *a: synthetic_control(*a, rng=np.random.default_rng(1), placebos=20).effects,
    "synthetic_did": lambda *a: synthetic_did(*a, rng=np.random.default_rng(1), placebos=20).effects,
    "stepped_wedge": stepped_wedge,
    "stepped_wedge_gee": stepped_wedge_gee,
}


def table(starts=STARTS):
    rng = np.random.default_rng(8)
    n = len(starts)
    y = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, 12)).cumsum(axis=1) * 0.3 + rng.normal(size=12)
    y = y + 2.0 * np.array([[s is not None and q >= s for q in QUARTERS] for s in starts])
    rows = [(f"p{i:02}", q, s, y[i, t]) for i, s in enumerate(starts) for t, q in enumerate(QUARTERS)]
    return pd.DataFrame(rows, columns=["unit", "q", "start", "y"])


def overall(method, frame):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        panel = Panel.from_frame(frame, "unit", "q", "start", "y")
        found = METHODS[method](panel, StaggeredDesign.from_panel(panel), "y")
    at = [k.estimand for k in found.index].index("overall")
    return found.estimate[at], found.std_error()[at], (*found.notes, *(r for r in found.no_error if r))


def as_periods():
    d = table()
    return d.assign(q=pd.PeriodIndex(d.q, freq="Q"), start=pd.PeriodIndex(d.start, freq="Q"))


def as_dates():
    d = as_periods()
    return d.assign(q=d.q.dt.to_timestamp(), start=d.start.dt.to_timestamp())


SAME = {
    "rows in any order": lambda: table().sample(frac=1, random_state=3),
    "category identifiers": lambda: table().assign(unit=lambda d: d.unit.astype("category")),
    "pandas Period quarters": as_periods,
    "datetime quarters": as_dates,
    "waiting coded after the end": lambda: table().fillna({"start": "2030Q1"}),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", SAME)
def test_another_way_to_write_the_same_table_gives_the_same_number(case, method):
    expected = overall(method, table())
    found = overall(method, SAME[case]())
    # the optimiser of the mixed model stops at about 1e-5 of its variances
    assert np.allclose(found[:2], expected[:2], rtol=1e-6, equal_nan=True)


def infinite():
    d = table()
    d.loc[5, "y"] = np.inf
    return d


def changing():
    d = table()
    d.loc[5, "start"] = "2022Q2"
    return d


REFUSED = {
    "duplicate rows": lambda: pd.concat([table(), table().head(1).assign(y=9.0)]),
    "one infinite value": infinite,
    "entry changes within a unit": changing,
    "quarters as 20211": lambda: table().assign(
        q=lambda d: d.q.str.replace("Q", "").astype(int),
        start=lambda d: d.start.str.replace("Q", "").astype(float),
    ),
    "all treated at once": lambda: table(["2021Q3"] * 20),
    "no outcome at all": lambda: table().assign(y=np.nan),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_right_number_is_refused(case, method):
    with pytest.raises(MtvpError):
        overall(method, REFUSED[case]())


@pytest.mark.parametrize("method", METHODS)
def test_scale_and_type_of_the_outcome(method):
    expected, error, _ = overall(method, table())
    small = overall(method, table().assign(y=lambda d: 1e-9 * d.y))
    assert np.allclose(np.array(small[:2]) * 1e9, [expected, error], rtol=1e-5, equal_nan=True)
    answer = table().assign(y=lambda d: d.y > 0)
    as_number = overall(method, answer.assign(y=answer.y.astype(float)))
    assert np.allclose(overall(method, answer)[:2], as_number[:2], rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize("method", METHODS)
def test_missing_rows_are_counted_or_refused(method):
    d = table().sample(frac=0.95, random_state=2)
    if method.startswith("synthetic"):
        with pytest.raises(MtvpError, match="lack outcomes"):
            overall(method, d)
    else:
        estimate, _, said = overall(method, d)
        # 5 % of rows: a fraction of the standard error
        assert abs(estimate - overall(method, table())[0]) < 0.2
        assert any("missing" in note for note in said)


@pytest.mark.parametrize("method", METHODS)
def test_units_enrolled_from_the_start_are_left_out_and_counted(method):
    more = pd.concat([table(), table(["2020Q1"]).assign(unit="always")])
    estimate, _, said = overall(method, more)
    assert estimate == pytest.approx(overall(method, table())[0], rel=1e-5)
    assert any("1 units enrolled from the first period" in note for note in said)


@pytest.mark.parametrize("method", METHODS)
def test_a_cohort_of_one_never_has_an_error_near_zero(method):
    lonely = table(["2021Q3", *[None] * 19])
    _, error, said = overall(method, lonely)
    if method in ("stepped_wedge", "stepped_wedge_gee"):
        # their errors come from all units: that of the difference between one unit and nineteen
        assert error > 0.05
    else:
        assert np.isnan(error)
        assert any("spread cannot be seen" in reason for reason in said)


@pytest.mark.parametrize("method", METHODS)
def test_where_everybody_enrolls_it_is_said(method):
    everybody = table(["2021Q3"] * 4 + ["2022Q1"] * 4 + ["2022Q3"] * 12)
    estimate, _, said = overall(method, everybody)
    assert np.isfinite(estimate)
    words = ("Everybody enrolls", "everybody is enrolled")
    assert any(word in note for note in said for word in words)
