import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.errors import DataError, EstimationError, NotIdentifiedError
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.dcdh import DESCRIPTIVE, dcdh

CLOCK = np.arange(1, 9)


def region(entry, seed=0, y=None):
    entry = np.asarray(entry)
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(entry), 1)) + rng.normal(size=(len(entry), 8)) if y is None else y
    return Panel(
        np.array([f"p{i}" for i in range(len(entry))], dtype=object),
        tuple(map(str, CLOCK)),
        CLOCK,
        {"y": values},
        weight=rng.uniform(1000, 9000, size=len(entry)),
        entry=entry,
    )


def by_loops(y, D, w, horizon, never):
    """The paper's formulas, unit by unit: effects and placebos as lists, and the average total effect."""
    n, T = y.shape
    first = [next((t for t in range(T) if D[i, t] != D[i, 0]), T) for i in range(n)]
    effects, placebos, gain, treatment = [], [], 0.0, 0.0
    for k in range(1, horizon + 1):
        for placebo in (False, True):
            top = bottom = 0.0
            for i in range(n):
                now, base = first[i] - 1 + k, first[i] - 1
                to = base - k if placebo else now
                if first[i] == T or now >= T or to < 0:
                    continue
                others = [j for j in range(n) if D[j, 0] == D[i, 0] and (first[j] == T if never else first[j] > now)]
                if not others:
                    continue
                sign = np.sign(D[i, first[i]] - D[i, 0])
                change = np.average([y[j, to] - y[j, base] for j in others], weights=[w[j] for j in others])
                top += w[i] * sign * (y[i, to] - y[i, base] - change)
                bottom += w[i]
                if not placebo:
                    treatment += w[i] * sign * (D[i, now] - D[i, 0])
            if bottom:
                (placebos if placebo else effects).append(top / bottom)
            gain += 0.0 if placebo else top
    return effects, placebos, gain / treatment


@pytest.mark.parametrize("never", [True, False])
@pytest.mark.parametrize("weighting", ["practice", "patient"])
def test_effects_and_placebos_equal_the_formula_by_loops(never, weighting):
    panel = region([3, 3, 4, 4, 5, 5, 6, NEVER, NEVER, NEVER])
    ended = np.array([5, NEVER, 6, 8, NEVER, 7, NEVER, NEVER, NEVER, NEVER])
    comparison = Comparison.NEVER_ENROLLED if never else Comparison.NOT_YET_ENROLLED
    design = StaggeredDesign.from_panel(panel, comparison)
    found = dcdh(panel, design, "y", ended=ended, effects=3, placebos=2, weighting=weighting)
    D = ((panel.entry[:, None] <= CLOCK) & (ended[:, None] > CLOCK)).astype(float)
    w = panel.weight if weighting == "patient" else np.ones(10)
    effects, placebos, total = by_loops(panel.outcomes["y"], D, w, 3, never)
    # 1e-12: the same sums in another order
    assert np.allclose(found.select(estimand="event_study").estimate, effects, rtol=1e-12)
    assert np.allclose(found.select(estimand="placebo").estimate, placebos[1::-1], rtol=1e-12)
    assert found.select(estimand="overall").estimate[0] == pytest.approx(total, rel=1e-12)
    assert [k.event_time for k in found.index] == [-3, -2, 0, 1, 2, None]
    assert DESCRIPTIVE in found.notes


def test_switches_in_both_directions_compare_with_their_own_first_treatment():
    rng = np.random.default_rng(3)
    D = np.array([[0, 1, 1], [0, 2, 0], [0, 0, 0], [0, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]], dtype=float)
    y = rng.normal(size=(7, 3))
    panel = Panel(np.arange(7).astype(object), ("1", "2", "3"), np.arange(1, 4), {"y": y})
    design = StaggeredDesign(panel.unit_ids, np.array([2, 2, NEVER, NEVER, 3, NEVER, NEVER]), panel.clock)
    found = dcdh(panel, design, "y", treatment=D, placebos=0)
    effects, _, total = by_loops(y, D, np.ones(7), 2, never=False)
    assert np.allclose(found.estimate, [*effects, total], rtol=1e-12)


def test_variance_with_one_cohort_is_neymans():
    panel = region(np.repeat([4, NEVER], [5, 7]))
    found = dcdh(panel, StaggeredDesign.from_panel(panel), "y")
    for k, variance in zip(found.index, np.diag(found.covariance()), strict=True):
        if k.estimand == "overall":
            continue
        change = panel.outcomes["y"][:, 3 + k.event_time] - panel.outcomes["y"][:, 2]
        assert variance == pytest.approx(change[:5].var(ddof=1) / 5 + change[5:].var(ddof=1) / 7, rel=1e-12)


def test_without_stops_the_average_equals_callaway_santanna():
    panel = region(np.repeat([3, 4, 6, NEVER], 5))
    design = StaggeredDesign.from_panel(panel)
    found = dcdh(panel, design, "y")
    overall = aggregate(callaway_santanna(panel, design, "y"), design, [estimand.overall(design)])
    assert found.select(estimand="overall").estimate[0] == pytest.approx(overall.estimate[0], rel=1e-12)
    assert DESCRIPTIVE not in found.notes


def test_same_switchers_keeps_the_mix():
    panel = region(np.repeat([3, 7, NEVER], 4))
    design = StaggeredDesign.from_panel(panel)
    found = dcdh(panel, design, "y", effects=4, placebos=0, same_switchers=True)
    # the late cohort shows two effects only, so it is comparison and nothing else
    y, late = panel.outcomes["y"], panel.entry != 3
    expected = [(y[~late, 1 + k] - y[~late, 1]).mean() - (y[late, 1 + k] - y[late, 1]).mean() for k in (1, 2, 3, 4)]
    assert np.allclose(found.select(estimand="event_study").estimate, expected, rtol=1e-12)


def test_one_switching_unit_has_a_reason_and_a_cohort_of_one_never_an_error_near_zero():
    panel = region([4, NEVER, NEVER, NEVER, NEVER])
    found = dcdh(panel, StaggeredDesign.from_panel(panel), "y")
    assert np.isnan(found.std_error()).all()
    assert all("one switching unit" in reason for reason in found.no_error)
    # an effect of 100 on a cohort of one is far from the mean of its comparison, and the error says so
    y = panel.outcomes["y"] + 100.0 * (panel.entry[:, None] <= CLOCK)
    more = region([4, 5, 5, NEVER, NEVER], y=y)
    one = dcdh(more, StaggeredDesign.from_panel(more), "y", effects=1, placebos=0)
    assert one.std_error()[0] > 5
    assert any("cohorts of one" in note for note in one.notes)


def test_missing_outcomes_leave_their_units_out_of_the_contrast():
    panel = region(np.repeat([4, NEVER], [3, 4]))
    y = panel.outcomes["y"].copy()
    y[0, 3], y[5, 2] = np.nan, np.nan
    gappy = region(panel.entry, y=y)
    found = dcdh(gappy, StaggeredDesign.from_panel(gappy), "y", effects=1, placebos=0)
    change = y[:, 3] - y[:, 2]
    assert found.estimate[0] == pytest.approx(np.nanmean(change[:3]) - np.nanmean(change[3:]), rel=1e-12)
    assert any("missing" in note for note in found.notes)


def test_scale_does_not_matter():
    panel = region(np.repeat([3, 4, NEVER], 4))
    design = StaggeredDesign.from_panel(panel)
    one = dcdh(panel, design, "y")
    small = dcdh(region(panel.entry, y=1e-9 * panel.outcomes["y"]), design, "y")
    assert np.allclose(small.std_error() * 1e9, one.std_error(), rtol=1e-9)


def test_wrong_records_and_questions_are_refused():
    panel = region(np.repeat([4, NEVER], [3, 4]))
    design = StaggeredDesign.from_panel(panel)
    with pytest.raises(DataError, match="2 units end before they enter"):
        dcdh(panel, design, "y", ended=np.array([3, 5, NEVER, 6, NEVER, NEVER, NEVER]))
    with pytest.raises(EstimationError, match="anticipation"):
        dcdh(panel, StaggeredDesign.from_panel(panel, anticipation=1), "y")
    with pytest.raises(NotIdentifiedError, match="9 effects were asked for"):
        dcdh(panel, design, "y", effects=9)
    D = (panel.entry[:, None] <= CLOCK).astype(float)
    D[0, 2] = np.nan
    with pytest.raises(DataError, match="1 units change treatment within a gap"):
        dcdh(panel, design, "y", treatment=D)
    with pytest.raises(DataError, match="shape"):
        dcdh(panel, design, "y", treatment=D[:, 1:])
    with pytest.raises(NotIdentifiedError, match="nothing compares"):
        dcdh(panel, design, "y", treatment=np.zeros((7, 8)))
