"""The joint covariance of stacked outcomes: algebra where units are missing, and bootstraps over whole clusters.

The first bootstrap has a closed form and many draws; the second estimates again, in three cohorts, with shares.
"""

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimands.aggregate import event_study, overall
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.results import EffectEstimates


def two_outcomes(n=80, clusters=40, seed=5):
    """One cohort against those never enrolled, one period before and one after; each outcome misses other units."""
    rng = np.random.default_rng(seed)
    entry = rng.permutation(np.repeat([2, NEVER], n // 2))
    cluster = np.repeat(np.arange(clusters), n // clusters)
    shock = rng.normal(size=(clusters, 1))[cluster]
    base = rng.normal(size=(n, 2))
    one = base + shock * [0, 1] + rng.normal(size=(n, 2))
    two = 2 * base - shock * [0, 1.5] + rng.normal(size=(n, 2))
    one[rng.permutation(n)[:15]] = np.nan
    two[rng.permutation(n)[:20]] = np.nan
    return one, two, entry, cluster


def stacked(one, two, entry, cluster=None):
    ids, clock = np.arange(len(one)).astype(object), np.array([1, 2])
    labels = None if cluster is None else cluster.astype(object)
    panel = Panel(ids, ("1", "2"), clock, {"one": one, "two": two}, entry=entry, cluster=labels)
    design, parts = StaggeredDesign.from_panel(panel), []
    for name in ("one", "two"):
        target = overall(design)
        cells = callaway_santanna(panel, design, name, cells=target.cells)
        parts.append(aggregate(cells, design, [target]).with_correction("none"))
    return EffectEstimates.stack(*parts), parts


def test_each_diagonal_is_the_separate_fit():
    joint, parts = stacked(*two_outcomes()[:3])
    np.testing.assert_allclose(np.diag(joint.covariance()), [p.covariance()[0, 0] for p in parts], rtol=1e-12)


def test_the_off_diagonal_is_the_covariance_of_the_units_in_common():
    """sum over cohorts of n_common S_kl / (n_k n_l), S about each outcome's own mean, divisor n_common."""
    one, two, entry, _ = two_outcomes()
    expected = 0.0
    for g in (2, NEVER):
        a, b = (np.diff(y, axis=1).ravel()[entry == g] for y in (one, two))
        both = np.isfinite(a) & np.isfinite(b)
        S = ((a - np.nanmean(a)) * (b - np.nanmean(b)))[both].mean()
        expected += both.sum() * S / (np.isfinite(a).sum() * np.isfinite(b).sum())
    assert stacked(one, two, entry)[0].covariance()[0, 1] == pytest.approx(expected, rel=1e-12)


def test_a_bootstrap_over_clusters_agrees():
    """Whole clusters drawn with replacement, both outcomes estimated again: 20,000 draws.

    Four Monte Carlo errors of a covariance, and 1/C of the product of the errors for what is of second order.
    """
    one, two, entry, cluster = two_outcomes(n=480, clusters=240)
    covariance = stacked(one, two, entry, cluster)[0].covariance()
    rng, B, C = np.random.default_rng(6), 20_000, 240
    weight = rng.multinomial(C, np.full(C, 1 / C), size=B).astype(float)
    drawn = np.empty((B, 2))
    for k, y in enumerate((one, two)):
        change = np.diff(y, axis=1).ravel()
        sums = {}
        for g in (2, NEVER):
            mine = (entry == g) & np.isfinite(change)
            sums[g] = np.bincount(cluster, mine), np.bincount(cluster, np.where(mine, change, 0.0))
        mean = {g: (weight @ total) / (weight @ count) for g, (count, total) in sums.items()}
        drawn[:, k] = mean[2] - mean[NEVER]
    found = np.cov(drawn.T)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.abs((found - covariance) / scale).max() < 4 * np.sqrt(2 / B) + 4 / C


def sectors(n=150, seed=8):
    """Three costs with shocks in common, of practices in three cohorts; each sector lacks other practices."""
    rng = np.random.default_rng(seed)
    entry = rng.permutation(np.repeat([3, 4, NEVER], n // 3))
    common = rng.normal(size=(n, 5)).cumsum(axis=1)
    costs = {
        "gp": common + rng.normal(size=(n, 5)),
        "hospital": -2 * common + rng.normal(size=(n, 5)),
        "pharmacy": rng.normal(size=(n, 5)),
    }
    for name, lost in (("gp", 20), ("hospital", 30), ("pharmacy", 10)):
        costs[name][rng.permutation(n)[:lost]] = np.nan
    return costs, entry


def joint_effects(costs, entry):
    ids, clock = np.arange(len(entry)).astype(object), np.arange(1, 6)
    panel = Panel(ids, tuple("12345"), clock, costs, entry=entry)
    design, parts = StaggeredDesign.from_panel(panel), []
    targets = [overall(design), *(e for e in event_study(design) if e.event_time in (0, 1))]
    for name in costs:
        parts.append(aggregate(callaway_santanna(panel, design, name), design, targets).with_correction("none"))
    return EffectEstimates.stack(*parts)


@pytest.mark.slow
def test_a_bootstrap_that_estimates_every_sector_again_agrees():
    """Practices drawn with replacement, all sectors and estimands estimated again: 600 draws, nine by nine.

    Entries in correlations: four Monte Carlo errors of the largest of them, and 4/40 for what is of second order in
    the forty practices or fewer of a cohort that a sector was seen for.
    """
    costs, entry = sectors()
    covariance = joint_effects(costs, entry).covariance()
    rng, B, n = np.random.default_rng(9), 600, len(entry)
    drawn = np.empty((B, len(covariance)))
    for b in range(B):
        rows = rng.integers(0, n, size=n)
        drawn[b] = joint_effects({name: y[rows] for name, y in costs.items()}, entry[rows]).estimate
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.abs((np.cov(drawn.T) - covariance) / scale).max() < 4 * np.sqrt(2 / B) + 4 / 40
    # The test can fail: hospital and GP cost are strongly related, and independence would be far outside.
    assert covariance[0, 3] / scale[0, 3] < -0.5
