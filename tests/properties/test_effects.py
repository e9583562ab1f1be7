"""What must hold for any panel: shifts, order, duplicates of the sample, linearity.

Comparisons allow 1e-10 relative: the same sums in another order; `allclose` alone would allow 1e-5.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.results import EffectEstimates, EffectKey

SETTINGS = settings(max_examples=25, deadline=None)
"""A fit takes milliseconds, the first one imports; no deadline keeps slow machines green."""


@st.composite
def regions(draw):
    """6-30 units, 4-8 periods, every cohort of two or more and somebody to compare with."""
    T = draw(st.integers(4, 8))
    cohorts = draw(st.lists(st.sampled_from([*range(2, T), NEVER]), min_size=2, max_size=4, unique=True))
    entry = np.repeat(cohorts, draw(st.lists(st.integers(2, 7), min_size=len(cohorts), max_size=len(cohorts))))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Panel(
        np.array([f"p{i}" for i in range(len(entry))], dtype=object),
        tuple(map(str, range(1, T + 1))),
        np.arange(1, T + 1),
        {"y": rng.normal(size=(len(entry), T))},
        weight=rng.uniform(1, 5, size=len(entry)),
        entry=entry,
    )


def with_outcome(panel: Panel, y) -> Panel:
    return Panel(panel.unit_ids, panel.periods, panel.clock, {"y": y}, weight=panel.weight, entry=panel.entry)


def both(panel: Panel, weighting: str):
    design = StaggeredDesign.from_panel(panel)
    return (
        callaway_santanna(panel, design, "y", weighting=weighting, base_period=BasePeriod.UNIVERSAL),
        lottery(panel, LotteryDesign.one_block(design), "y", weighting=weighting),
    )


@SETTINGS
@given(regions(), st.sampled_from(["practice", "patient"]))
def test_unit_and_period_shifts_change_nothing(panel, weighting):
    rng = np.random.default_rng(0)
    n, T = panel.outcomes["y"].shape
    shifted = panel.outcomes["y"] + rng.normal(size=(n, 1)) + rng.normal(size=T)
    for one, other in zip(both(panel, weighting), both(with_outcome(panel, shifted), weighting), strict=True):
        # rounding of sums of order ten
        assert np.allclose(one.estimate, other.estimate, rtol=1e-10, atol=1e-12)
        assert np.allclose(one.influence, other.influence, rtol=1e-10, atol=1e-11)


@SETTINGS
@given(regions(), st.sampled_from(["practice", "patient"]))
def test_two_methods_agree_without_covariates_and_influence_sums_to_zero(panel, weighting):
    for found in both(panel, weighting):
        assert np.allclose(found.influence.sum(axis=0), 0, rtol=1e-10, atol=1e-10)
    one, two = both(panel, weighting)
    value = dict(zip([(k.cohort, k.period) for k in one.index], one.estimate, strict=True))
    assert np.allclose([value[k.cohort, k.period] for k in two.index], two.estimate, rtol=1e-10, atol=1e-12)


@SETTINGS
@given(regions())
def test_a_constant_effect_is_found_in_every_cell_and_aggregate(panel):
    y = np.arange(panel.n_units)[:, None] + 2.5 * (panel.entry[:, None] <= panel.clock)
    exact = with_outcome(panel, np.asarray(y, dtype=float))
    design = StaggeredDesign.from_panel(exact)
    effects = callaway_santanna(exact, design, "y")
    expected = [2.5 * (k.event_time >= 0) for k in effects.index]
    assert np.allclose(effects.estimate, expected, rtol=1e-10, atol=1e-12)
    if design.post_cells():
        made = [f(design) for f in (estimand.overall, estimand.overall_cohort, estimand.overall_event)]
        assert np.allclose(aggregate(effects, design, made).estimate, 2.5, rtol=1e-10, atol=1e-12)
        total = aggregate(
            callaway_santanna(exact, design, "y", weighting="patient"), design, [estimand.money_total(design)]
        )
        patients = sum(design.cell_size(design.post_cells(), by_size=True))
        assert total.estimate[0] == pytest.approx(2.5 * patients, rel=1e-12)


@SETTINGS
@given(regions(), st.sampled_from(list(Comparison)))
def test_every_identified_cell_has_a_clean_comparison(panel, comparison):
    design = StaggeredDesign.from_panel(panel, comparison)
    for base in BasePeriod:
        for g, t in design.identified_cells(base):
            start = design.base_period(g, t, base)
            against = design.entry[design.comparison_units(g, t, base)]
            assert against.size
            assert (against > max(t, start)).all()
            assert g not in against


@SETTINGS
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 4))
def test_combine_is_linear(seed, n, K):
    rng = np.random.default_rng(seed)
    index = tuple(EffectKey("y", "att_gt", event_time=k) for k in range(K))
    stratum = np.zeros(n, dtype=np.int64)
    e = EffectEstimates(
        index, rng.normal(size=K), np.arange(n).astype(object), rng.normal(size=(n, K)), stratum, correction="hc2"
    )
    A, B = rng.normal(size=(3, K)), rng.normal(size=(2, 3))
    three = tuple(EffectKey("y", f"c{j}") for j in range(3))
    two = three[:2]
    once, twice = e.combine(two, B @ A), e.combine(three, A).combine(two, B)
    assert np.allclose(once.estimate, twice.estimate, rtol=1e-10, atol=1e-12)
    assert np.allclose(once.covariance(), twice.covariance(), rtol=1e-10, atol=1e-11)
    assert np.allclose(once.covariance(), B @ A @ e.covariance() @ A.T @ B.T, rtol=1e-10, atol=1e-11)
