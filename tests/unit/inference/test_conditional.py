"""Rounds tested given their history: what is random, exact levels where applications react, and the combinations."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import combine_pvalues

from mtvp_eval.arrays import FloatArray
from mtvp_eval.design.draw import cohorts_from_tickets
from mtvp_eval.design.probabilities import exact_probabilities
from mtvp_eval.design.rules import Applications, Cap, DrawRule, Misfit, Rollover
from mtvp_eval.errors import DesignError, NotIdentifiedError
from mtvp_eval.inference.conditional import (
    RoundTest,
    fisher,
    round_chances,
    round_given_history,
    round_test,
    stouffer,
)
from mtvp_eval.inference.replay import DrawnRegion

REDRAW = DrawRule(Rollover.REDRAW, Misfit.SKIP, "test", date(2023, 2, 24), capped_rounds=2)


def test_a_round_given_its_history_leaves_only_newcomers_random_in_a_queue() -> None:
    applications = Applications(np.full(16, 1000), np.array([1] * 8 + [2] * 8), 24_000)
    rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "x", date(2023, 1, 1), capped_rounds=2)
    cohort = np.array([1] * 6 + [2] * 2 + [2] * 4 + [3] * 4)
    drawn = DrawnRegion(applications, rule, cohort, np.arange(16))
    alone, here = round_given_history(drawn, 2, order=np.array([7, 6, *range(8, 16)]))
    assert here.tolist() == list(range(6, 16))
    replays = alone.replay(np.random.default_rng(1), 400)
    assert (replays[:, :2] == 1).all()  # the two drawn out before go first
    assert ((replays[:, 2:] == 1).sum(axis=1) == 4).all()
    assert len(np.unique(alone.applications.block[2:])) == 1
    redraw = DrawnRegion(
        applications, DrawRule(Rollover.REDRAW, Misfit.SKIP, "x", date(2023, 1, 1)), cohort, np.arange(16)
    )
    assert len(np.unique(round_given_history(redraw, 2)[0].applications.block)) == 1
    with pytest.raises(DesignError, match="recorded order"):
        round_given_history(drawn, 2)
    kept = DrawRule(Rollover.PERMANENT_NUMBER, Misfit.SKIP, "x", date(2023, 1, 1))
    with pytest.raises(DesignError, match="places only"):
        round_given_history(DrawnRegion(applications, kept, cohort, np.arange(16)), 2)
    alone, here = round_given_history(DrawnRegion(applications, kept, cohort, np.arange(16)), 1)
    assert here.tolist() == list(range(8))  # round 1 has no history
    assert len(np.unique(alone.replay(np.random.default_rng(1), 400), axis=0)) == 28  # all pairs of losers among eight
    with pytest.raises(DesignError, match="without one"):
        round_given_history(DrawnRegion(applications, None, cohort, np.arange(16)), 1)


@pytest.mark.parametrize("misfit", [Misfit.SKIP, Misfit.CLOSE])
@pytest.mark.parametrize("cap", [Cap.QUARTER, Cap.CUMULATIVE])
def test_a_round_given_its_history_has_the_law_of_the_whole_draw_given_that_history(cap: Cap, misfit: Misfit) -> None:
    """Redraw: all pairs of orders of 4 first applicants and of 5 in round 2, kept by who started in round 1."""
    size, applied = np.array([7, 5, 4, 3, 6]), np.array([1, 1, 1, 1, 2])
    rule = DrawRule(Rollover.REDRAW, misfit, "x", date(2023, 1, 1), capped_rounds=2, cap_share=0.25, cap=cap)
    applications = Applications(size, applied, 39)  # a cap of 9.75: up to 6.75 carried over after a refusal
    orders = np.array(list(permutations(range(5))))
    first, second = (np.ravel(m) for m in np.meshgrid(np.arange(120), np.arange(120)))
    cohorts = cohorts_from_tickets(applications, rule, np.stack([orders[first], orders[second]]))
    histories = np.unique(cohorts == 1, axis=0)
    assert len(histories) > 3
    for started in histories:
        path = cohorts[((cohorts == 1) == started).all(axis=1)]
        drawn = DrawnRegion(applications, rule, path[0].astype(np.int64), np.arange(5))
        alone, here = round_given_history(drawn, 2)
        chance = exact_probabilities(alone.applications, alone.rule).probability[:, 1]  # type: ignore[arg-type]
        assert chance == pytest.approx((path[:, here] == 2).mean(axis=0), abs=1e-12)  # sums of exact shares
        chances = round_chances(drawn, np.random.default_rng(0))
        assert chances.probability[here, 2] == pytest.approx(chance, abs=1e-12)
        assert chances.compares(2, 2)[here].tolist() == ((chance > 0) & (chance < 1)).tolist()
        assert not chances.compares(1, 2).any()


def test_a_queue_whose_room_carries_over_keeps_its_law_given_the_order_of_those_drawn_out() -> None:
    size, applied = np.array([7, 5, 4, 3, 6, 2]), np.array([1, 1, 1, 1, 2, 2])
    rule = DrawRule(Rollover.QUEUE, Misfit.CLOSE, "x", date(2023, 1, 1), capped_rounds=2, cap=Cap.CUMULATIVE)
    applications = Applications(size, applied, 39)
    tickets = np.array(list(permutations(range(6))))
    cohorts = cohorts_from_tickets(applications, rule, tickets[None])
    standing = np.argsort(tickets[:, :4], axis=1)  # the order of the first applicants: all that history holds
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        path = cohorts[(standing == order).all(axis=1)]
        drawn = DrawnRegion(applications, rule, path[0].astype(np.int64), np.arange(6))
        alone, here = round_given_history(drawn, 2, np.array([*order, 4, 5]))
        chance = exact_probabilities(alone.applications, alone.rule).probability[:, 1]  # type: ignore[arg-type]
        assert chance == pytest.approx((path[:, here] == 2).mean(axis=0), abs=1e-12)


def test_a_carried_cap_is_refused_where_a_unit_exceeds_the_room_left() -> None:
    rule = DrawRule(
        Rollover.REDRAW, Misfit.ADMIT, "x", date(2023, 1, 1), capped_rounds=2, cap=Cap.CUMULATIVE, oversize=None
    )
    applications = Applications(np.array([9, 9, 9, 2, 2]), np.ones(5), 40)  # 18 of 20 start at once, so 2 are left
    drawn = DrawnRegion(applications, rule, np.array([1, 1, 3, 2, 3]), np.arange(5))
    with pytest.raises(DesignError, match="1 waiting units are larger than the room left"):
        round_given_history(drawn, 2)
    with pytest.raises(DesignError, match="larger than the room left"):  # nothing is left
        round_given_history(replace(drawn, cohort=np.array([1, 1, 3, 1, 3])), 2)


def one(p: float, units: int = 20, sign: int = 1) -> RoundTest:
    return RoundTest(1, units, float(sign), 1.0, p, p / 2 if sign > 0 else 1 - p / 2, 1 - p / 2 if sign > 0 else p / 2)


def test_combinations_equal_scipy_and_see_signs_as_they_should() -> None:
    same, mixed = [one(0.04), one(0.2, 45)], [one(0.04), one(0.2, 45, sign=-1)]
    weights = np.sqrt([20, 45])
    assert fisher(same) == pytest.approx(combine_pvalues([0.04, 0.2], method="fisher").pvalue, rel=1e-12)
    expected = combine_pvalues([0.02, 0.1], method="stouffer", weights=weights).pvalue
    assert stouffer(same) == pytest.approx(2 * expected, rel=1e-12)
    assert fisher(mixed) == fisher(same)
    assert stouffer(mixed) > 3 * stouffer(same)  # effects of opposite signs cancel
    assert fisher([one(0.3)]) == pytest.approx(0.3)
    assert stouffer([one(0.3)]) == pytest.approx(0.3)
    assert stouffer([one(1.0)]) == 1.0


def test_the_p_value_of_a_round_is_that_of_all_its_orders() -> None:
    """Six units of unequal size, one round: every order walked in plain words against the replayed share."""
    size = np.array([3, 2, 2, 2, 2, 1])
    rule = DrawRule(Rollover.REDRAW, Misfit.SKIP, "test", date(2023, 2, 24), capped_rounds=1, cap_share=0.5)
    applications = Applications(size, np.ones(6), 12)
    y = np.array([0.3, -1.0, 2.0, 0.5, 1.1, -0.4])
    tickets = np.array(list(permutations(range(6))))[None]
    cohorts = cohorts_from_tickets(applications, rule, tickets)
    estimate, error = np.full(len(cohorts), np.nan), np.full(len(cohorts), np.nan)
    for b, cohort in enumerate(cohorts):
        won, lost = y[cohort == 1], y[cohort == 2]
        if min(len(won), len(lost)) > 1:
            estimate[b] = won.mean() - lost.mean()
            error[b] = np.sqrt(won.var(ddof=1) / len(won) + lost.var(ddof=1) / len(lost))
    seen = np.isfinite(estimate)
    gap = np.abs(estimate[seen] - estimate[seen].mean()) / error[seen]
    first = int(np.flatnonzero(seen)[7])
    observed = abs(estimate[first] - estimate[seen].mean()) / error[first]
    exact = float((gap >= observed * (1 - 1e-9)).mean())
    drawn = DrawnRegion(applications, rule, cohorts[first].astype(np.int64), np.arange(6))
    test = round_test(drawn, 1, y, np.random.default_rng(3), 9_999)
    assert abs(test.p_value - exact) < 4 * np.sqrt(exact * (1 - exact) / 9_999) + 1e-3  # the observed draw counts once
    assert test.estimate == pytest.approx(estimate[first] - estimate[seen].mean(), abs=0.03)


def reacting(rng: np.random.Generator, y: FloatArray) -> list[RoundTest]:
    """Two rounds of 24 equal practices: losers who do well withdraw, and more newcomers come the better winners did."""
    first = Applications(np.full(24, 100), np.ones(24), 2400)
    won = np.sort(rng.permutation(24)[:6])
    cohort = np.full(24, 3)
    cohort[won] = 1
    left = np.zeros(24, dtype=bool)
    if y[won].mean() > y.mean():
        left[(cohort == 3) & (y > 0.5)] = True
    withdrawn = np.where(left, 2, 10**9)
    second = rng.permutation(np.flatnonzero((cohort == 3) & ~left))[:6]
    cohort[second] = 2
    cohort[left] = 0
    drawn = DrawnRegion(replace(first, withdrawn_round=withdrawn), REDRAW, cohort, np.arange(24))
    return [round_test(drawn, number, y, rng, 199) for number in (1, 2)]


@pytest.mark.slow
def test_rounds_keep_their_level_where_withdrawals_react_to_the_draw() -> None:
    """1,500 paths: each round, Fisher and Stouffer reject a true hypothesis 5 % of the time (0.6 points a Monte Carlo
    error), although who stays depends on who won."""
    rng = np.random.default_rng(11)
    y = rng.standard_normal(24)
    p = []
    for _ in range(1_500):
        tests = reacting(rng, y)
        p.append((tests[0].p_value, tests[1].p_value, fisher(tests), stouffer(tests)))
    rejected = (np.array(p) <= 0.05).mean(axis=0)
    assert (np.abs(rejected - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 1_500)).all(), rejected


def test_a_round_without_losers_shows_nothing() -> None:
    drawn = DrawnRegion(Applications(np.full(8, 100), np.ones(8), 3200), REDRAW, np.ones(8, dtype=int), np.arange(8))
    with pytest.raises(NotIdentifiedError):
        round_test(drawn, 1, np.arange(8.0), np.random.default_rng(0), 19)
