"""Minimum detectable effects: all assignments by brute force, the design page's table, and a longhand estimator."""

from itertools import permutations

import numpy as np
import pytest
from scipy.special import stdtrit

from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.inference.contrasts import event_study
from mtvp_eval.planning.power import PlannedDesign, PowerChoices, minimum_detectable
from mtvp_eval.planning.replayed import replayed_effects


def planned(cohorts, rounds=3, weight=None, block=None, covariates=None):
    n = cohorts.shape[1]
    return PlannedDesign(
        cohorts,
        np.zeros(n, dtype=int) if block is None else block,
        np.ones(n) if weight is None else weight,
        np.empty((n, 0)) if covariates is None else covariates,
        rounds,
    )


def shuffled(n, draws, seed=0):
    return np.random.default_rng(seed).permuted(np.tile(np.repeat([1, 2, 3, 4], n // 4), (draws, 1)), axis=1)


def test_formula_is_the_variance_over_all_assignments():
    # without an effect the variance of a difference of cohort means over all assignments is exactly a' S a / N
    every = np.array(sorted(set(permutations([1, 1, 2, 2, 3, 3, 4, 4]))))
    assert len(every) == 2520
    y = np.random.default_rng(3).normal(size=(8, 4))
    found = minimum_detectable(y, planned(every))
    multiple = stdtrit(found.df, 0.975) + stdtrit(found.df, 0.8)
    np.testing.assert_allclose(found.formula / multiple, found.std_error, rtol=1e-10)  # sums in another order
    np.testing.assert_allclose(found.neyman, found.std_error, rtol=1e-10)  # Neyman is unbiased without an effect


@pytest.mark.parametrize(
    ("a", "b", "rho", "n", "table"),
    [  # lottery.md section 5, Callaway-Sant'Anna with base g - 1, % of the level; noise of domain.md section 3
        (3.8e-4, 4.55, 0.3, 60, 3.6),
        (3.8e-4, 4.55, 0.5, 120, 2.2),
        (3.3e-4, 25.0, 0.3, 60, 7.7),
        (3.3e-4, 25.0, 0.5, 120, 4.7),
        (2.8e-4, 8.52, 0.5, 60, 4.0),
    ],
)
def test_table_of_the_design_page(a, b, rho, n, table):
    lags = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    year = np.r_[np.full(4, -0.25), np.full(4, 0.25)]
    growth = a + b * 1.20 / 3800  # E(3,800 / s) = 1.20 for the region's lists
    sigma = rho ** lags[:4, :4] * growth / (year @ rho**lags @ year)
    z = np.random.default_rng(1).normal(size=(n, 4))
    z -= z.mean(axis=0)
    y = z @ np.linalg.inv(np.linalg.cholesky(z.T @ z / (n - 1))).T @ np.linalg.cholesky(sigma).T  # exact covariance
    found = minimum_detectable(y, planned(shuffled(n, 4000)))
    multiple = stdtrit(found.df[-1], 0.975) + stdtrit(found.df[-1], 0.8)
    assert 100 * 2.8 * found.formula[-1] / multiple == pytest.approx(table, abs=0.051)  # the table has one decimal
    # 4,000 replays know a standard deviation to 1.1 %; three of these
    assert found.std_error[-1] == pytest.approx(found.formula[-1] / multiple, rel=0.034)
    # power of a t-test by its quantiles is approximate; replayed power differs by Monte Carlo error and by that
    assert found.immediate[-1] == pytest.approx(found.formula[-1], rel=0.05)


def test_ramp_of_five_quarters_leaves_a_third_of_the_effect_in_the_window():
    found = minimum_detectable(np.random.default_rng(2).normal(size=(40, 9)), planned(shuffled(40, 300)))
    assert found.dose[:3] == pytest.approx([0.2, 0.4, 0.6], abs=1e-12)
    assert found.dose[3] == pytest.approx(1 / 3, abs=1e-12)  # (3 x 1 + 2 x 2 + 3) / 5 / 6 cells
    np.testing.assert_allclose(found.ramp, found.immediate / found.dose, rtol=1e-6)  # bisection


def longhand(f, cohort, block, w, plan, k):
    """The estimate as one would write it down, and its variance from what each unit adds."""
    parts, u = [], np.zeros(len(cohort))
    for c in plan.cells_of(k):
        for b in np.unique(block):
            mine = (block == b) & np.isfinite(f[c])
            own = mine & (cohort == plan.cohort[c])
            later = [mine & (cohort == h) for h in range(plan.after[c] + 1, 9) if (mine & (cohort == h)).sum() > 1]
            if own.sum() > 1 and later:
                parts.append((c, own, np.any(later, axis=0), w[own].sum()))
    total = sum(p[3] for p in parts)
    estimate = 0.0
    for c, own, against, size in parts:
        estimate += (
            size / total * (np.average(f[c, own], weights=w[own]) - np.average(f[c, against], weights=w[against]))
        )
    for c, own, against, size in parts:
        for b in np.unique(block):
            for h in np.unique(cohort):
                here = (block == b) & (cohort == h) & np.isfinite(f[c])
                for side, sign in ((own & here, 1), (against & here, -1)):
                    if side.any():
                        whole = w[own if sign > 0 else against].sum()
                        u[side] += (
                            sign
                            * size
                            / total
                            * w[side]
                            / whole
                            * (f[c, side] - np.average(f[c, side], weights=w[side]))
                        )
    v, df = 0.0, 0.0
    for b in np.unique(block):
        for h in np.unique(cohort):
            m = ((block == b) & (cohort == h)).sum()
            if m > 1:
                part = (u[(block == b) & (cohort == h)] ** 2).sum() * m / (m - 1)
                v, df = v + part, df + part**2 / (m - 1)
    return estimate, v, v**2 / df


def test_replayed_estimates_equal_the_longhand_ones():
    rng = np.random.default_rng(5)
    plan, _ = event_study(3, 0, overall=True)
    n = 40
    f = rng.normal(size=(6, n))
    f[rng.random(f.shape) < 0.05] = np.nan
    w, block = rng.uniform(1, 5, n), np.repeat([0, 1], [25, 15])
    cohorts = rng.integers(1, 5, size=(5, n))
    seen = replayed_effects(f, cohorts, block, w, plan, np.ones(6))
    for b in range(5):
        for k in range(4):
            expected = longhand(f, cohorts[b], block, w, plan, k)
            found = (seen.estimate[b, k], seen.variance[b, k], seen.df[b, k])
            np.testing.assert_allclose(found, expected, rtol=1e-10)  # sums in another order


def test_a_covariate_that_explains_the_change_makes_smaller_effects_detectable():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60, 1))
    y = rng.normal(size=(60, 8)) + x * np.arange(8)
    plain = minimum_detectable(y, planned(shuffled(60, 300)))
    with_x = minimum_detectable(y, planned(shuffled(60, 300), covariates=x))
    # one quarter's change has variance 2 + 1 without the covariate (event time 0) and 2 with it
    assert with_x.immediate[0] / plain.immediate[0] == pytest.approx(np.sqrt(2 / 3), rel=0.12)  # 60 units: SE of 6 %


def test_horizons_beyond_the_lottery_window_are_refused():
    y = np.random.default_rng(2).normal(size=(40, 9))
    with pytest.raises(NotIdentifiedError, match="beyond the lottery window"):
        minimum_detectable(y, planned(shuffled(40, 50)), horizon=3)
    assert minimum_detectable(y, planned(shuffled(40, 50)), horizon=1).names == ("0", "1", "overall")


def test_too_short_and_too_small():
    with pytest.raises(EstimationError, match="no 4 quarters in a row"):
        minimum_detectable(np.zeros((40, 3)), planned(shuffled(40, 10)))
    with pytest.raises(NotIdentifiedError, match="too small"):
        minimum_detectable(np.zeros((4, 9)), planned(shuffled(4, 10)))


def test_cohorts_that_no_replay_can_compare_leave_the_plan():
    # the whole block has started by round 3, as where three quarters of the patients applied at once
    cohorts = np.random.default_rng(0).permuted(np.tile(np.repeat([1, 2, 3], 8), (200, 1)), axis=1)
    found = minimum_detectable(np.random.default_rng(1).normal(size=(24, 9)), planned(cohorts))
    assert found.names == ("0", "1", "overall")


def power_of_the_test(effect, n=40, repeats=3000):
    """Share of fresh panels in which the t-test of the window's mean finds a constant effect."""
    rng = np.random.default_rng(11)
    plan, event_time = event_study(3, 0, overall=True)
    from mtvp_eval.inference.contrasts import cell_changes

    y = rng.normal(size=(n, 4, repeats)).cumsum(axis=1) * 0.3 + rng.normal(size=(n, 4, repeats))
    cohorts = shuffled(n, repeats, seed=12)
    hits = []
    for r in range(repeats):
        now = y[:, :, r] + effect * (np.arange(1, 4)[None] >= cohorts[r][:, None]).astype(float) @ np.eye(3, 4, 1)
        seen = replayed_effects(
            cell_changes(now, 1, plan.cohort, event_time),
            cohorts[r : r + 1],
            np.zeros(n, int),
            np.ones(n),
            plan,
            np.ones(6),
        )
        bar = stdtrit(seen.df[0, -1], 0.975) * np.sqrt(seen.variance[0, -1])
        hits.append(abs(seen.estimate[0, -1]) > bar)
    return np.mean(hits)


@pytest.mark.slow
def test_the_detectable_effect_is_found_as_often_as_promised():
    rng = np.random.default_rng(10)
    n = 40
    long = rng.normal(size=(n, 200)).cumsum(axis=1) * 0.3 + rng.normal(size=(n, 200))
    found = minimum_detectable(long, planned(shuffled(n, 400)), PowerChoices(windows=190))
    # 3,000 tests know a chance of .8 to .007; the pre-period leaves about 1 % of the standard error, .01 of power
    assert power_of_the_test(found.immediate[-1]) == pytest.approx(0.8, abs=0.03)
