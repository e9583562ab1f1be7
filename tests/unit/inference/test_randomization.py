"""Replayed moments against explicit formulas; the test's level, ties, step-down and inversion against brute force."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.draw import draw_cohorts
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.rules import Applications, DrawRule, FinalRound, Misfit, Rollover
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import DesignError, EstimationError, NotIdentifiedError
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.inference.contrasts import ContrastPlan, cell_changes, event_study
from mtvp_eval.inference.randomization import (
    largest_p,
    randomization_test,
    replay_estimator,
    sharp_interval,
)
from mtvp_eval.inference.replay import DrawnRegion, ReplayedStatistics, replay_statistics

RULE = DrawRule(Rollover.QUEUE, Misfit.SKIP, "test", date(2023, 2, 24))
FIRST = 5  # column of round 1


def region(n: int, seed: int, rule: DrawRule = RULE, late: bool = False, start: int = 0) -> DrawnRegion:
    rng = np.random.default_rng(seed)
    size = rng.integers(1500, 6000, n)
    applied = rng.choice([1, 2], n, p=[0.7, 0.3]) if late else np.ones(n, dtype=int)
    applications = Applications(size, applied, int(size.sum()))
    return DrawnRegion(applications, rule, draw_cohorts(applications, rule, rng)[0], np.arange(start, start + n))


def outcomes(n: int, seed: int, T: int = 9) -> FloatArray:
    return np.cumsum(np.random.default_rng(seed).standard_normal((2, n, T)), axis=2)


def by_hand(f: FloatArray, plan: ContrastPlan, cohort: IntArray, k: int) -> tuple[float, float]:
    """One estimand in one block from every unit's own coefficient: sum of u_i'f_i, and the Neyman variance."""
    cells = plan.cells_of(k)
    share = np.array([plan.weights[k, c] * (np.sum(cohort == plan.cohort[c]) if plan.by_size else 1) for c in cells])
    share = share / share.sum() if plan.by_size else share
    contribution = np.zeros(len(cohort))
    for w, c in zip(share, cells, strict=True):
        treated, later = cohort == plan.cohort[c], cohort > plan.after[c]
        contribution += w * f[c] * (treated / treated.sum() - later / later.sum())
    variance = sum(
        np.sum(cohort == h) * np.var(contribution[cohort == h], ddof=1)
        for h in np.unique(cohort)
        if np.any(contribution[cohort == h])
    )
    return float(contribution.sum()), float(variance)


@pytest.mark.parametrize("by_size", [True, False])
def test_observed_and_replayed_rows_equal_the_formula_unit_by_unit(by_size: bool) -> None:
    one = region(40, seed=1)
    plan, event_time = event_study(3, leads=2, overall=True)
    plan = ContrastPlan(plan.names, plan.cohort, plan.after, plan.weights, by_size)
    y = outcomes(40, seed=2)
    numbers = np.stack([cell_changes(part, FIRST, plan.cohort, event_time) for part in y])
    s = replay_statistics([one], numbers, plan, np.random.default_rng(3), draws=50)
    replays = one.replay(np.random.default_rng(3), 50)
    assert s.rejected.tolist() == [0.0]  # so the replays are these, in this order
    for j in range(2):
        for k in range(len(plan.names)):
            theta, variance = by_hand(numbers[j], plan, one.cohort, k)
            # double precision, sums of 40 terms
            assert s.estimate[j, k] == pytest.approx(theta, rel=1e-10, abs=1e-12)
            assert s.variance[j, k] == pytest.approx(variance, rel=1e-10)
            for b in (0, 7, 49):
                theta, variance = by_hand(numbers[j], plan, replays[b].astype(int), k)
                # single precision: 1e-7 of each term; what must hold is the t-statistic
                assert s.replayed[b, j, k] / np.sqrt(s.replayed_variance[b, j, k]) == pytest.approx(
                    theta / np.sqrt(variance), abs=1e-5
                )


def test_blocks_and_regions_are_weighted_by_their_units_and_never_mixed() -> None:
    plan, event_time = event_study(3, leads=0)
    plan = ContrastPlan(plan.names[:1], plan.cohort[:3], plan.after[:3], plan.weights[:1, :3])
    parts = [region(60, 1, late=True), region(30, 2, start=60)]
    y = outcomes(90, 5)
    numbers = np.stack([cell_changes(part, FIRST, plan.cohort, event_time[:3]) for part in y])
    s = replay_statistics(parts, numbers, plan, np.random.default_rng(0), draws=20, precision=np.float64)
    theta = variance = weight = 0.0
    for part in parts:
        for block in np.unique(part.applications.block):
            units = np.flatnonzero(part.applications.block == block)
            cohort = part.cohort[units]
            sizes = np.array([(cohort == h).sum() for h in range(1, 5)])
            if plan.estimable(sizes)[0]:
                own = by_hand(numbers[0][:, part.rows[units]], plan, cohort, 0)
                theta, variance = theta + len(units) * own[0], variance + len(units) ** 2 * own[1]
                weight += len(units)
    assert s.estimate[0, 0] == pytest.approx(theta / weight, rel=1e-10)
    assert s.variance[0, 0] == pytest.approx(variance / weight**2, rel=1e-10)
    assert 1 <= s.blocks[0] <= 3


def test_missing_units_leave_their_outcome_only_and_still_take_part_in_the_draw() -> None:
    one = region(40, 1)
    plan, event_time = event_study(3, leads=0)
    y = outcomes(40, 2)
    y[1, :3] = np.nan
    numbers = np.stack([cell_changes(part, FIRST, plan.cohort, event_time) for part in y])
    s = replay_statistics([one], numbers, plan, np.random.default_rng(3), draws=200)
    alone = replay_statistics([one], numbers[:1], plan, np.random.default_rng(3), draws=200)
    assert s.estimate[0] == pytest.approx(alone.estimate[0])
    theta, _ = by_hand(numbers[1][:, 3:], plan, one.cohort[3:], 0)
    assert s.estimate[1, 0] == pytest.approx(theta, rel=1e-10)


def test_a_replay_equal_to_the_observed_draw_counts_and_p_is_never_zero() -> None:
    one = region(30, 4)
    plan, event_time = event_study(3, leads=0)
    numbers = cell_changes(outcomes(30, 6)[0], FIRST, plan.cohort, event_time)[None]
    same = DrawnRegion(one.applications, one.rule, one.cohort, one.rows)
    s = replay_statistics([same], numbers, plan, np.random.default_rng(1), draws=99)
    again = np.repeat(s.estimate[None], 99, axis=0).astype(np.float32)
    variance = np.repeat(s.variance[None], 99, axis=0).astype(np.float32)
    test = randomization_test(
        ReplayedStatistics(s.names, s.estimate, s.variance, again, variance, s.rejected, s.blocks)
    )
    assert (test.p_value == 1).all()
    huge = ReplayedStatistics(
        s.names, s.estimate + 100, s.variance, s.replayed, s.replayed_variance, s.rejected, s.blocks
    )
    assert randomization_test(huge).p_value == pytest.approx(0.01)


def test_step_down_p_values_equal_the_definition_and_lie_between_single_and_bonferroni_like_bounds() -> None:
    rng = np.random.default_rng(8)
    B, K = 199, 4
    draws = rng.standard_normal((B, 1, K)) @ np.linalg.cholesky(0.5 + 0.5 * np.eye(K)).T
    seen = np.array([[2.6, 0.3, 2.0, -2.2]])
    ones = np.ones((B, 1, K))
    s = ReplayedStatistics(tuple("abcd"), seen, np.ones((1, K)), draws, ones, np.zeros(1), np.ones(K, dtype=int))
    test = randomization_test(s)
    centre = (seen + draws.sum(axis=0)) / (B + 1)
    t, reached = abs(seen - centre)[0], abs(draws - centre)[:, 0]
    order = np.argsort(-t)
    expected, highest = np.empty(K), 0.0
    for place, k in enumerate(order):
        top = reached[:, order[place:]].max(axis=1)
        highest = max(highest, (1 + (top >= t[k]).sum()) / (B + 1))
        expected[k] = highest
    assert test.adjusted[0] == pytest.approx(expected)
    assert (test.adjusted >= test.p_value).all()


def test_a_replay_without_variance_never_makes_p_smaller() -> None:
    seen, draws = np.array([[1.0]]), np.zeros((9, 1, 1))
    s = ReplayedStatistics(
        ("a",), seen, np.ones((1, 1)), draws, np.zeros((9, 1, 1)), np.zeros(1), np.ones(1, dtype=int)
    )
    assert randomization_test(s).p_value.item() == 1.0
    flat = ReplayedStatistics(("a",), seen, np.zeros((1, 1)), draws, draws, np.zeros(1), np.ones(1, dtype=int))
    with pytest.raises(EstimationError, match="1 of 1 contrasts do not vary"):
        randomization_test(flat)


@pytest.mark.parametrize("ramp", [False, True])
def test_the_inverted_interval_equals_testing_value_by_value(ramp: bool) -> None:
    one = region(36, 11)
    plan, event_time = event_study(3, leads=0, overall=True)
    y = outcomes(36, 12)[0]
    T = np.arange(9)
    since = np.clip(T[None] - (FIRST + one.cohort[:, None] - 1) + 1, 0, None)
    D = np.minimum(since / 5, 1.0) if ramp else (since > 0).astype(float)
    y = y + 1.5 * D
    f, d = (cell_changes(part, FIRST, plan.cohort, event_time) for part in (y, D))
    interval = sharp_interval([one], f, d, plan, np.random.default_rng(5), draws=499, level=0.9)

    def p_of(theta: float) -> FloatArray:
        s = replay_statistics([one], (f - theta * d)[None], plan, np.random.default_rng(5), 499, precision=np.float64)
        return randomization_test(s).p_value[0]

    for k in range(len(plan.names)):
        width = interval.high[k] - interval.low[k]
        assert interval.low[k] < interval.estimate[k] < interval.high[k]
        for edge, inside in ((interval.low[k], 1), (interval.high[k], -1)):
            assert p_of(edge + inside * 1e-4 * width)[k] > 0.1
            assert p_of(edge - inside * 1e-4 * width)[k] <= 0.1


def test_inversion_needs_an_exposure_that_differs() -> None:
    one = region(36, 11)
    plan, event_time = event_study(3, leads=0)
    f = cell_changes(outcomes(36, 12)[0], FIRST, plan.cohort, event_time)
    with pytest.raises(EstimationError, match="exposure does not differ"):
        sharp_interval([one], f, np.zeros_like(f), plan, np.random.default_rng(5), 19)


def test_any_estimator_replayed_one_by_one_gives_the_fast_answer() -> None:
    one = region(30, 3)
    plan, event_time = event_study(3, leads=1)
    numbers = cell_changes(outcomes(30, 4)[0], FIRST, plan.cohort, event_time)

    def fit(cohort: IntArray) -> tuple[FloatArray, FloatArray]:
        pairs = [by_hand(numbers, plan, cohort, k) for k in range(len(plan.names))]
        return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])

    slow = randomization_test(replay_estimator(one, fit, np.random.default_rng(2), 60, plan.names))
    fast = randomization_test(replay_statistics([one], numbers[None], plan, np.random.default_rng(2), 60))
    assert np.array_equal(slow.p_value, fast.p_value)
    assert slow.statistic == pytest.approx(fast.statistic, abs=1e-5)  # single-precision centre


def test_replays_that_cannot_be_estimated_are_drawn_again_and_counted() -> None:
    one = region(9, 1)  # one in five replays has a cohort of one practice
    plan, event_time = event_study(3, leads=0)
    numbers = cell_changes(outcomes(9, 3)[0], FIRST, plan.cohort, event_time)[None]
    s = replay_statistics([one], numbers, plan, np.random.default_rng(2), 500)
    assert 0 < s.rejected[0] < 1
    assert np.isfinite(s.replayed).all()
    assert (s.replayed_variance > 0).all()
    share = np.mean(~plan.estimable(_sizes(one, 20_000)).all(axis=1))
    assert s.rejected[0] == pytest.approx(share, abs=5 * np.sqrt(0.25 / 500))  # 5 standard errors


def _sizes(one: DrawnRegion, draws: int) -> IntArray:
    cohorts = one.replay(np.random.default_rng(9), draws)
    return np.stack([(cohorts == h).sum(axis=1) for h in range(1, 5)], axis=1)


def test_an_accident_of_the_draw_and_an_empty_comparison_are_refused() -> None:
    applications = Applications(np.full(8, 1000), np.ones(8), 8000)
    plan = event_study(3, leads=0)[0]
    numbers = np.random.default_rng(1).standard_normal((1, len(plan.cohort), 8))
    impossible = DrawnRegion(applications, RULE, np.array([1, 1, 1, 2, 2, 3, 3, 3]), np.arange(8))
    with pytest.raises(NotIdentifiedError, match="in no block"):
        replay_statistics([impossible], numbers, plan, np.random.default_rng(0), 99)
    first = ContrastPlan(("three against one",), np.array([1]), np.array([3]), np.array([[1.0]]))
    against_rule = DrawnRegion(
        applications,
        DrawRule(Rollover.QUEUE, Misfit.SKIP, "x", date(2023, 1, 1), cap_share=0.125),
        np.array([1] * 4 + [4] * 4),
        np.arange(8),
    )
    with pytest.raises(NotIdentifiedError, match="accident of the draw"):
        replay_statistics([against_rule], numbers[:, :1], first, np.random.default_rng(0), 99)


def test_those_left_over_by_a_capped_last_round_compare_and_the_withdrawn_do_not() -> None:
    rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "x", date(2023, 1, 1), final_round=FinalRound.CAPPED)
    gone = np.array([99] * 19 + [2])
    applications = Applications(np.full(20, 1000), np.ones(20), 24_000, gone)
    cohort = draw_cohorts(applications, rule, np.random.default_rng(4))[0]
    seen = DrawnRegion(applications, rule, cohort, np.arange(20)).observed()[0]
    assert (seen[:19] > 0).all()
    assert ((seen == 4) == ((cohort == 0) & (gone > 3))).all()


def test_free_permutation_keeps_cohort_sizes_inside_blocks() -> None:
    drawn = region(40, 6, late=True)
    free = DrawnRegion(drawn.applications, None, drawn.cohort, drawn.rows)
    for b in np.unique(drawn.applications.block):
        mine = drawn.applications.block == b
        assert (np.sort(free.replay(np.random.default_rng(0), 5)[:, mine], axis=1) == np.sort(drawn.cohort[mine])).all()


def test_p_values_over_readings() -> None:
    one = region(30, 3)
    plan, event_time = event_study(3, leads=0)
    numbers = cell_changes(outcomes(30, 4)[0], FIRST, plan.cohort, event_time)[None]
    tests = []
    for misfit in (Misfit.SKIP, Misfit.CLOSE):
        rule = DrawRule(Rollover.QUEUE, misfit, "x", date(2023, 1, 1))
        other = DrawnRegion(one.applications, rule, one.cohort, one.rows)
        tests.append(randomization_test(replay_statistics([other], numbers, plan, np.random.default_rng(2), 99)))
    assert np.array_equal(largest_p(tests), np.maximum(tests[0].p_value, tests[1].p_value))


def test_contradictory_plans_and_panels_that_are_too_short_are_refused() -> None:
    with pytest.raises(DesignError, match="no later than its own cohort"):
        ContrastPlan(("a",), np.array([2]), np.array([1]), np.array([[1.0]]))
    with pytest.raises(DesignError, match="no cell any weight"):
        ContrastPlan(("a",), np.array([1]), np.array([1]), np.array([[0.0]]))
    with pytest.raises(DesignError, match="weights of that shape"):
        ContrastPlan(("a", "b"), np.array([1]), np.array([1]), np.array([[1.0]]))
    plan, event_time = event_study(3, leads=8)
    with pytest.raises(DesignError, match="fewer leads or lags"):
        cell_changes(outcomes(4, 1)[0], FIRST, plan.cohort, event_time)


def test_the_observed_row_is_what_the_lottery_estimator_reports() -> None:
    one = region(40, 21)
    entry = np.array([9, 10, 11, 12])[one.cohort - 1]
    y = outcomes(40, 22)[0]
    panel = Panel(
        np.arange(40).astype(object), tuple(str(t) for t in range(9)), np.arange(4, 13), {"y": y}, entry=entry
    )
    design = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    cells = [(9, 9), (9, 11), (10, 10)]
    effects = lottery(panel, design, "y", cells=cells)
    cohort, event_time = np.array([1, 1, 2]), np.array([0, 2, 0])
    plan = ContrastPlan(("a", "b", "c"), cohort, cohort + event_time, np.eye(3))
    s = replay_statistics(
        [one], cell_changes(y, FIRST, cohort, event_time)[None], plan, np.random.default_rng(1), draws=9
    )
    # two formulations in double precision
    assert s.estimate[0] == pytest.approx(effects.estimate, rel=1e-10)
    assert np.sqrt(s.variance[0]) == pytest.approx(effects.std_error(), rel=1e-10)
