"""The window before entry on which robust intervals rest: it stops at a known break; all quarters stand beside it."""

from types import SimpleNamespace

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.dictionary.schema import KnownBreak
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.pipeline.sensitivity import clear_first, sensitivity

PERIODS, ENTRIES = 16, (11, 13)


@pytest.fixture(scope="module")
def region():
    rng = np.random.default_rng(5)
    entry = np.repeat([*ENTRIES, NEVER], 10)
    y = rng.normal(size=(30, PERIODS)) + (np.arange(PERIODS)[None] >= entry[:, None])
    y[entry < NEVER, 6] += 40.0  # in the enrolled: what a shock before entry does to the largest change before it
    ids = np.array([f"p{i:02d}" for i in range(30)], dtype=object)
    panel = Panel(ids, tuple(map(str, range(PERIODS))), np.arange(PERIODS), {"y": y}, entry=entry)
    design = StaggeredDesign.from_panel(panel)
    joint = aggregate(callaway_santanna(panel, design, "y"), design, [overall(design)])
    return panel, design, joint


def config():
    estimation = SimpleNamespace(seed=1, level=0.95, covariates=(), method="dr", event_first=-8, event_last=1)
    return SimpleNamespace(estimation=estimation, outcomes=SimpleNamespace(primary="y", secondary=()))


def known(first, last=None, outcomes=("all",)):
    return KnownBreak("shock", first, last, outcomes, "", "", "")


def test_the_window_stops_where_a_break_parts_any_cohort_from_its_base(region):
    _, design, _ = region
    base = -1
    for first, last in ((6, 7), (6, None), (3, 3), (10, None), (40, None)):
        clean = [
            e for e in range(-8, base)
            if not any(known(first, last).inside(g + e, g + base) for g in ENTRIES)
        ]  # fmt: skip
        assert clear_first(design, [known(first, last)], -8) == (min(clean) if clean else base)


def test_intervals_rest_on_the_window_and_all_quarters_stand_beside_it(region):
    without = sensitivity(*region, config()).trends
    assert set(without["window"]) == {"clear"}
    found = sensitivity(*region, config(), [known(6, 7)]).trends
    quarters = found.drop_duplicates("window").set_index("window")["quarters"]
    assert quarters.to_dict() == {"clear": 2, "full": 7}  # -3 and -2: quarter 8 is the first after the break
    at_one = found[
        (found["restriction"] == "relative_magnitudes") & (found["mbar"] == 1) & (found["estimand"] == "mean")
    ]
    width = (at_one["high"] - at_one["low"]).set_axis(at_one["window"])
    assert width["full"] > 3 * width["clear"]  # the shock lies only in the longer window
    beside = without[(without["restriction"] == "relative_magnitudes") & (without["mbar"] == 1)]
    assert width["full"] == pytest.approx(float((beside["high"] - beside["low"]).iloc[-1]), rel=0.01)


def test_a_break_of_another_outcome_shortens_nothing(region):
    found = sensitivity(*region, config(), [known(6, 7, ("z",))]).trends
    assert set(found["window"]) == {"clear"}


def test_too_short_a_window_is_refused_with_the_breaks_that_cut_it(region):
    found = sensitivity(*region, config(), [known(9, 9)])
    assert found.trends.empty
    assert "two coefficients before the base" in found.refused
    assert "known break (shock)" in found.refused
