import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimands.estimand import Population, Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.lottery_efficient import lottery_efficient

ENTRY = np.array([3, 3, 3, 4, 4, 4, 4, NEVER, NEVER, NEVER, 4, 4, 4, 5, 5, NEVER, NEVER])
BLOCK = np.array(["a"] * 10 + ["b"] * 7, dtype=object)


def region(entry=ENTRY, seed=0):
    rng = np.random.default_rng(seed)
    n = len(entry)
    return Panel(
        np.array([f"p{i}" for i in range(n)], dtype=object),
        tuple("12345"),
        np.arange(1, 6),
        {"y": rng.normal(size=(n, 5)).cumsum(axis=1)},
        weight=rng.uniform(1, 5, n),
        entry=entry,
    )


def lottery_of(panel, block=BLOCK, comparison=Comparison.NOT_YET_ENROLLED):
    staggered = StaggeredDesign.from_panel(panel, comparison)
    return LotteryDesign(staggered, block, staggered.entry)


def test_blocks_are_compared_within_and_averaged_by_their_treated_units():
    p = region()
    design = lottery_of(p)
    y = p.outcomes["y"]
    change = y[:, 3] - y[:, 2]  # period 4 from base 3, cohort 4
    a = change[3:7].mean() - change[7:10].mean()
    b = change[10:13].mean() - change[13:17].mean()
    found = lottery(p, design, "y").select(cohort=4, period=4)
    assert found.estimate[0] == pytest.approx((4 * a + 3 * b) / 7, rel=1e-12)
    # Neyman: block a s^2/4 + s^2/3; block b s^2/3 and, for 2 + 2 units of two cohorts pooled, (2/4)^2 (s1^2/2 + s2^2/2)
    s2 = [change[i:j].var(ddof=1) for i, j in ((3, 7), (7, 10), (10, 13), (13, 15), (15, 17))]
    parts = [s2[0] / 4 + s2[1] / 3, s2[2] / 3 + 0.25 * (s2[3] / 2 + s2[4] / 2)]
    assert found.covariance()[0, 0] == pytest.approx((16 * parts[0] + 9 * parts[1]) / 49, rel=1e-12)
    assert found.index[0].population is Population.BLOCK
    assert found.sampling == "design"


def test_neyman_variance_is_hc2_of_the_saturated_regression():
    statsmodels = pytest.importorskip("statsmodels.api")
    p = region(ENTRY[:10])
    design = lottery_of(p, BLOCK[:10])
    found = lottery(p, design, "y", cells=[(3, 3)])
    y = p.outcomes["y"]
    change = y[:, 2] - y[:, 1]
    X = np.stack([np.arange(10) < 3, (np.arange(10) >= 3) & (np.arange(10) < 7), np.arange(10) >= 7], axis=1)
    fit = statsmodels.OLS(change, X.astype(float)).fit(cov_type="HC2")
    a = np.array([1, -4 / 7, -3 / 7])
    assert found.covariance()[0, 0] == pytest.approx(a @ fit.cov_params() @ a, rel=1e-10)


def test_patient_weights_give_hajek_means_with_the_derivative_as_influence():
    p = region()
    design = lottery_of(p)
    found = lottery(p, design, "y", weighting="patient", cells=[(4, 4)])
    y, w = p.outcomes["y"], p.weight
    change = y[:, 3] - y[:, 2]
    mean = lambda rows: np.average(change[rows], weights=w[rows])  # noqa: E731
    rows = [np.arange(3, 7), np.arange(7, 10), np.arange(10, 13), np.arange(13, 17)]
    shares = np.array([w[rows[0]].sum(), w[rows[2]].sum()])
    expected = (shares * [mean(rows[0]) - mean(rows[1]), mean(rows[2]) - mean(rows[3])]).sum() / shares.sum()
    assert found.estimate[0] == pytest.approx(expected, rel=1e-12)
    # d(Hajek mean)/d(w_i's multiplicity) = w_i (v_i - mean) / W, times the share of the block
    i = 4
    slope = w[i] * (change[i] - mean(rows[0])) / w[rows[0]].sum() * shares[0] / shares.sum()
    assert found.influence[i, 0] == pytest.approx(17 * slope, rel=1e-12)


def test_a_cohort_of_one_is_shown_without_error_and_never_compared_where_another_is_left():
    entry = np.array([3, 3, 3, 4, 5, 5, 5])
    p = region(entry)
    design = lottery_of(p, np.full(7, "a", dtype=object))
    found = lottery(p, design, "y")
    alone = found.select(cohort=4)
    assert np.isnan(alone.std_error()).all()
    y = p.outcomes["y"]
    change = y[:, 2] - y[:, 1]
    first = found.select(cohort=3, period=3)
    assert first.estimate[0] == pytest.approx(change[:3].mean() - change[4:].mean(), rel=1e-12)
    assert np.isfinite(first.std_error()[0])


def test_rounds_without_a_draw_are_no_part_of_it():
    p = region()
    staggered = StaggeredDesign.from_panel(p)
    none = LotteryDesign(staggered, BLOCK, staggered.entry, no_lottery=BLOCK == "b")
    assert [b.label for b in none.drawn] == ["a"]
    assert (5, 5) not in none.identified_cells()
    with pytest.raises(NotIdentifiedError, match="1 of 1 cells"):
        lottery(p, none, "y", cells=[(5, 5)])
    nobody = LotteryDesign(staggered, BLOCK, staggered.entry, no_lottery=np.ones(17, dtype=bool))
    with pytest.raises(NotIdentifiedError, match="No block"):
        lottery(p, nobody, "y")


def test_who_was_drawn_counts_not_who_started():
    p = region()
    drawn = p.entry.copy()
    drawn[3] = 3  # drawn for period 3, started in 4
    design = LotteryDesign(StaggeredDesign.from_panel(p), BLOCK, drawn)
    found = lottery(p, design, "y", cells=[(3, 3)])
    y = p.outcomes["y"]
    change = y[:, 2] - y[:, 1]
    assert found.estimate[0] == pytest.approx(change[:4].mean() - change[4:10].mean(), rel=1e-12)


def test_missing_outcomes_leave_the_pair_and_are_refused_where_levels_matter():
    p = region()
    y = p.outcomes["y"].copy()
    y[0, 2] = np.nan
    gappy = Panel(p.unit_ids, p.periods, p.clock, {"y": y}, entry=p.entry)
    design = lottery_of(gappy)
    found = lottery(gappy, design, "y", cells=[(3, 3)])
    change = y[:, 2] - y[:, 1]
    assert found.estimate[0] == pytest.approx(change[1:3].mean() - change[3:10].mean(), rel=1e-12)
    s2 = [change[1:3].var(ddof=1) / 2, change[3:7].var(ddof=1) * 4 / 49, change[7:10].var(ddof=1) * 3 / 49]
    assert found.covariance()[0, 0] == pytest.approx(sum(s2), rel=1e-12)
    with pytest.raises(EstimationError, match="1 of 17 units have missing y"):
        lottery_efficient(gappy, design, "y", [estimand.overall(design)])


def test_one_fixed_share_gives_the_same_by_cells_and_by_means_over_blocks():
    p = region()
    design = lottery_of(p)
    for weighting in Weighting:
        made = [estimand.overall(design, weighting), estimand.overall_event(design, weighting)]
        cells = aggregate(lottery(p, design, "y", weighting=weighting), design, made)
        means = lottery_efficient(p, design, "y", made, beta=1.0).effects
        assert np.allclose(cells.estimate, means.estimate, rtol=1e-12)
        assert np.allclose(cells.covariance(), means.covariance(), rtol=1e-10)
        assert np.allclose(cells.df(), means.df(), rtol=1e-10)


def test_the_efficient_share_has_the_smallest_variance_and_pooling_uses_one_for_all():
    p = region()
    design = lottery_of(p)
    made = [estimand.overall(design)]
    best = lottery_efficient(p, design, "y", made)
    pooled = lottery_efficient(p, design, "y", made, adjustment="pooled")
    assert any("this is no headline" in note for note in best.effects.notes)
    assert not any("this is no headline" in note for note in pooled.effects.notes)
    assert len(best.beta) == 2
    assert pooled.beta[0].tolist() == pooled.beta[1].tolist()
    fixed = [lottery_efficient(p, design, "y", made, beta=b).effects.std_error()[0] for b in np.linspace(-1, 2, 31)]
    assert best.effects.std_error()[0] <= pooled.effects.std_error()[0] <= min(fixed) + 1e-12
