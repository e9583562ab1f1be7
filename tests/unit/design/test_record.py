"""A record must be compatible with the reading that made it, on every draw, and with no reading that could not."""

from __future__ import annotations

import itertools
from datetime import date

import numpy as np
import pytest

from mtvp_eval.design.draw import cohorts_from_tickets, draw_cohorts, drawn_order
from mtvp_eval.design.record import check_record, round_facts
from mtvp_eval.design.rules import Applications, Cap, DrawRule, Misfit, Oversize, Rollover
from mtvp_eval.errors import DesignError

SIZE = np.array([1700, 2493, 3847, 3876, 4077, 4361, 4918, 5128])


def rule(rollover: str, misfit: str, **kwargs: object) -> DrawRule:
    return DrawRule(Rollover(rollover), Misfit(misfit), "test", date(2023, 2, 24), **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("cap", [Cap.QUARTER, Cap.CUMULATIVE])
@pytest.mark.parametrize("misfit", list(Misfit))
@pytest.mark.parametrize("rollover", list(Rollover))
def test_the_reading_that_made_a_record_is_always_compatible_with_it(
    rollover: Rollover, misfit: Misfit, cap: Cap
) -> None:
    rng = np.random.default_rng(1)
    reading = rule(rollover, misfit, cap=cap)
    for _ in range(15):
        n = int(rng.integers(5, 25))
        size = rng.integers(1000, 4000, n)
        applications = Applications(size, rng.choice([1, 2, 3], n), int(max(size.sum(), 4 * size.max())))
        cohort = draw_cohorts(applications, reading, rng)[0]
        check = check_record(applications, reading, cohort)
        assert check.declared_holds
        assert check.broken == ()


@pytest.mark.parametrize("misfit", list(Misfit))
def test_a_set_of_starters_is_compatible_exactly_when_some_order_gives_it(misfit: Misfit) -> None:
    # Brute force: all sets of starters of six applicants, in one class and in two, against all orders of them.
    size, applied = np.array([10, 14, 18, 22, 25, 11]), np.array([1, 1, 2, 2, 1, 2])
    tickets = np.argsort(np.array(list(itertools.permutations(range(6)))), axis=1)[None]
    reading = rule("class", misfit, capped_rounds=1, cap_share=0.5)
    in_classes = Applications(size, np.ones(6), 100, priority=applied - 1)
    one_class = Applications(size, np.ones(6), 100)
    for applications in (in_classes, one_class):
        cohorts = cohorts_from_tickets(applications, reading, tickets)
        possible = {tuple(row) for row in (cohorts == 1).tolist()}
        for starts in itertools.product([True, False], repeat=6):
            cohort = np.where(starts, 1, 2)
            check = check_record(applications, reading, cohort)
            assert check.declared_holds == (starts in possible), (misfit, starts)


def test_a_wrong_reading_is_excluded_by_the_record() -> None:
    applications = Applications(SIZE, np.ones(8), 30400)
    cohort = draw_cohorts(applications, rule("queue", "admit"), np.random.default_rng(2))[0]
    check = check_record(applications, rule("queue", "skip"), cohort)
    assert not check.declared_holds
    assert {misfit for _, misfit in check.compatible} <= {Misfit.ADMIT, Misfit.NEAREST}
    assert any("cap of 7600 is broken" in finding.what for finding in check.broken)
    assert "NOT one of them" in " ".join(check.sentences())


def test_recorded_orders_tell_queue_from_redraw() -> None:
    applications = Applications(SIZE, np.ones(8), 30400)
    first = np.array([4, 2, 0, 6, 1, 3, 5, 7])
    for rollover in (Rollover.QUEUE, Rollover.REDRAW):
        reading = rule(rollover, "skip")
        numbers = [first] if reading.one_order else [first, first[::-1], first]
        cohort = cohorts_from_tickets(applications, reading, np.array(numbers)[:, None])[0]
        orders = []
        for number in (1, 2, 3):
            order = drawn_order(applications, reading, number, numbers[0 if reading.one_order else number - 1])
            orders.append(order[(cohort[order] == 0) | (cohort[order] >= number)])
        check = check_record(applications, reading, cohort.astype(np.int64), orders)
        assert check.declared_holds
        assert ((Rollover.QUEUE, Misfit.SKIP) in check.compatible) == (rollover is Rollover.QUEUE)
        assert (Rollover.REDRAW, Misfit.CLOSE) not in check.compatible


def test_findings_name_what_broke_the_rule() -> None:
    applications = Applications(
        np.full(8, 100), np.array([1] * 6 + [2, 2]), 800, withdrawn_round=np.array([2] + [99] * 7)
    )
    reading = rule("queue", "skip")
    jumped = check_record(applications, reading, np.array([4, 1, 1, 3, 3, 4, 2, 2]))
    assert [f.sentence() for f in jumped.broken] == ["round 2: started ahead of earlier applicants who fitted (2)"]
    assert {rollover for rollover, _ in jumped.compatible} == {Rollover.REDRAW, Rollover.PERMANENT_NUMBER}
    early = check_record(applications, reading, np.array([3, 1, 4, 2, 2, 3, 1, 4]))
    assert [(f.round, f.what) for f in early.broken] == [
        (1, "started before applying"),
        (3, "started after withdrawing"),
    ]


def test_an_undersubscribed_round_is_named_and_must_start_everybody() -> None:
    applications = Applications(np.full(6, 100), np.array([1, 1, 2, 2, 2, 2]), 1200)
    check = check_record(applications, rule("queue", "skip"), np.array([1, 1, 2, 2, 2, 3]))
    assert [f.sentence() for f in check.notes] == [
        "round 1: undersubscribed: all start, no lottery (2)",
        "round 3: undersubscribed: all start, no lottery (1)",
    ]
    assert check.broken == ()
    left_out = check_record(applications, rule("queue", "skip"), np.array([1, 2, 2, 2, 3, 3]))
    assert left_out.broken[0].what == "undersubscribed, yet some of those waiting did not start"
    assert left_out.compatible == ()


def test_an_oversize_practice_alone_breaks_no_cap_and_outside_uses_none() -> None:
    big = Applications(np.array([3000, 500, 500, 500, 500, 1000]), np.ones(6), region_total=6000)
    for oversize in (Oversize.ALONE, Oversize.OUTSIDE, Oversize.WAITS):
        for seed in range(20):
            reading = rule("queue", "skip", oversize=oversize)
            cohort = draw_cohorts(big, reading, np.random.default_rng(seed))[0]
            check = check_record(big, reading, cohort)
            assert check.declared_holds
            assert check.broken == ()


def test_facts_of_rounds_add_up_under_a_cumulative_cap() -> None:
    applications = Applications(SIZE, np.ones(8), 30400)
    cohorts = draw_cohorts(applications, rule("queue", "close", cap=Cap.CUMULATIVE), np.random.default_rng(2), 50)
    facts = round_facts(applications, rule("queue", "close", cap=Cap.CUMULATIVE), cohorts)
    assert (facts.started_patients <= facts.cap).all()
    assert facts.cap[:, 2] == pytest.approx(3 * 7600 - facts.started_patients[:, :2].sum(axis=1))
    assert (facts.waiting[:, 1] == 8 - facts.started[:, 0]).all()


def test_an_order_with_a_unit_twice_is_refused() -> None:
    applications = Applications(np.full(4, 100), np.ones(4), 400)
    with pytest.raises(DesignError, match="twice"):
        check_record(applications, rule("queue", "skip"), np.array([1, 2, 3, 4]), [np.array([0, 0, 1, 2])])


def test_an_oversize_practice_that_had_to_wait_and_started_is_named() -> None:
    big = Applications(np.array([3000, 500, 500, 500, 500, 1000]), np.ones(6), region_total=6000)
    check = check_record(big, rule("queue", "skip", oversize=Oversize.WAITS), np.array([1, 2, 2, 2, 3, 3]))
    assert [(f.round, f.units, f.what) for f in check.broken[:2]] == [
        (1, 1, "the cap of 1500 is broken, 3000 were let in"),
        (1, 1, "larger than one round's cap, so it had to wait, and started"),
    ]
