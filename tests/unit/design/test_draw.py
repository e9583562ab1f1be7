"""The draw engine against all 40,320 orders of eight practices: the golden table, the identities, the policies."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from mtvp_eval.arrays import BoolArray, IntArray
from mtvp_eval.design.draw import (
    CohortArray,
    cohorts_from_tickets,
    draw_cohorts,
    drawn_order,
    replay_cohorts,
)
from mtvp_eval.design.rules import Applications, Cap, DrawRule, FinalRound, Misfit, Oversize, Rollover
from mtvp_eval.errors import DesignError

SIZE = np.array([1700, 2493, 3847, 3876, 4077, 4361, 4918, 5128])
ALL_APPLY = Applications(SIZE, np.ones(8), region_total=30400)  # cap 7,600
ORDERS = np.array(list(itertools.permutations(range(8))))
TICKETS = np.argsort(ORDERS, axis=1)[None]
RULE = DrawRule(Rollover.QUEUE, Misfit.SKIP, "test", date(2023, 2, 24))


def rule(rollover: str, misfit: str, **kwargs: object) -> DrawRule:
    return DrawRule(Rollover(rollover), Misfit(misfit), "test", date(2023, 2, 24), **kwargs)  # type: ignore[arg-type]


def shares(cohorts: CohortArray, number: int) -> list[float]:
    return np.mean(cohorts == number, axis=0).tolist()


# Design note on the lottery, exact values for the eight practices, printed to three decimals (so half a unit: 5e-4).
GOLDEN_ROUND_1 = {
    "skip": [0.583, 0.455, 0.164, 0.164, 0.164, 0.164, 0.164, 0.143],
    "close": [0.250, 0.232, 0.161, 0.161, 0.161, 0.161, 0.161, 0.143],
    "admit": [0.280, 0.286, 0.310, 0.310, 0.310, 0.310, 0.310, 0.315],
}
GOLDEN_OPEN_QUEUE = {
    "skip": [0, 0, 0.507, 0.507, 0.507, 0.507, 0.507, 0.506],
    "close": [0.452, 0.467, 0.512, 0.512, 0.512, 0.512, 0.512, 0.509],
}
GOLDEN_DISTINCT_QUEUE = {"skip": 250, "close": 1460, "admit": 1980}


@pytest.mark.parametrize("misfit", ["skip", "close", "admit"])
def test_golden_table_of_the_queue_readings(misfit: str) -> None:
    cohorts = cohorts_from_tickets(ALL_APPLY, rule("queue", misfit), TICKETS)
    assert shares(cohorts, 1) == pytest.approx(GOLDEN_ROUND_1[misfit], abs=5.1e-4)
    if misfit in GOLDEN_OPEN_QUEUE:
        assert shares(cohorts, 4) == pytest.approx(GOLDEN_OPEN_QUEUE[misfit], abs=5.1e-4)
    assert len(np.unique(cohorts, axis=0)) == GOLDEN_DISTINCT_QUEUE[misfit]


def one_by_one(order: IntArray, size: IntArray, misfit: str, cap: float) -> list[int]:
    """One round in plain words: the practices that start, walking down the order."""
    used, starts = 0.0, []
    for i in order:
        if used + size[i] <= cap:
            starts.append(int(i))
            used += size[i]
        elif misfit == "skip":
            continue
        else:
            nearer = (used + size[i]) - cap < cap - used
            if (misfit == "admit" and used < cap) or (misfit == "nearest" and nearer):
                starts.append(int(i))
            break
    return starts


def plain_draw(orders: IntArray, size: IntArray, applied: IntArray, reading: DrawRule, total: int) -> list[int]:
    """The whole draw in plain words for one draw; `orders` (rounds, n) or (1, n) as the rule needs."""
    cohort, used = [0] * len(size), 0.0
    quarter = float(reading.share) * total
    for number in range(1, reading.capped_rounds + 1):
        order = orders[0 if reading.one_order else number - 1]
        pool = [i for i in order if applied[i] <= number and cohort[i] == 0]
        if reading.rollover is Rollover.QUEUE:
            pool.sort(key=lambda i: applied[i])
        if reading.rollover is Rollover.CLASS:
            pool.sort(key=lambda i: applied[i] == number)
        cap = number * quarter - used if reading.cap is Cap.CUMULATIVE else quarter
        for i in one_by_one(np.array(pool, dtype=int), size, str(reading.misfit), cap):
            cohort[i] = number
            used += size[i]
    return [c or reading.capped_rounds + 1 for c in cohort]


@pytest.mark.parametrize("cap", [Cap.QUARTER, Cap.CUMULATIVE])
@pytest.mark.parametrize("misfit", list(Misfit))
@pytest.mark.parametrize("rollover", list(Rollover))
def test_engine_equals_the_draw_in_plain_words_with_late_applicants(
    rollover: Rollover, misfit: Misfit, cap: Cap
) -> None:
    rng = np.random.default_rng(7)
    reading = rule(rollover, misfit, cap=cap)
    for _ in range(25):
        n = int(rng.integers(4, 20))
        size = rng.integers(500, 3000, n)
        applied = rng.choice([1, 2, 3], n, p=[0.6, 0.2, 0.2])
        total = int(max(size.sum(), 4 * size.max()) + rng.integers(0, 5))
        tickets = np.array([[rng.permutation(n)] for _ in range(1 if reading.one_order else 3)])
        got = cohorts_from_tickets(Applications(size, applied, total), reading, tickets)[0]
        assert got.tolist() == plain_draw(np.argsort(tickets[:, 0], axis=1), size, applied, reading, total)


def test_queue_skip_is_first_fit_bin_packing_on_all_orders() -> None:
    room = np.full((len(ORDERS), 3), 7600)
    bins = np.full((len(ORDERS), 8), 4)
    for position in range(8):  # each practice goes to the first quarter with room
        unit = ORDERS[:, position]
        fits = SIZE[unit][:, None] <= room
        quarter = np.argmax(fits, axis=1)
        placed = np.flatnonzero(fits.any(axis=1))
        bins[placed, unit[placed]] = quarter[placed] + 1
        room[placed, quarter[placed]] -= SIZE[unit[placed]]
    assert np.array_equal(cohorts_from_tickets(ALL_APPLY, RULE, TICKETS), bins)


def test_queue_close_and_admit_with_a_cumulative_cap_are_one_division_on_all_orders() -> None:
    # Close with a cumulative cap ends where the running sum passes the cap, so the cohort is ceil(C / K) only while
    # no refused practice is overtaken; C / K and (C - s) / K above 3 are the open round.
    cumulative = np.take_along_axis(np.cumsum(SIZE[ORDERS], axis=1), TICKETS[0], axis=1)
    close = cohorts_from_tickets(ALL_APPLY, rule("queue", "close", cap=Cap.CUMULATIVE), TICKETS)
    assert np.array_equal(close, np.minimum(-(-cumulative // 7600), 4))
    admit = cohorts_from_tickets(ALL_APPLY, rule("queue", "admit", cap=Cap.CUMULATIVE), TICKETS)
    assert np.array_equal(admit, np.minimum((cumulative - SIZE) // 7600 + 1, 4))


def test_queue_close_is_next_fit_on_all_orders() -> None:
    bins = np.empty_like(ORDERS)
    number, used = np.ones(len(ORDERS), dtype=int), np.zeros(len(ORDERS), dtype=int)
    for position in range(8):
        size = SIZE[ORDERS[:, position]]
        opens = used + size > 7600
        number, used = number + opens, np.where(opens, size, used + size)
        bins[np.arange(len(ORDERS)), ORDERS[:, position]] = np.minimum(number, 4)
    assert np.array_equal(cohorts_from_tickets(ALL_APPLY, rule("queue", "close"), TICKETS), bins)


def test_skip_is_sequential_uniform_choice_among_those_that_fit() -> None:
    # Probability of each set that starts in round 1, by choosing the next starter uniformly among those that fit.
    law: Counter[frozenset[int]] = Counter()

    def choose(started: frozenset[int], chance: float) -> None:
        room = 7600 - sum(SIZE[i] for i in started)
        fits = [i for i in range(8) if i not in started and SIZE[i] <= room]
        if not fits:
            law[started] += chance
        for i in fits:
            choose(started | {i}, chance / len(fits))

    choose(frozenset(), 1.0)
    first = cohorts_from_tickets(ALL_APPLY, RULE, TICKETS) == 1
    counted = Counter(frozenset(np.flatnonzero(row).tolist()) for row in first)
    assert counted.keys() == law.keys()
    for starters, count in counted.items():
        assert count / 40320 == pytest.approx(law[starters], abs=1e-12)  # sums of at most 40,320 doubles


def law_of(cohorts: CohortArray | IntArray) -> dict[tuple[int, ...], float]:
    rows, counts = np.unique(cohorts, axis=0, return_counts=True)
    return {tuple(row.tolist()): count / len(cohorts) for row, count in zip(rows, counts, strict=True)}


def redraw_law(misfit: str) -> dict[tuple[int, ...], float]:
    """Exact law of redraw: from each set that has started, one round on all orders of those who wait."""
    one_round = rule("queue", misfit, capped_rounds=1)
    law: dict[tuple[int, ...], float] = {(0,) * 8: 1.0}
    for number in (1, 2, 3):
        following: Counter[tuple[int, ...]] = Counter()
        starters: dict[tuple[int, ...], dict[tuple[int, ...], float]] = {}
        for cohort, chance in law.items():
            waiting = tuple(i for i in range(8) if cohort[i] == 0)
            if waiting not in starters:
                tickets = np.array(list(itertools.permutations(range(len(waiting)))))[None]
                here = Applications(SIZE[list(waiting)], np.ones(len(waiting)), 30400)
                starters[waiting] = law_of(cohorts_from_tickets(here, one_round, tickets))
            for outcome, p in starters[waiting].items():
                then = list(cohort)
                for i, c in zip(waiting, outcome, strict=True):
                    then[i] = number if c == 1 else 0
                following[tuple(then)] += chance * p
        law = dict(following)
    return {tuple(c or 4 for c in cohort): p for cohort, p in law.items()}


def total_variation(a: dict[tuple[int, ...], float], b: dict[tuple[int, ...], float]) -> float:
    return sum(abs(a.get(k, 0.0) - b.get(k, 0.0)) for k in a.keys() | b.keys()) / 2


@pytest.mark.parametrize(("misfit", "distance"), [("admit", 0.0), ("close", 0.185), ("skip", 0.024)])
def test_redraw_equals_queue_for_admit_and_not_for_close_and_skip(misfit: str, distance: float) -> None:
    queue = law_of(cohorts_from_tickets(ALL_APPLY, rule("queue", misfit), TICKETS))
    redraw = redraw_law(misfit)
    # admit: equal up to summing doubles; the others are printed in the design note to three decimals.
    tolerance = 1e-10 if misfit == "admit" else 5.1e-4
    assert total_variation(queue, redraw) == pytest.approx(distance, abs=tolerance)
    if misfit == "skip":
        assert redraw.keys() == queue.keys()  # 250 outcomes either way
        opened = [sum(p for c, p in redraw.items() if c[i] == 4) for i in range(8)]
        assert opened[:3] == pytest.approx([0, 0, 0.502], abs=5.1e-4)
        assert opened[7] == pytest.approx(0.527, abs=5.1e-4)
    if misfit == "close":
        opened = [sum(p for c, p in redraw.items() if c[i] == 4) for i in range(8)]
        assert opened == pytest.approx([0.336, 0.366, 0.515, 0.515, 0.515, 0.515, 0.515, 0.553], abs=5.1e-4)
        assert len(redraw) == 1695


def test_admit_makes_the_capped_cohorts_exchangeable_when_rounds_surely_fill() -> None:
    # Cap 5,168: two rounds use at most 2 (5,167 + 5,128) of 30,400 patients, so the third fills whatever the order.
    law = law_of(cohorts_from_tickets(ALL_APPLY, rule("queue", "admit", cap_share=0.17), TICKETS))
    for swap in ({1: 2, 2: 1, 3: 3, 4: 4}, {1: 3, 2: 2, 3: 1, 4: 4}):
        swapped = {tuple(swap[c] for c in cohort): p for cohort, p in law.items()}
        assert total_variation(law, swapped) < 1e-10


def test_queue_close_puts_the_blocker_first_and_the_rest_in_random_order() -> None:
    # After round 1 the blocker leads; given (starters, blocker) all orders of the rest are equally often left.
    cohorts = cohorts_from_tickets(ALL_APPLY, rule("queue", "close"), TICKETS)
    started = (cohorts == 1).sum(axis=1)
    rests: dict[tuple[frozenset[int], int], Counter[tuple[int, ...]]] = {}
    for order, k in zip(ORDERS, started, strict=True):
        key = (frozenset(order[:k].tolist()), int(order[k]))
        rests.setdefault(key, Counter())[tuple(order[k + 1 :].tolist())] += 1
    assert all(len(set(counter.values())) == 1 for counter in rests.values())


@pytest.mark.parametrize("reading", [("queue", "skip"), ("redraw", "close"), ("class", "admit"), ("queue", "nearest")])
def test_equal_lists_give_fixed_cohort_sizes(reading: tuple[str, str]) -> None:
    applications = Applications(np.full(20, 1000), np.ones(20), region_total=20000)
    cohorts = draw_cohorts(applications, rule(*reading), np.random.default_rng(3), draws=400)
    assert all(np.bincount(row, minlength=5).tolist() == [0, 5, 5, 5, 5] for row in cohorts)
    # complete randomisation: every practice is in each cohort a quarter of the time (5 standard errors of 400 draws)
    assert abs(np.mean(cohorts == 1, axis=0) - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 400)


def test_cap_in_practices_ignores_list_sizes() -> None:
    applications = Applications(np.arange(100, 2100, 100), np.ones(20), region_total=30)
    cohorts = draw_cohorts(applications, rule("queue", "skip", cap=Cap.PRACTICES), np.random.default_rng(3), 50)
    assert ((cohorts == 1).sum(axis=1) == 7).all()  # 25 % of 30 is 7.5: seven fit
    admitted = draw_cohorts(applications, rule("queue", "admit", cap=Cap.PRACTICES), np.random.default_rng(3), 50)
    assert ((admitted == 1).sum(axis=1) == 8).all()


def test_the_cap_is_exact_where_floating_point_is_not() -> None:
    # 0.29 * 100 is 28.999999999999996 in doubles; exactly 29 patients fit.
    applications = Applications(np.array([29, 30]), np.ones(2), region_total=100)
    reading = rule("queue", "skip", cap_share=0.29, oversize=Oversize.WAITS)
    assert draw_cohorts(applications, reading, np.random.default_rng(0), 20)[:, 0].tolist() == [1] * 20


def test_closed_form_of_the_first_round() -> None:
    # p_close ~ (K - s_i + m/2) / (S - s_i + m), p_admit ~ (K + m/2) / (S - s_i + m), m = sum s^2 / sum s: the note
    # gives a largest relative error of 0.035 from 30 practices on; 0.06 leaves room for the noise of 40,000 draws.
    rng = np.random.default_rng(11)
    size = np.clip(3800 * np.exp(0.5 * rng.standard_normal(30) - 0.125), 1500, 12000).astype(int)
    applications = Applications(size, np.ones(30), int(size.sum()))
    total, m = size.sum(), (size**2).sum() / size.sum()
    for misfit, predicted in (
        ("close", (total / 4 - size + m / 2) / (total - size + m)),
        ("admit", (total / 4 + m / 2) / (total - size + m)),
    ):
        share = (replay_cohorts(applications, rule("queue", misfit), rng, 40_000) == 1).mean(axis=0)
        assert abs(share / predicted - 1).max() < 0.06


BIG = Applications(np.array([3000, 500, 500, 500, 500, 1000]), np.ones(6), region_total=6000)  # cap 1,500


def test_an_oversize_practice_needs_a_policy() -> None:
    with pytest.raises(DesignError, match="larger than one round's cap: 1"):
        draw_cohorts(BIG, RULE, np.random.default_rng(0))


@pytest.mark.parametrize("misfit", list(Misfit))
def test_a_waiting_oversize_practice_starts_in_the_open_round_only(misfit: Misfit) -> None:
    cohorts = draw_cohorts(BIG, rule("redraw", misfit, oversize=Oversize.WAITS), np.random.default_rng(0), 500)
    assert (cohorts[:, 0] == 4).all()
    blocked = (cohorts != 1).all(axis=1).mean()
    # Under close it blocks the round when drawn first: 1 in 6 (5 standard errors of 500 draws); otherwise never.
    assert blocked == (pytest.approx(1 / 6, abs=0.085) if misfit is Misfit.CLOSE else 0.0)


def test_an_oversize_practice_that_goes_alone_fills_its_round() -> None:
    cohorts = draw_cohorts(BIG, rule("queue", "skip", oversize=Oversize.ALONE), np.random.default_rng(0), 2000)
    first = cohorts[:, 0]
    for number in (1, 2, 3):
        assert ((cohorts[first == number] == number).sum(axis=1) == 1).all()
    assert np.mean(first == 1) == pytest.approx(1 / 6, abs=0.042)  # first in the order; 5 standard errors


def test_an_oversize_practice_outside_the_cap_changes_nothing_for_the_others() -> None:
    tickets = np.array([[[5, 1, 3, 0, 2, 4]]])
    outside = cohorts_from_tickets(BIG, rule("queue", "close", oversize=Oversize.OUTSIDE), tickets)[0]
    others = Applications(BIG.list_size[1:], np.ones(5), region_total=6000)
    assert outside[0] == 1
    assert outside[1:].tolist() == cohorts_from_tickets(others, RULE, tickets[:, :, 1:])[0].tolist()


def test_queue_close_with_a_waiting_oversize_practice_is_refused() -> None:
    for rollover in ("queue", "permanent_number"):
        with pytest.raises(DesignError, match="contradict each other"):
            rule(rollover, "close", oversize=Oversize.WAITS)
    rule("redraw", "close", oversize=Oversize.WAITS)


def test_withdrawn_and_left_over_practices_do_not_start() -> None:
    applications = Applications(np.full(8, 100), np.ones(8), 1000, withdrawn_round=np.array([1, 2] + [99] * 6))
    cohorts = draw_cohorts(applications, rule("queue", "skip"), np.random.default_rng(5), 300)
    assert (cohorts[:, 0] == 0).all()
    assert set(cohorts[:, 1].tolist()) == {0, 1}
    capped = rule("queue", "skip", capped_rounds=2, final_round=FinalRound.CAPPED)
    left = draw_cohorts(applications, capped, np.random.default_rng(5), 300)
    assert ((left[:, 2:] == 0).sum(axis=1) + (left[:, 1] == 0) == 3).all()  # seven take part, two start per round


def test_an_undersubscribed_round_starts_everyone_without_a_lottery() -> None:
    applications = Applications(np.array([100, 200, 300, 400, 500]), np.array([1, 1, 2, 2, 2]), region_total=4000)
    for misfit in Misfit:
        cohorts = draw_cohorts(applications, rule("redraw", misfit), np.random.default_rng(1), 50)
        assert (cohorts[:, :2] == 1).all()


def test_priority_classes_go_first_in_every_round() -> None:
    applications = Applications(np.full(8, 100), np.ones(8), 800, priority=np.array([1, 1, 1, 1, 1, 1, 0, 0]))
    cohorts = draw_cohorts(applications, RULE, np.random.default_rng(1), 50)
    assert (cohorts[:, 6:] == 1).all()
    assert applications.block.tolist() == [1] * 6 + [0] * 2


def test_newcomers_overtake_under_a_permanent_number_and_never_in_a_queue() -> None:
    applications = Applications(np.full(8, 100), np.array([1] * 6 + [2] * 2), 800)
    queue = draw_cohorts(applications, RULE, np.random.default_rng(1), 500)
    assert (queue[:, 6:] == 4).all()  # six wait for 2 + 2 + 2 places before them
    permanent = draw_cohorts(applications, rule("permanent_number", "skip"), np.random.default_rng(1), 500)
    assert (permanent[:, 6:] == 2).any()
    order = drawn_order(applications, RULE, 2, np.array([7, 6, 5, 4, 3, 2, 1, 0]))
    assert order.tolist() == [5, 4, 3, 2, 1, 0, 7, 6]


def test_draws_depend_on_the_seed_only_and_a_longer_queue_replay_extends_a_shorter_one() -> None:
    many = draw_cohorts(ALL_APPLY, RULE, np.random.default_rng(9), 100)
    assert np.array_equal(many, draw_cohorts(ALL_APPLY, RULE, np.random.default_rng(9), 100))
    assert np.array_equal(many[:40], draw_cohorts(ALL_APPLY, RULE, np.random.default_rng(9), 40))
    assert not np.array_equal(many, draw_cohorts(ALL_APPLY, RULE, np.random.default_rng(10), 100))


def test_random_keys_keep_their_chances_beyond_256_applicants() -> None:
    applications = Applications(np.full(600, 100), np.array([1] * 300 + [2] * 300), 60_000)
    cohorts = replay_cohorts(applications, rule("redraw", "skip"), np.random.default_rng(2), 2000)
    share = (cohorts == 1).mean(axis=0)
    assert (share[300:] == 0).all()
    assert (cohorts[:, :300] == 1).sum(axis=1).tolist() == [150] * 2000
    assert abs(share[:300] - 0.5).max() < 5 * 0.5 / np.sqrt(2000)  # 5 standard errors, 300 practices


@pytest.mark.parametrize("total", [30_400, 2_000_000_000])
def test_wide_totals_use_wide_integers(total: int) -> None:
    scale = total // 30_400
    applications = Applications(SIZE * scale, np.ones(8), 30_400 * scale)
    golden = cohorts_from_tickets(ALL_APPLY, RULE, TICKETS[:, :500])
    assert np.array_equal(cohorts_from_tickets(applications, RULE, TICKETS[:, :500]), golden)


def test_wrong_declarations_and_lists_are_refused_together() -> None:
    with pytest.raises(DesignError, match=r"document.*cap_share.*capped_rounds"):
        DrawRule(Rollover.QUEUE, Misfit.SKIP, " ", date(2023, 2, 24), cap_share=1.5, capped_rounds=0)
    with pytest.raises(DesignError, match="without registered patients: 1; applied before the first round: 1"):
        Applications(np.array([100, 0]), np.array([0, 1]), 1000)
    with pytest.raises(DesignError, match="nobody applied"):
        Applications(np.array([], dtype=int), np.array([], dtype=int), 1000)
    with pytest.raises(DesignError, match="withdrew before applying: 1"):
        Applications(np.array([100]), np.array([2]), 1000, withdrawn_round=np.array([1]))
    late = Applications(SIZE, np.array([1] * 7 + [5]), 30_000)
    with pytest.raises(DesignError, match=r"add up to 30400.*after the last round"):
        draw_cohorts(late, RULE, np.random.default_rng(0))
    with pytest.raises(DesignError, match="whole numbers"):
        Applications(np.array([100.5]), np.array([1]), 1000)


def test_tickets_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, draws, 8\)"):
        cohorts_from_tickets(ALL_APPLY, rule("redraw", "skip"), TICKETS)


def test_inputs_are_not_changed_and_stay_read_only() -> None:
    size = SIZE.copy()
    applications = Applications(size, np.ones(8), 30_400)
    draw_cohorts(applications, RULE, np.random.default_rng(0), 3)
    assert np.array_equal(size, SIZE)
    with pytest.raises(ValueError, match="read-only"):
        applications.list_size[0] = 1
    assert replace(RULE, misfit=Misfit.CLOSE).misfit is Misfit.CLOSE
    in_pool: BoolArray = applications.in_pool(1)
    assert in_pool.all()
