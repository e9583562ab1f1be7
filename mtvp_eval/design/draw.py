"""The capped draw and its replays: orders of applicants, cut by cumulative size into rounds.

One engine serves a real draw, a replay and the enumeration of all orders: it takes lottery numbers and returns the
round in which each applicant starts. Everything is vectorised over draws; the only loops run over rounds and over
positions in the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import BoolArray, IntArray
from mtvp_eval.design.rules import (
    NOT_STARTED,
    Applications,
    Cap,
    CappedSizes,
    DrawRule,
    Misfit,
    Oversize,
    Rollover,
    capped_sizes,
)

CohortArray = NDArray[np.int8]
_Keys = NDArray[np.uint64]
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
    >>> rule = DrawRule(Rollover.REDRAW, Misfit.ADMIT, "regional plan", date(2023, 2, 24))
    >>> replay_cohorts(Applications(np.full(8, 100), np.ones(8), 800), rule, np.random.default_rng(0), 3).sum(axis=1)
    array([20, 20, 20])
    """
    sizes = capped_sizes(applications, rule)
    cohorts = np.empty((draws, applications.n), dtype=np.int8)
    block = max(_DRAWS_AT_ONCE, _CELLS_AT_ONCE // applications.n)
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
    block = max(_DRAWS_AT_ONCE, _CELLS_AT_ONCE // applications.n)
    for first in range(0, len(cohorts), block):
        _assign(applications, rule, sizes, iter(keys[:, first : first + block]), cohorts[first : first + block])
    return cohorts


def drawn_order(applications: Applications, rule: DrawRule, number: int, ticket: IntArray) -> IntArray:
    """Return all who have not withdrawn by round `number`, in the order in which the round goes through them.

    Parameters: `ticket` (n,) lottery numbers of the round. Returns row numbers of the applicants, those who started
    in an earlier round included (the caller knows them).

    >>> from datetime import date
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24))
    >>> applications = Applications(np.array([30, 20, 40, 10]), np.array([2, 1, 1, 1]), region_total=200)
    >>> drawn_order(applications, rule, 2, np.array([0, 3, 2, 1])).tolist()
    [3, 2, 1, 0]
    """
    order = _order(_in_high_bits(ticket[None]), _standing(applications, rule, number))[0]
    return order[applications.in_pool(number)[order]]


def _random_tickets(rng: np.random.Generator, shape: tuple[int, ...], orders: int) -> Iterator[_Keys]:
    """Yield one array of random 64-bit numbers per order needed; their high bits are used."""
    for _ in range(orders):
        yield rng.integers(2**64 - 1, size=shape, dtype=np.uint64, endpoint=True)


def _standing(applications: Applications, rule: DrawRule, number: int) -> IntArray:
    """Return the class in which each applicant stands in a round (n,): lower classes go before any higher one."""
    if rule.rollover is Rollover.QUEUE:
        standing = applications.applied_round
    elif rule.rollover is Rollover.CLASS:
        standing = (applications.applied_round >= number).astype(np.int64)
    else:
        standing = np.zeros(applications.n, dtype=np.int64)
    if applications.priority is not None:
        standing = standing + applications.priority * (rule.capped_rounds + 2)
    return np.unique(standing, return_inverse=True)[1].astype(np.int64)


def _order(tickets: _Keys, standing: IntArray) -> IntArray:
    """Sort applicants (draws, n) by class, then lottery number: a row-wise sort of class | number | row in 64 bits.

    The numbers keep their high bits, 64 less those of class and row: 51 for 5,000 applicants in one class. Two that
    are equal in these bits (a chance of 5e-5 anywhere in 10,000 such draws) go by row. Overwrites `tickets`.
    """
    n = tickets.shape[1]
    row_bits = max(1, (n - 1).bit_length())
    class_bits = int(standing.max()).bit_length()
    rows = np.uint64(2**row_bits - 1)
    low = np.arange(n, dtype=np.uint64)
    if class_bits:
        tickets >>= np.uint64(class_bits)
        low |= standing.astype(np.uint64) << np.uint64(64 - class_bits)
    tickets &= ~rows
    tickets |= low
    tickets.sort(axis=1)
    tickets &= rows
    return tickets.view(np.int64)


def _in_high_bits(tickets: IntArray) -> _Keys:
    """Shift given lottery numbers to the high bits that `_order` reads."""
    bits = max(1, int(tickets.max(initial=0)).bit_length())
    return tickets.astype(np.uint64) << np.uint64(64 - bits)


def _counted_sizes(sizes: CappedSizes, rule: DrawRule) -> NDArray[Any]:
    """Return what each applicant takes from the cap (n,), 0 for one that the walk passes over; unsigned."""
    blocking = rule.capped_rounds * sizes.cap + 1
    if rule.oversize is Oversize.ALONE:
        oversize = sizes.cap
    elif rule.oversize is Oversize.WAITS and rule.misfit is Misfit.CLOSE:
        oversize = blocking
    else:
        oversize = 0
    counted = np.where(sizes.oversize, oversize, sizes.size)
    widest = 2 * int(counted.sum()) + 2 * blocking
    return counted.astype(np.uint32 if widest < 2**32 else np.uint64)


def _assign(
    applications: Applications, rule: DrawRule, sizes: CappedSizes, tickets: Iterator[_Keys], out: CohortArray
) -> None:
    """Fill `out` (draws, n) with the cohorts that the tickets lead to."""
    draws, n = out.shape
    counted = _counted_sizes(sizes, rule)
    out[:] = NOT_STARTED
    cohorts = out.reshape(-1)
    used = np.zeros(draws, dtype=np.int64)
    for number in range(1, rule.capped_rounds + 1):
        if number == 1 or not rule.one_order:
            order = _order(next(tickets), _standing(applications, rule, number))
            waiting = np.ascontiguousarray(counted[order].T)  # by position in the order: what each would take, or 0
            cell = order
            cell += np.arange(0, draws * n, n)[:, None]
            start = np.ascontiguousarray(cohorts[cell].T)  # by position: the round of start so far
            np.copyto(waiting, 0, where=start != NOT_STARTED)
        pool = applications.in_pool(number)
        here = waiting if pool.all() else waiting * np.tile(pool, draws)[cell].T
        if rule.cap is Cap.CUMULATIVE:
            cap = np.maximum(number * sizes.cap - used, 0).astype(here.dtype)
        else:
            cap = np.full(draws, sizes.cap, dtype=here.dtype)
        starts = _walk(here, cap, rule.misfit)
        used += (here * starts).sum(axis=0, dtype=np.int64) if rule.cap is Cap.CUMULATIVE else 0
        start += starts.view(np.int8) * np.int8(number)
        np.copyto(waiting, 0, where=starts)
        if number == rule.capped_rounds or not rule.one_order:
            cohorts[cell] = start.T
    if rule.oversize is Oversize.OUTSIDE:
        outside = sizes.oversize & (applications.applied_round <= rule.capped_rounds)
        if applications.withdrawn_round is not None:
            outside &= applications.withdrawn_round > applications.applied_round
        out[:, outside] = applications.applied_round[outside]
    if rule.open_round is not None:
        still = out == NOT_STARTED
        still &= applications.in_pool(rule.open_round)
        np.copyto(out, np.int8(rule.open_round), where=still)


def _walk(size: NDArray[Any], cap: NDArray[Any], misfit: Misfit) -> BoolArray:
    """Go down the order and tell who starts (n, draws); `size` (n, draws) in order, 0 = not there; `cap` (draws,)."""
    starts = np.empty(size.shape, dtype=np.bool_)
    if misfit is Misfit.SKIP:
        room, left = cap.copy(), np.empty_like(cap)
        for s, fits in zip(size, starts, strict=True):
            np.less_equal(s, room, out=fits)
            np.subtract(room, s, out=left)  # unsigned: wraps to far above the room where s does not fit
            np.minimum(room, left, out=room)
    else:
        passed = np.zeros_like(cap)  # patients so far, those refused included: nobody after a refusal starts
        for s, fits in zip(size, starts, strict=True):
            if misfit is Misfit.CLOSE:
                passed += s
                np.less_equal(passed, cap, out=fits)
            elif misfit is Misfit.ADMIT:
                np.less(passed, cap, out=fits)
                passed += s
            else:
                np.less(2 * passed + s, 2 * cap, out=fits)
                passed += s
    starts &= size > 0
    return starts
