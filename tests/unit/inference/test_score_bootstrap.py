"""The score bootstrap against bootstraps that make outcomes anew, and estimate and studentise them again."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import event_study, overall
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.inference.score_bootstrap import score_bootstrap, sides
from mtvp_eval.inference.wild_bootstrap import Multiplier, multipliers


def region(seed=0, cluster=None):
    rng = np.random.default_rng(seed)
    entry = np.repeat([5, 6, NEVER], 8)
    y = rng.normal(size=(24, 1)) + rng.normal(size=(24, 8)).cumsum(axis=1) * 0.5
    return y, entry, cluster


def panel_of(y, entry, cluster=None):
    clock = np.arange(1, y.shape[1] + 1)
    ids = np.array([f"p{i:02d}" for i in range(len(y))], dtype=object)
    return Panel(ids, tuple(map(str, clock)), clock, {"y": y}, entry=entry, cluster=cluster)


def effects_of(y, entry, cluster=None):
    panel = panel_of(y, entry, cluster)
    design = StaggeredDesign.from_panel(panel)
    declared = [overall(design), *(e for e in event_study(design) if e.event_time in (0, 1))]
    found = aggregate(callaway_santanna(panel, design, "y"), design, declared)
    return found, sides(design, declared[0].cells)


def drawn(y, entry, v):
    """Outcomes of one draw: deviations from the cohort's mean, scaled by leverage 1/8, times the unit's multiplier."""
    made = np.empty_like(y)
    for g in np.unique(entry):
        mine = entry == g
        mean = y[mine].mean(axis=0)
        made[mine] = mean + v[mine, None] * (y[mine] - mean) / (1 - 1 / 8)
    return made


def plain_error(effects, entry):
    """Root of the summed squares about cohort means: with cohorts of 8, deletion gives 8/7 of it."""
    cohorts = np.unique(entry, return_inverse=True)[1]
    means = np.stack([effects.influence[cohorts == g].mean(axis=0) for g in range(3)])
    return np.sqrt(((effects.influence - means[cohorts]) ** 2).sum(axis=0)) / len(entry)


def test_every_draw_equals_one_that_is_estimated_anew():
    """With equal cohorts the factor 8/7 of deletion stands on both sides: the same p-values and quantiles."""
    y, entry, _ = region()
    seen, (treated, comparison) = effects_of(y, entry)
    B = 200
    v, _ = multipliers(24, np.random.default_rng(9), Multiplier.RADEMACHER, B)
    t = np.empty((B, 3))
    for b, draw in enumerate(v.T):
        again, _ = effects_of(drawn(y, entry, draw), entry)
        t[b] = np.abs(again.estimate - seen.estimate) / plain_error(again, entry)
    found = score_bootstrap(seen, treated, comparison, np.random.default_rng(9), draws=B)
    error = plain_error(seen, entry)
    np.testing.assert_allclose(found.std_error, error * 8 / 7, rtol=1e-10)
    np.testing.assert_array_equal(found.p_value, (t >= np.abs(seen.estimate) / error * (1 - 1e-9)).mean(axis=0))
    half = np.quantile(t, 0.95, axis=0, method="higher") * error
    np.testing.assert_allclose((found.high - found.low) / 2, half, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("covariates", [(), ("x",)], ids=["means", "doubly robust"])
def test_the_full_re_estimation_bootstrap_gives_the_same_intervals(covariates):
    """Practices drawn with replacement, estimated and studentised again (symmetric percentile-t), 500 draws.

    Overall and two event times, 50 practices a cohort. The quantile of abs(t*) has a Monte Carlo error of .083, a
    standard error by resampling one of 3.2 %; both bootstraps differ to second order, about 1/50 of a cohort.
    """
    rng = np.random.default_rng(4)
    entry, n = np.repeat([5, 6, NEVER], 50), 150
    x = rng.normal(size=n)
    y = rng.normal(size=(n, 1)) + rng.normal(size=(n, 8)).cumsum(axis=1) * 0.5 + 0.1 * x[:, None] * np.arange(8)

    def fitted(rows):
        panel = replace(panel_of(y[rows], entry[rows]), baseline={"x": x[rows]})
        design = StaggeredDesign.from_panel(panel)
        declared = [overall(design), *(e for e in event_study(design) if e.event_time in (0, 1))]
        found = aggregate(callaway_santanna(panel, design, "y", covariates=covariates), design, declared)
        return found, sides(design, declared[0].cells)

    seen, (treated, comparison) = fitted(np.arange(n))
    boot = score_bootstrap(seen, treated, comparison, np.random.default_rng(5), draws=9_999)
    B = 500
    drawn, t = np.empty((B, 3)), np.empty((B, 3))
    for b in range(B):
        again, _ = fitted(rng.integers(0, n, size=n))
        drawn[b] = again.estimate
        t[b] = np.abs(again.estimate - seen.estimate) / again.std_error()
    np.testing.assert_allclose(boot.std_error, drawn.std(axis=0), rtol=4 * 0.032 + 0.02)
    half = np.quantile(t, 0.95, axis=0) * seen.std_error()
    np.testing.assert_allclose((boot.high - boot.low) / 2, half, rtol=4 * 0.083 / 1.96)


def test_few_clusters_on_a_side_are_refused():
    y, entry, _ = region()
    labels = np.array([f"c{i % 4}" for i in range(24)], dtype=object)
    seen, (treated, comparison) = effects_of(y, entry, labels)
    with pytest.raises(EstimationError, match="4 clusters with and 4 without"):
        score_bootstrap(seen, treated, comparison, np.random.default_rng(0))


def test_a_cluster_that_is_a_whole_cohort_is_refused():
    y, entry, _ = region()
    labels = np.array([f"c{i}" for i in range(16)] + ["same"] * 8, dtype=object)
    seen, (treated, _) = effects_of(y, entry, labels)
    with pytest.raises(EstimationError, match="whole cohort"):
        score_bootstrap(seen, treated, treated, np.random.default_rng(0))


def test_thousands_of_clusters_are_drawn():
    v, enumerated = multipliers(2_000, np.random.default_rng(0), Multiplier.RADEMACHER, 9)
    assert v.shape == (2_000, 9)
    assert not enumerated  # 2 to the 2,000 is beyond any floating-point number
    assert set(np.unique(v)) == {-1.0, 1.0}


def test_webb_multipliers_are_standardised():
    v, enumerated = multipliers(6, np.random.default_rng(0), Multiplier.WEBB, 50_000)
    assert not enumerated
    assert v.mean() == pytest.approx(0, abs=4 / np.sqrt(300_000))
    assert (v**2).mean() == pytest.approx(1, abs=4 * 0.41 / np.sqrt(300_000))  # sd of v^2 is .408
