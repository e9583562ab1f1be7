"""The capped draw and its replays: orders of applicants, cut by cumulative size into rounds.

One engine serves a real draw, a replay and the enumeration of all orders: it takes lottery numbers and returns the
round in which each applicant starts. Everything is vectorised over draws; the only loops run over rounds and over
positions in the order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import IntArray, keep_freed_memory
from mtvp_eval.design.rounds import Keys, counted_sizes, put_back, sort_by_ticket, standing, walk
from mtvp_eval.design.rules import NOT_STARTED, Applications, Cap, CappedSizes, DrawRule, Oversize, capped_sizes

CohortArray = NDArray[np.int8]
_CELLS_AT_ONCE, _DRAWS_AT_ONCE = 2**17, 512
"""Draws x applicants worked on at once: a block this small stays in the cache, of at least so many draws, which keeps
the number of array operations down. Part of what a seed means under redraw: changing them changes its draws."""


def draw_cohorts(applications: Applications, rule: DrawRule, rng: np.random.Generator, draws: int = 1) -> IntArray:
    """Draw by the declared rule, `draws` times, and return who starts when.

    Every applicant has an equal chance of each place in a random order; the cap, not the chance, counts patients.

    Returns cohorts (draws, n): 1…R the capped round of start, R + 1 the open round, 0 (`NOT_STARTED`) for those who
    withdrew in time or were left over when the last round is capped. Where a round is undersubscribed all who wait
    start in it, without a lottery.

    Raises ``DesignError`` if the rule does not cover these applications.
    Source: the rule as declared (`DrawRule.document`).

    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Misfit, Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24))
    >>> size = np.array([1700, 2493, 3847, 3876, 4077, 4361, 4918, 5128])
    >>> applications = Applications(size, np.ones(8), region_total=30400)
    >>> cohorts = draw_cohorts(applications, rule, np.random.default_rng(1), draws=500)
    >>> cohorts.shape, int(cohorts.min()), int(cohorts.max())
    ((500, 8), 1, 4)
    >>> bool(((cohorts == 1) @ size <= 7600).all())
    True
    """
    return replay_cohorts(applications, rule, rng, draws).astype(np.int64)


def replay_cohorts(applications: Applications, rule: DrawRule, rng: np.random.Generator, draws: int) -> CohortArray:
    """Return the same as `draw_cohorts` with one byte per cohort, for replays by the ten thousand.

    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Misfit, Rollover
    >>> rule = DrawRule(Rollover.REDRAW, Misfit.ADMIT, "regional plan", date(2023, 2, 24))
    >>> replay_cohorts(Applications(np.full(8, 100), np.ones(8), 800), rule, np.random.default_rng(0), 3).sum(axis=1)
    array([20, 20, 20])
    """
    sizes = capped_sizes(applications, rule)
    keep_freed_memory()
    cohorts = np.empty((draws, applications.n), dtype=np.int8)
    block = _draws_at_once(applications.n, rule)
    for first in range(0, draws, block):
        out = cohorts[first : first + block]
        tickets = _random_tickets(rng, out.shape, 1 if rule.one_order else rule.capped_rounds)
        _assign(applications, rule, sizes, tickets, out)
    return cohorts


def cohorts_from_tickets(applications: Applications, rule: DrawRule, tickets: IntArray) -> CohortArray:
    """Return who starts when under given lottery numbers instead of random ones.

    Parameters: `tickets` (orders, draws, n) lottery numbers from 0 up, lower goes first, different within a row;
    `orders` is 1 where one order decides all rounds (queue, permanent number) and the number of capped rounds where
    each round is drawn anew (redraw, class).

    Returns cohorts (draws, n) as `draw_cohorts` does. Raises ``ValueError`` for another number of orders.

    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Misfit, Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.CLOSE, "regional plan", date(2023, 2, 24), capped_rounds=2)
    >>> applications = Applications(np.array([30, 20, 40, 10]), np.ones(4), region_total=200)
    >>> cohorts_from_tickets(applications, rule, np.array([[[0, 1, 2, 3]]]))
    array([[1, 1, 2, 2]], dtype=int8)
    """
    orders = 1 if rule.one_order else rule.capped_rounds
    if tickets.ndim != 3 or tickets.shape[0] != orders or tickets.shape[2] != applications.n:
        raise ValueError(f"tickets must have shape ({orders}, draws, {applications.n})")
    sizes, keys = capped_sizes(applications, rule), _in_high_bits(tickets)
    cohorts = np.empty(tickets.shape[1:], dtype=np.int8)
    block = _draws_at_once(applications.n, rule)
    for first in range(0, len(cohorts), block):
        _assign(applications, rule, sizes, iter(keys[:, first : first + block]), cohorts[first : first + block])
    return cohorts


def drawn_order(applications: Applications, rule: DrawRule, number: int, ticket: IntArray) -> IntArray:
    """Return all who have not withdrawn by round `number`, in the order in which the round goes through them.

    Parameters: `ticket` (n,) lottery numbers of the round. Returns row numbers of the applicants, those who started
    in an earlier round included (the caller knows them).

    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Misfit, Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24))
    >>> applications = Applications(np.array([30, 20, 40, 10]), np.array([2, 1, 1, 1]), region_total=200)
    >>> drawn_order(applications, rule, 2, np.array([0, 3, 2, 1])).tolist()
    [3, 2, 1, 0]
    """
    order = sort_by_ticket(_in_high_bits(ticket[None]), standing(applications, rule, number))[0]
    return order[applications.in_pool(number)[order]].astype(np.int64)


def _draws_at_once(n: int, rule: DrawRule) -> int:
    """Return how many draws of n applicants are worked on at once; one order can do with larger blocks."""
    return max(_DRAWS_AT_ONCE, (2 if rule.one_order else 1) * _CELLS_AT_ONCE // n)


def _random_tickets(rng: np.random.Generator, shape: tuple[int, ...], orders: int) -> Iterator[Keys]:
    """Yield one array of random 64-bit numbers per order needed; their high bits are used."""
    for _ in range(orders):
        yield rng.integers(2**64 - 1, size=shape, dtype=np.uint64, endpoint=True)


def _in_high_bits(tickets: IntArray) -> Keys:
    """Shift given lottery numbers to the high bits that `sort_by_ticket` reads."""
    bits = max(1, int(tickets.max(initial=0)).bit_length())
    return tickets.astype(np.uint64) << np.uint64(64 - bits)


def _assign(
    applications: Applications, rule: DrawRule, sizes: CappedSizes, tickets: Iterator[Keys], out: CohortArray
) -> None:
    """Fill `out` (draws, n) with the cohorts that the tickets lead to."""
    draws, n = out.shape
    counted = counted_sizes(sizes, rule)
    out[:] = NOT_STARTED
    used = np.zeros(draws, dtype=np.int64)
    for number in range(1, rule.capped_rounds + 1):
        if number == 1 or not rule.one_order:
            order = sort_by_ticket(next(tickets), standing(applications, rule, number))
            rows = order.astype(np.intp)
            if number == 1:
                takes = counted.take(rows, mode="clip")  # all rows exist: spares a check of each
            else:
                left = counted * (out == NOT_STARTED)
                rows += np.arange(0, draws * n, n)[:, None]
                takes = left.reshape(-1).take(rows, mode="clip")
            waiting = np.ascontiguousarray(takes.T)  # by position in the order: what each would take, or 0
            start = np.full((n, draws), NOT_STARTED, dtype=np.int8)
        else:
            waiting *= start == NOT_STARTED  # a product takes a tenth of a masked copy: no branch a cell
        pool = applications.in_pool(number)
        here = waiting if pool.all() else waiting * np.ascontiguousarray(pool[order].T)
        if rule.cap is Cap.CUMULATIVE:
            cap = np.maximum(number * sizes.cap - used, 0).astype(here.dtype)
        else:
            cap = np.full(draws, sizes.cap, dtype=here.dtype)
        starts = walk(here, cap, rule.misfit)
        used += (here * starts).sum(axis=0, dtype=np.int64) if rule.cap is Cap.CUMULATIVE else 0
        start += starts.view(np.int8) * np.int8(number)
        if number == rule.capped_rounds or not rule.one_order:
            out += put_back(order, start)
    if rule.oversize is Oversize.OUTSIDE:
        outside = sizes.oversize & (applications.applied_round <= rule.capped_rounds)
        if applications.withdrawn_round is not None:
            outside &= applications.withdrawn_round > applications.applied_round
        out[:, outside] = applications.applied_round[outside]
    if rule.open_round is not None:
        still = out == NOT_STARTED
        still &= applications.in_pool(rule.open_round)
        out += still.view(np.int8) * np.int8(rule.open_round - NOT_STARTED)
