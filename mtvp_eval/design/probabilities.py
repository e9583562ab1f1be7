"""Chances of entry under the declared draw: exact where the applicants are few, else replayed with its error."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.design.draw import cohorts_from_tickets, replay_cohorts
from mtvp_eval.design.rounds import counted_sizes, sort_by_ticket, standing, walk
from mtvp_eval.design.rules import NOT_STARTED, Applications, Cap, DrawRule, Misfit, Oversize, capped_sizes
from mtvp_eval.errors import DesignError

MOST_ORDERED, MOST_SUBSETS, MOST_FIRST_ROUND = 9, 12, 20
"""Applicants up to which all orders are walked, all sets of starters are followed, and that for round 1 alone."""
_ROUNDING = 1e-12
"""Sums of chances differ from 0 or 1 by this much through rounding; the smallest chance that matters is far larger."""


@dataclass(frozen=True, slots=True)
class EntryProbabilities:
    """Chance of each applicant to start in each round.

    Parameters
    ----------
    probability : (n, R + 2) columns: 0 not started, 1…R the capped rounds, R + 1 the open round; rows add up to one.
    draws : replays behind them; 0 when they are exact.
    """

    probability: FloatArray
    draws: int = 0

    @property
    def std_error(self) -> FloatArray:
        """Monte Carlo error (n, R + 2): sqrt(p (1 - p) / draws), zero when exact."""
        if not self.draws:
            return np.zeros_like(self.probability)
        return np.asarray(np.sqrt(self.probability * (1 - self.probability) / self.draws))

    def compares(self, cohort: int, after: int) -> BoolArray:
        """Tell for whom starting in `cohort` and starting later than round `after` are both possible and not certain.

        Only these applicants (n,) form a randomised comparison of the two. Leftovers of a capped last round, who never
        start, count as later; so do withdrawals, which the caller excludes.

        >>> p = EntryProbabilities(np.array([[0, 0.25, 0.75], [0, 0.0, 1.0]]))
        >>> p.compares(cohort=1, after=1).tolist()
        [True, False]
        """
        later = self.probability[:, after + 1 :].sum(axis=1) + self.probability[:, NOT_STARTED]
        starts = self.probability[:, cohort]
        lowest, highest = _ROUNDING, 1 - _ROUNDING
        return np.asarray((starts > lowest) & (starts < highest) & (later > lowest) & (later < highest))


def entry_probabilities(
    applications: Applications, rule: DrawRule, rng: np.random.Generator, draws: int = 20_000
) -> EntryProbabilities:
    """Return exact chances where they can be had, else replayed ones.

    The Monte Carlo error of 20,000 replays is 0.003 at a chance of one in four.

    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24))
    >>> p = entry_probabilities(Applications(np.full(8, 100), np.ones(8), 800), rule, np.random.default_rng(0))
    >>> p.draws, p.probability[0].tolist()
    (0, [0.0, 0.25, 0.25, 0.25, 0.25])
    """
    if _exact_at(applications.n, rule):
        return exact_probabilities(applications, rule)
    rounds = rule.capped_rounds + 2
    count = np.zeros((applications.n, rounds))
    for first in range(0, draws, 5_000):
        cohorts = replay_cohorts(applications, rule, rng, min(5_000, draws - first))
        count += np.stack([(cohorts == number).sum(axis=0) for number in range(rounds)], axis=1)
    return EntryProbabilities(count / draws, draws)


def _exact_at(n: int, rule: DrawRule) -> bool:
    """Tell whether the chances in all rounds can be computed exactly."""
    return n <= (MOST_SUBSETS if rule.misfit is Misfit.SKIP and not rule.one_order else MOST_ORDERED)


def exact_probabilities(applications: Applications, rule: DrawRule) -> EntryProbabilities:
    """Return the exact chances of all rounds.

    Where one order decides, all n! orders go through the engine (n <= 9). Where each round is drawn anew, the chance of
    every set of applicants that may have started is carried from round to round; inside a round all orders of those who
    wait are walked, or under `skip` the sets that may have started are followed (n <= 12).

    Raises ``DesignError`` for more applicants.

    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Rollover
    >>> rule = DrawRule(Rollover.REDRAW, Misfit.SKIP, "regional plan", date(2023, 2, 24))
    >>> size = np.array([1700, 2493, 3847, 3876, 4077, 4361, 4918, 5128])
    >>> p = exact_probabilities(Applications(size, np.ones(8), 30400), rule).probability
    >>> p[:, 4].round(3).tolist()
    [0.0, 0.0, 0.502, 0.502, 0.502, 0.502, 0.502, 0.527]
    """
    n, rounds = applications.n, rule.capped_rounds + 2
    if not _exact_at(n, rule):
        raise DesignError(
            f"Exact chances of {n} applicants under rollover={rule.rollover}, misfit={rule.misfit} are out of reach; "
            "replay the draw instead (entry_probabilities)."
        )
    if rule.one_order:
        cohorts = cohorts_from_tickets(applications, rule, _all_orders(n)[None])
        return EntryProbabilities(np.stack([(cohorts == number).mean(axis=0) for number in range(rounds)], axis=1))
    probability = np.zeros((n, rounds))
    law = {0: 1.0}
    for number in range(1, rule.capped_rounds + 1):
        following: dict[int, float] = {}
        for started, chance in law.items():
            for starters, share in _round_law(applications, rule, number, started).items():
                following[started | starters] = following.get(started | starters, 0.0) + chance * share
                probability[_members(starters, n), number] += chance * share
        law = following
    return EntryProbabilities(_with_certain_starts(applications, rule, probability))


def first_round_probabilities(applications: Applications, rule: DrawRule) -> FloatArray:
    """Return the exact chances (n,) to start in round 1 under `skip`, for at most 20 applicants.

    Under `skip` room only shrinks, so a unit passed over never fits again in that round, and the next starter is
    uniform among those that still fit: the sum runs over 2^n sets instead of n! orders.

    Raises ``DesignError`` for other readings or more applicants.

    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24))
    >>> size = np.array([1700, 2493, 3847, 3876, 4077, 4361, 4918, 5128])
    >>> first_round_probabilities(Applications(size, np.ones(8), 30400), rule).round(3).tolist()
    [0.583, 0.455, 0.164, 0.164, 0.164, 0.164, 0.164, 0.143]
    """
    takes_part = int((applications.in_pool(1)).sum())
    if rule.misfit is not Misfit.SKIP or takes_part > MOST_FIRST_ROUND:
        raise DesignError(f"Following sets of starters needs misfit=skip and at most {MOST_FIRST_ROUND} applicants.")
    probability = np.zeros((applications.n, rule.capped_rounds + 2))
    for starters, share in _round_law(applications, rule, 1, 0).items():
        probability[_members(starters, applications.n), 1] += share
    return np.asarray(_with_certain_starts(applications, rule, probability)[:, 1])


def _with_certain_starts(applications: Applications, rule: DrawRule, probability: FloatArray) -> FloatArray:
    """Add those outside the cap, the open round and those who never start, so that rows add up to one."""
    full = probability.copy()
    if rule.oversize is Oversize.OUTSIDE:
        oversize = np.flatnonzero(capped_sizes(applications, rule).oversize)
        first = applications.applied_round[oversize]
        starts = np.array(
            [applications.in_pool(number)[i] for i, number in zip(oversize, first, strict=True)], dtype=bool
        )
        full[oversize[starts], first[starts]] = 1.0
    rest = 1 - full.sum(axis=1)
    rest[rest < _ROUNDING] = 0.0
    opened = np.zeros(applications.n, dtype=bool) if rule.open_round is None else applications.in_pool(rule.open_round)
    full[:, -1] += np.where(opened & (full[:, -1] == 0), rest, 0.0)
    full[:, NOT_STARTED] = np.where(opened, 0.0, rest)
    return full


def _round_law(applications: Applications, rule: DrawRule, number: int, started: int) -> dict[int, float]:
    """Return the chance of each set of starters (bits) of one round, given who started before (bits)."""
    sizes = capped_sizes(applications, rule)
    before = np.zeros(applications.n, dtype=bool)
    before[_members(started, applications.n)] = True
    counted = counted_sizes(sizes, rule)
    cap = sizes.cap if rule.cap is not Cap.CUMULATIVE else max(number * sizes.cap - int(counted[before].sum()), 0)
    here = np.flatnonzero(applications.in_pool(number) & ~before & (counted > 0))
    classes = standing(applications, rule, number)[here]
    if len(here) == 0:
        return {0: 1.0}
    if rule.misfit is Misfit.SKIP:
        sets, chances = _sets_of_starters(counted[here].astype(np.int64), cap, classes)
    else:
        bits = 64 - max(1, len(here).bit_length())
        order = sort_by_ticket(_all_orders(len(here)).astype(np.uint64) << np.uint64(bits), classes).astype(np.int64)
        positions = np.ascontiguousarray(counted[here][order].T)
        starts = walk(positions, np.full(len(order), cap, dtype=positions.dtype), rule.misfit)
        sets, times = np.unique((starts.T * (1 << order)).sum(axis=1), return_counts=True)
        chances = times / factorial(len(here))
    place = 1 << here.astype(object)
    return {
        sum(place[_members(int(kept), len(here))].tolist()): float(chance)
        for kept, chance in zip(sets, chances, strict=True)
    }


def _sets_of_starters(size: IntArray, cap: int, classes: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the final sets of starters (bits) of a round with `skip`, and their chances.

    The next starter is uniform among those that fit in the first class in which anybody fits.
    """
    n = len(size)
    chance = np.zeros(2**n)
    chance[0] = 1.0
    bit = 1 << np.arange(n)
    layer = np.zeros(1, dtype=np.int64)
    finals: list[IntArray] = []
    while len(layer):
        inside = (layer[:, None] & bit) != 0
        fits = ~inside & (size <= (cap - inside @ size)[:, None])
        first_class = np.where(fits, classes, n + 1).min(axis=1)
        fits &= classes == first_class[:, None]
        count = fits.sum(axis=1)
        finals.append(layer[count == 0])
        share = chance[layer] / np.maximum(count, 1)
        for i in range(n):
            chance[layer[fits[:, i]] | bit[i]] += share[fits[:, i]]
        layer = np.unique(np.concatenate([layer[fits[:, i]] | bit[i] for i in range(n)]))
    final = np.concatenate(finals)
    return final, chance[final]


def _all_orders(n: int) -> IntArray:
    """Return the lottery numbers of all n! orders (n!, n)."""
    return np.array(list(permutations(range(n))), dtype=np.int64)


def _members(bits: int, n: int) -> NDArray[np.intp]:
    """Return the rows whose bit is set."""
    return np.array([i for i in range(n) if bits >> i & 1], dtype=np.intp)
