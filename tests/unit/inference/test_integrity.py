"""Balance, cohort sizes and identification: honest draws pass, tampered ones do not, and nothing is claimed too far."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from mtvp_eval.design.draw import draw_cohorts
from mtvp_eval.design.probabilities import entry_probabilities
from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
from mtvp_eval.errors import DataError
from mtvp_eval.inference.integrity import (
    IdentifiedBy,
    balance_test,
    cohort_sizes,
    identification_table,
)
from mtvp_eval.inference.replay import DrawnRegion

RULE = DrawRule(Rollover.QUEUE, Misfit.SKIP, "test", date(2023, 2, 24))


def drawn(n: int, seed: int, rule: DrawRule = RULE, late: bool = False, start: int = 0) -> DrawnRegion:
    rng = np.random.default_rng(seed)
    size = rng.integers(1500, 7000, n)
    applied = np.where(np.arange(n) < 0.7 * n, 1, 2) if late else np.ones(n, dtype=int)
    applications = Applications(size, applied, int(size.sum()))
    return DrawnRegion(applications, rule, draw_cohorts(applications, rule, rng)[0], np.arange(start, start + n))


def test_p_values_of_honest_draws_are_uniform_even_for_list_size() -> None:
    rng = np.random.default_rng(1)
    below = np.zeros(3)
    lotteries = 300
    for seed in range(lotteries):
        one = drawn(20, seed, late=True)
        x = np.column_stack([np.log(one.applications.list_size), rng.standard_normal(20)])
        test = balance_test([one], x, ["size", "other"], rng, draws=99)
        below += np.array([*test.p_value, test.joint_p]) <= 0.2
    # A replay p-value with 99 replays is <= .2 in one of five honest draws; 4 standard errors of 300 draws.
    assert below / lotteries == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / lotteries))


def test_the_expected_difference_in_list_size_is_named_and_not_held_against_the_draw() -> None:
    parts = [drawn(16, seed, start=16 * seed) for seed in range(20)]
    size = np.log(np.concatenate([part.applications.list_size for part in parts]).astype(float))
    test = balance_test(parts, size[:, None], ["size"], np.random.default_rng(2), draws=499)
    assert test.expected[0] < -0.1  # skip lets small practices in first
    assert test.p_value[0] > 0.05


def test_a_draw_that_favoured_good_practices_is_caught() -> None:
    one = drawn(60, 5)
    score = np.random.default_rng(3).standard_normal(60)
    ranked = np.empty(60, dtype=int)
    ranked[np.argsort(-score)] = np.sort(one.cohort)
    cheated = DrawnRegion(one.applications, one.rule, ranked, one.rows)
    test = balance_test([cheated], score[:, None], ["score"], np.random.default_rng(4), draws=499)
    assert test.p_value[0] == pytest.approx(1 / 500)
    assert test.difference[0] > 1
    sizes = cohort_sizes(one, np.random.default_rng(4), 499)
    assert [row.round for row in sizes] == [1, 2, 3]
    assert all(row.lottery and row.started_patients <= row.cap and row.p_value > 0.01 for row in sizes)


def test_a_round_that_let_in_too_few_is_unusual() -> None:
    one = drawn(60, 5)
    short = one.cohort.copy()
    short[np.flatnonzero(short == 1)[:9]] = 4
    row = cohort_sizes(DrawnRegion(one.applications, one.rule, short, one.rows), np.random.default_rng(4), 499)[0]
    assert row.p_value == pytest.approx(2 / 500)
    assert row.expected - row.started > 5
    with pytest.raises(DataError, match="none is declared"):
        cohort_sizes(DrawnRegion(one.applications, None, one.cohort, one.rows), np.random.default_rng(4))


def test_identification_ends_where_the_lottery_does() -> None:
    one = drawn(40, 7)
    chances = entry_probabilities(one.applications, RULE, np.random.default_rng(1), 4000)
    rows = identification_table(one, chances, last_event_time=3)
    assert [row.identified_by for row in rows] == [IdentifiedBy.LOTTERY] * 3 + [IdentifiedBy.NOTHING]
    counts = [(one.cohort == h).sum() for h in range(1, 5)]
    assert rows[0].practices == sum(counts[:3])
    assert rows[0].practices_comparing == sum(counts[1:])
    assert rows[2].practices == counts[0]
    assert rows[2].practices_comparing == counts[3]
    assert rows[2].patients_comparing == one.applications.list_size[one.cohort == 4].sum()
    with_others = identification_table(one, chances, last_event_time=3, other_comparisons=5)
    assert with_others[3].identified_by is IdentifiedBy.PARALLEL_TRENDS
    assert with_others[3].practices_comparing == 5


def test_newcomers_in_a_queue_compare_later_only_and_an_undersubscribed_round_is_no_lottery() -> None:
    size = np.full(12, 1000)
    applications = Applications(size, np.array([1] * 3 + [2] * 9), 20_000)  # round 1: three of five places
    one = DrawnRegion(applications, RULE, draw_cohorts(applications, RULE, np.random.default_rng(1))[0], np.arange(12))
    chances = entry_probabilities(applications, RULE, np.random.default_rng(1), 500)
    rows = identification_table(one, chances, last_event_time=1)
    by = {(row.applied_round, row.event_time): row.identified_by for row in rows}
    assert by[1, 0] is IdentifiedBy.PARALLEL_TRENDS  # all three started: nobody of their block waits
    assert by[2, 0] is IdentifiedBy.LOTTERY


def test_balance_refuses_what_it_cannot_use() -> None:
    one = drawn(20, 1)
    with pytest.raises(DataError, match="2 practices of the draw lack one"):
        balance_test([one], np.array([[np.nan]] * 2 + [[1.0]] * 18), ["x"], np.random.default_rng(0))
    with pytest.raises(DataError, match="do not vary inside blocks: x"):
        balance_test([one], np.ones((20, 1)), ["x"], np.random.default_rng(0))
