"""Interference: statsmodels' regression with dummies, size under the true draw, power, and what cannot be probed."""

import numpy as np
import pytest

from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.interference import exposure_share, exposure_test

N, GROUPS = 48, 8


def draws(count, seed=0):
    return np.random.default_rng(seed).permuted(np.tile(np.repeat([1, 2, 3, 4], N // 4), (count, 1)), axis=1)


def world(seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, GROUPS, N), np.repeat([0, 1], N // 2), rng.uniform(1500, 9000, N)


def test_share_by_hand():
    cohorts = np.array([[1, 2, 3, 0]])
    share = exposure_share(cohorts, np.zeros(4, dtype=int), np.array([1.0, 2.0, 3.0, 4.0]), 2)
    # patients of others: 9, 8, 7, 6; of these started by round 2: 2, 1, 3, 3; the one that never starts never counts
    np.testing.assert_allclose(share, [[2 / 9, 1 / 8, 3 / 7, 3 / 6]], rtol=1e-12)


def test_slope_is_the_regression_with_dummies():
    import statsmodels.api as sm

    group, block, patients = world()
    cohort, rng = draws(1)[0], np.random.default_rng(5)
    changes = rng.normal(size=(3, N))
    rows = []
    for r in (1, 2, 3):
        e = exposure_share(cohort[None], group, patients, r)[0]
        rows += [(changes[r - 1, i], e[i], 10 * r + block[i]) for i in range(N) if cohort[i] > r and np.isfinite(e[i])]
    y, e, cell = np.array(rows).T
    X = np.column_stack([e, *(cell == c for c in np.unique(cell))])
    slope = sm.OLS(y, X.astype(float)).fit().params[0]
    copies = np.repeat(cohort[None], 4, axis=0)
    found = exposure_test(changes, cohort, copies, group, block, patients)
    assert found.slope == pytest.approx(0, abs=1e-12)  # every replay is the observed draw: nothing is left to show
    assert found.p_value == 1.0
    shifted = draws(300, seed=3)
    other = exposure_test(changes, cohort, shifted, group, block, patients)
    replay_means = [exposure_test(changes, s, shifted[:1], group, block, patients).slope for s in shifted[:1]]
    assert replay_means == pytest.approx([0.0], abs=1e-12)
    # the recentred slope moves one for one with the observed one: all else is the replays'
    added = exposure_test(changes, cohort, np.vstack([shifted, cohort[None]]), group, block, patients)
    mean = slope - other.slope  # mean over 301 draws, the observed one among them
    assert added.slope == pytest.approx(slope - (301 * mean + slope) / 302, rel=1e-9)


def test_level_holds_under_the_true_draw_and_neighbours_are_found():
    group, block, patients = world()
    trend = np.random.default_rng(2).normal(size=(3, N)) + 0.8 * np.log(patients)  # change depends on list size
    replays, p_null, p_real = draws(299, seed=9), [], []
    for cohort in draws(400, seed=4):
        p_null.append(exposure_test(trend, cohort, replays, group, block, patients).p_value)
        spill = np.nan_to_num(np.stack([exposure_share(cohort[None], group, patients, r)[0] for r in (1, 2, 3)]))
        p_real.append(exposure_test(trend + 6 * spill, cohort, replays, group, block, patients).p_value)
    # 400 tests at .05 have Monte Carlo error .011; three of them
    assert np.mean(np.array(p_null) <= 0.05) <= 0.05 + 0.033
    assert np.mean(np.array(p_null) <= 0.05) >= 0.05 - 0.033
    assert np.mean(np.array(p_real) <= 0.05) >= 0.9


def test_practices_without_neighbours_cannot_be_probed():
    _, block, patients = world()
    with pytest.raises(EstimationError, match="cannot be probed"):
        exposure_test(np.zeros((1, N)), draws(1)[0], draws(5), np.arange(N), block, patients)
