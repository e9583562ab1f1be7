"""What must hold of every capped draw, whatever the rule: order of rows, scale, cap, time."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtvp_eval.design.draw import cohorts_from_tickets
from mtvp_eval.design.record import check_record, round_facts
from mtvp_eval.design.rules import Applications, Cap, DrawRule, FinalRound, Misfit, Oversize, Rollover
from mtvp_eval.errors import DesignError


@st.composite
def draws(draw: st.DrawFn) -> tuple[Applications, DrawRule, np.ndarray]:
    n = draw(st.integers(2, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = rng.integers(1, 60, n) * draw(st.sampled_from([1, 100]))
    applied = rng.integers(1, 4, n)
    withdrawn = np.where(rng.random(n) < 0.2, applied + rng.integers(0, 3, n), 99)
    applications = Applications(size, applied, int(size.sum() * rng.integers(1, 3)), withdrawn, rng.integers(0, 2, n))
    try:
        rule = DrawRule(
            draw(st.sampled_from(Rollover)),
            draw(st.sampled_from(Misfit)),
            "a document",
            date(2023, 2, 24),
            draw(st.sampled_from([Cap.QUARTER, Cap.CUMULATIVE])),
            draw(st.sampled_from([0.25, 0.1, 0.33])),
            draw(st.sampled_from(Oversize)),
            final_round=draw(st.sampled_from(FinalRound)),
        )
    except DesignError:  # queue + close + waiting oversize
        rule = DrawRule(Rollover.REDRAW, Misfit.CLOSE, "a document", date(2023, 2, 24), oversize=Oversize.WAITS)
    orders = 1 if rule.one_order else 3
    tickets = np.array([[rng.permutation(n) for _ in range(3)] for _ in range(orders)])
    return applications, rule, tickets


@settings(max_examples=150, deadline=None)
@given(draws(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_the_unit_of_size_do_not_matter(
    case: tuple[Applications, DrawRule, np.ndarray], seed: int
) -> None:
    a, rule, tickets = case
    cohorts = cohorts_from_tickets(a, rule, tickets)
    mix = np.random.default_rng(seed).permutation(a.n)
    assert a.withdrawn_round is not None
    assert a.priority is not None
    mixed = Applications(
        a.list_size[mix] * 7, a.applied_round[mix], a.region_total * 7, a.withdrawn_round[mix], a.priority[mix]
    )
    assert np.array_equal(cohorts_from_tickets(mixed, rule, tickets[:, :, mix]), cohorts[:, mix])


@settings(max_examples=150, deadline=None)
@given(draws())
def test_nobody_starts_before_applying_or_after_withdrawing_and_caps_hold(
    case: tuple[Applications, DrawRule, np.ndarray],
) -> None:
    a, rule, tickets = case
    cohorts = cohorts_from_tickets(a, rule, tickets)
    assert a.withdrawn_round is not None
    started = cohorts > 0
    assert (~started | (cohorts >= a.applied_round)).all()
    assert (~started | (cohorts < a.withdrawn_round)).all()
    assert cohorts.max() <= (rule.open_round or rule.capped_rounds)
    facts = round_facts(a, rule, cohorts)
    if rule.misfit in (Misfit.SKIP, Misfit.CLOSE) and rule.oversize is not Oversize.ALONE:
        assert (facts.started_patients <= facts.cap + 1e-9).all()
    if rule.oversize is not Oversize.WAITS:
        free = ~facts.lottery
        assert (facts.started[free] == facts.waiting[free]).all()


@settings(max_examples=150, deadline=None)
@given(draws())
def test_every_record_allows_the_reading_that_made_it(case: tuple[Applications, DrawRule, np.ndarray]) -> None:
    a, rule, tickets = case
    for cohort in cohorts_from_tickets(a, rule, tickets):
        check = check_record(a, rule, cohort.astype(np.int64))
        assert check.declared_holds
        assert check.broken == ()
