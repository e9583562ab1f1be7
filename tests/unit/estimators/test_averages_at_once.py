"""Averages that methods form themselves equal the averages of their cells; closed forms equal the regression."""

import numpy as np
import pytest

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import NotIdentifiedError
from mtvp_eval.estimands import aggregate as means
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators import callaway_santanna, etwfe, imputation, sun_abraham, two_stage
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.comparison_sets import comparison_sets
from mtvp_eval.estimators.doubly_robust import Adjustment, Units, two_group_effect
from mtvp_eval.estimators.saturated import saturated_cells
from mtvp_eval.estimators.sun_abraham import against_last
from mtvp_eval.estimators.unadjusted import unadjusted_effects

ROUNDING = 1e-13
"""Of the largest entry: the same sums in another order; seen 7e-16."""
SOLVED = 1e-12
"""Of the largest entry: a closed form against a solved regression; seen 2e-14."""
METHODS = (callaway_santanna, sun_abraham, imputation, two_stage, etwfe)


def panel(gaps: float, n: int = 60, T: int = 7, *, everybody: bool = False) -> Panel:
    rng = np.random.default_rng(5)
    y = rng.normal(size=(n, 1)) + rng.normal(size=(n, T)).cumsum(axis=1)
    y[rng.random((n, T)) < gaps] = np.nan
    entry = np.repeat([3, 4, 6, 7 if everybody else 99], n // 4)
    return Panel(
        np.arange(n).astype(object), tuple("1234567"), np.arange(1, T + 1), {"y": y}, rng.uniform(1, 3, n),
        baseline={"x": rng.normal(size=n)}, entry=entry,
    )  # fmt: skip


def close(found: np.ndarray, expected: np.ndarray, share: float) -> bool:
    """Whether no entry is off by more than a share of the largest, which is far from zero."""
    largest = np.abs(expected).max()
    return largest > 0.01 and np.abs(found - expected).max() <= share * largest


@pytest.mark.parametrize("weighting", list(Weighting))
@pytest.mark.parametrize("covariates", [(), ("x",)])
@pytest.mark.parametrize("gaps", [0.0, 0.05])
@pytest.mark.parametrize("method", METHODS)
def test_averages_at_once_equal_averages_of_cells(method, gaps, covariates, weighting):
    data = panel(gaps)
    design = StaggeredDesign.from_panel(data)
    cells = method(data, design, "y", covariates=covariates, weighting=weighting)
    inside = {(k.cohort, k.period) for k in cells.index}
    base = BasePeriod.VARYING if method is callaway_santanna else BasePeriod.UNIVERSAL
    asked = [
        *means.event_study(design, weighting, base, within=inside), means.overall(design, weighting, inside),
        *means.by_cohort(design, weighting, inside), means.overall_event(design, weighting, inside),
    ]  # fmt: skip
    expected = aggregate(cells, design, asked)
    found = method(data, design, "y", covariates=covariates, weighting=weighting, estimands=asked)
    assert found.index == expected.index
    assert found.no_error == expected.no_error
    assert close(found.estimate, expected.estimate, ROUNDING)
    assert close(found.influence, expected.influence, ROUNDING)
    assert close(found.covariance(), expected.covariance(), ROUNDING)


@pytest.mark.parametrize("method", METHODS)
def test_an_average_of_a_cell_not_estimated_is_refused(method):
    data = panel(0.0)
    design = StaggeredDesign.from_panel(data)
    asked = [means.overall(design, Weighting.PATIENT)]
    with pytest.raises(NotIdentifiedError, match="not estimated"):
        method(data, design, "y", weighting=Weighting.PRACTICE, estimands=asked)


@pytest.mark.parametrize("weighting", list(Weighting))
@pytest.mark.parametrize("everybody", [False, True])
def test_sun_abraham_in_closed_form_equals_the_regression(everybody, weighting):
    data = panel(0.0, everybody=everybody)
    last = against_last(StaggeredDesign.from_panel(data))
    cells = last.identified_cells(BasePeriod.UNIVERSAL)
    expected = saturated_cells(
        data, last, "y", cells, covariates=(), weighting=weighting, interact=False, method="Sun-Abraham"
    )
    found = sun_abraham(data, StaggeredDesign.from_panel(data), "y", weighting=weighting)
    assert found.index == expected.index
    assert found.regression == expected.regression
    assert found.no_error == expected.no_error
    assert close(found.estimate, expected.estimate, SOLVED)
    assert close(found.influence, expected.influence, SOLVED)


@pytest.mark.parametrize("weighting", list(Weighting))
@pytest.mark.parametrize("comparison", list(Comparison))
@pytest.mark.parametrize("base", list(BasePeriod))
@pytest.mark.parametrize("everybody", [False, True])
def test_callaway_santanna_in_closed_form_equals_the_cells_one_by_one(everybody, base, comparison, weighting):
    data = panel(0.0, everybody=everybody)
    design = StaggeredDesign.from_panel(data, comparison)
    w = design.size if weighting == Weighting.PATIENT else np.ones(len(design.size))
    sets, y = comparison_sets(design, design.identified_cells(base), base), data.outcomes["y"]
    K = len(design.identified_cells(base))
    expected, psi = np.empty(K), np.zeros((len(y), K))
    for each in sets:
        rows, first = each.rows(), len(each.treated)
        units = Units(y[rows].T, np.ones((1, len(rows))), w[rows])
        two = two_group_effect(
            units, [slice(0, first)], [slice(first, len(rows))], each.period, each.base, Adjustment.REG
        )
        expected[each.cells] = two.effect
        for part, share in two.influence(np.eye(len(each.cells))):
            psi[np.ix_(rows[part], each.cells)] = len(y) * share.T
    weights = np.random.default_rng(1).normal(size=(3, K))
    effect, influence = unadjusted_effects(y, w, design.cohort_index, sets, weights)
    assert close(effect, expected, SOLVED)
    assert close(influence.values, psi @ weights.T, SOLVED)


@pytest.mark.parametrize("comparison", list(Comparison))
@pytest.mark.parametrize("base", list(BasePeriod))
@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("entry", [[3, 4, 6, 99], [3, 4, 6, 7], [4, 5, 5, 9]])
def test_tables_of_cells_equal_the_rule_cell_by_cell(entry, anticipation, base, comparison):
    clock = np.array([1, 2, 4, 5, 6, 7])
    design = StaggeredDesign(np.array(list("abcd"), dtype=object), np.array(entry), clock, comparison, anticipation)
    cells = [(int(g), int(t)) for g in design.cohorts[:-1] for t in clock]
    starts = [design.base_period(g, t, base) for g, t in cells]
    places = design.base_places(cells, base)
    assert [None if k < 0 else int(clock[k]) for k in places] == starts
    compared = [design.comparison_cohorts(g, t, base).tolist() for g, t in cells]
    assert design.comparisons(cells, base).tolist() == compared
    kept = [c for c, s, who in zip(cells, starts, compared, strict=True) if s != c[1] and any(who)]
    assert list(design.identified_cells(base)) == kept
