"""Round by round: each round of a draw is a lottery given all that happened before, whatever applications reacted to.

Where practices applied or withdrew because of an earlier draw, replays of the whole path are not valid: in another draw
they would have done otherwise. The law of one round given its history still is: rounds are tested apart and combined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.design.probabilities import entry_probabilities
from mtvp_eval.design.rules import (
    NOT_STARTED,
    Applications,
    Cap,
    DrawRule,
    FinalRound,
    Rollover,
    capped_sizes,
)
from mtvp_eval.errors import DesignError
from mtvp_eval.inference.contrasts import ContrastPlan
from mtvp_eval.inference.randomization import randomization_test
from mtvp_eval.inference.replay import DrawnRegion, replay_statistics

ONE_ROUND = ContrastPlan(("round",), np.array([1]), np.array([1]), np.array([[1.0]]))
"""Those who won the round less those who lost it."""


@dataclass(frozen=True, slots=True, eq=False)
class RoundTest:
    """One round: winners less losers, recentred, and its p-values given the history before it.

    `p_value` is two-sided; `above` and `below` are the shares of replays at least as high and at most as low. `units`
    are those waiting whose outcome was observed.
    """

    number: int
    units: int
    estimate: float
    std_error: float
    p_value: float
    above: float
    below: float


def round_given_history(
    region: DrawnRegion, number: int, order: IntArray | None = None
) -> tuple[DrawnRegion, IntArray]:
    """Return one round as a draw of its own, given all that happened before; where applications reacted to draws.

    Under queue the places of those drawn out before are part of the history, so the recorded `order` of the round is
    needed; only the newcomers' places are random then. Where room carries over, what earlier rounds left is history
    too, and the round's cap. Returns the round as a region, and the rows of its applicants.

    Raises
    ------
    DesignError
        If the rule is not declared, needs an order that is not given, or keeps one number for ever (after round 1):
        chance then places newcomers among those drawn out by the numbers of these, and a record holds places, not
        numbers. Where room carries over, if a unit is larger than the round's room: the rule for such units speaks of
        another cap.

    Example
    -------
    >>> from datetime import date
    >>> from mtvp_eval.design.rules import DrawRule, Misfit
    >>> rule = DrawRule(Rollover.REDRAW, Misfit.SKIP, "regional plan", date(2023, 2, 24))
    >>> applications = Applications(np.full(8, 100), np.ones(8), 800)
    >>> drawn = DrawnRegion(applications, rule, np.array([1, 1, 2, 2, 3, 3, 4, 4]), np.arange(8))
    >>> second, rows = round_given_history(drawn, 2)
    >>> rows.tolist(), second.cohort.tolist()
    ([2, 3, 4, 5, 6, 7], [1, 1, 2, 2, 2, 2])
    """
    rule, applications = region.rule, region.applications
    if rule is None:
        raise DesignError("A round given its history needs a declared rule: without one nobody knows what it could do.")
    if rule.rollover is Rollover.PERMANENT_NUMBER and number > 1:
        raise DesignError(
            "Where one number is kept for ever, chance places newcomers among those drawn out by the numbers of these, "
            "and the record holds their places only: rounds after the first cannot be replayed given their history. "
            "If applications did not react to draws, say so (draw: reacted: false) and the whole path is replayed."
        )
    waits = applications.in_pool(number) & ((region.cohort == NOT_STARTED) | (region.cohort >= number))
    here = np.flatnonzero(waits)
    priority = np.zeros(applications.n, dtype=np.int64)
    if rule.rollover is not Rollover.REDRAW:
        priority = (applications.applied_round == number).astype(np.int64)
    if rule.rollover is Rollover.QUEUE and number > 1:
        if order is None:
            raise DesignError("Under queue the recorded order of the round is part of its history; give it.")
        losers = [int(row) for row in order if applications.applied_round[row] < number and waits[row]]
        priority[losers] = np.arange(len(losers))
        priority[applications.applied_round == number] = len(losers)
    if applications.priority is not None:
        priority = applications.priority * (priority.max() + 1) + priority
    first = np.ones(len(here), dtype=np.int64)
    total = applications.region_total
    if rule.cap is Cap.CUMULATIVE:
        rule, total = _with_room_left(region, rule, number, here)
    alone = Applications(applications.list_size[here], first, total, None, priority[here])
    cohort = np.where(region.cohort[here] == number, 1, 2)
    rule = replace(rule, capped_rounds=1, final_round=FinalRound.OPEN)
    return DrawnRegion(alone, rule, cohort, region.rows[here]), here


def _with_room_left(region: DrawnRegion, rule: DrawRule, number: int, here: IntArray) -> tuple[DrawRule, int]:
    """Return a rule and a total that give one round exactly the room that rounds 1 to `number` have left.

    The room is a whole number of patients over the denominator of the cap's share; the total is a multiple of that
    number which covers all who wait.
    """
    sizes = capped_sizes(region.applications, rule)  # in patients times the denominator
    started = (region.cohort != NOT_STARTED) & (region.cohort < number)
    room = number * sizes.cap - int(sizes.size[started].sum())
    larger = int((sizes.size[here] > min(room, sizes.cap)).sum())
    if room <= 0 or larger or sizes.oversize[started].any():
        raise DesignError(
            f"In round {number} {larger} waiting units are larger than the room left or than one round's cap, or such "
            "a unit has started before: what happens to it is declared for a cap that does not carry over, so the "
            "round cannot be replayed given its history."
        )
    waiting = int(region.applications.list_size[here].sum())
    times = -(-waiting // room)
    parts = rule.share.denominator * times
    if parts > 10_000:
        raise DesignError(
            f"In round {number} the room left is 1 part in {parts} of what would be a regional total; shares of a cap "
            "are read to 1 in 10,000."
        )
    return replace(rule, cap=Cap.QUARTER, cap_share=1 / parts), room * times


@dataclass(frozen=True, slots=True, eq=False)
class RoundChances:
    """Chance of each applicant to win each round given all that happened before it.

    Parameters
    ----------
    probability : (n, R + 2) columns 1…R the capped rounds, NaN for those who did not wait in a round and where a round
        cannot be replayed; columns 0 and R + 1 are NaN: what follows later depends on how applications react.
    """

    probability: FloatArray

    def compares(self, cohort: int, after: int) -> BoolArray:
        """Tell who (n,) could have won round `cohort` as well as lost it; after it, chance alone compares nobody.

        >>> chances = RoundChances(np.array([[np.nan, 0.25, np.nan], [np.nan, 1.0, np.nan]]))
        >>> chances.compares(1, 1).tolist(), chances.compares(1, 2).tolist()
        ([True, False], [False, False])
        """
        p = self.probability[:, cohort]
        return np.asarray((p > 0) & (p < 1) & (after == cohort))


def round_chances(
    region: DrawnRegion, rng: np.random.Generator, orders: Sequence[IntArray] | None = None
) -> RoundChances:
    """Return the chances of every round given its history; `orders` are those recorded, needed under queue.

    >>> from datetime import date
    >>> from mtvp_eval.design.rules import DrawRule, Misfit
    >>> rule = DrawRule(Rollover.REDRAW, Misfit.SKIP, "regional plan", date(2023, 2, 24), capped_rounds=2)
    >>> drawn = DrawnRegion(Applications(np.full(8, 100), np.ones(8), 800), rule, np.array([1, 1, 2, 2, 3, 3, 3, 3]),
    ...     np.arange(8))
    >>> round_chances(drawn, np.random.default_rng(0)).probability[[0, 7], 1:3].round(3).tolist()
    [[0.25, nan], [0.25, 0.333]]
    """
    rounds = 0 if region.rule is None else region.rule.capped_rounds
    probability = np.full((region.applications.n, rounds + 2), np.nan)
    for number in range(1, rounds + 1):
        try:
            alone, here = round_given_history(region, number, None if orders is None else orders[number - 1])
        except DesignError:
            continue
        if alone.rule is not None and len(here):
            probability[here, number] = entry_probabilities(alone.applications, alone.rule, rng).probability[:, 1]
    return RoundChances(probability)


def round_test(
    region: DrawnRegion, number: int, numbers: FloatArray, rng: np.random.Generator, draws: int,
    order: IntArray | None = None,
) -> RoundTest:  # fmt: skip
    """Test one round given its history: no effect at all in the quarter in which its winners started.

    Parameters
    ----------
    region : the whole draw as it went.
    numbers : (n,) of its applicants, what is compared, such as the change of an outcome since the quarter before.
    order : recorded order of the round; needed under queue from the second round on.

    Raises
    ------
    DesignError
        If the round cannot be replayed given its history.
    NotIdentifiedError
        If no block of the round has two winners and two losers whom chance parted.

    Example
    -------
    >>> from datetime import date
    >>> from mtvp_eval.design.rules import DrawRule, Misfit
    >>> rule = DrawRule(Rollover.REDRAW, Misfit.SKIP, "regional plan", date(2023, 2, 24))
    >>> drawn = DrawnRegion(
    ...     Applications(np.full(8, 100), np.ones(8), 800), rule, np.array([1, 1, 2, 2, 3, 3, 4, 4]), np.arange(8)
    ... )
    >>> test = round_test(drawn, 1, np.array([9.0, 8, 1, 2, 1, 2, 1, 2]), np.random.default_rng(0), 999)
    >>> test.units, bool(test.p_value < 0.06), bool(test.above < 0.06)
    (8, True, True)
    """
    alone, here = round_given_history(region, number, order)
    alone = replace(alone, rows=np.arange(len(here)))
    own = numbers[here]
    seen = replay_statistics([alone], own[None, None], ONE_ROUND, rng, draws, precision=np.float64)
    test = randomization_test(seen)
    observed = seen.estimate[0, 0] / np.sqrt(seen.variance[0, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        replayed = seen.replayed[:, 0, 0] / np.sqrt(seen.replayed_variance[:, 0, 0])
    tie = 1e-9 * max(1.0, abs(observed))
    unknown = ~np.isfinite(replayed)  # a replay without variance reaches everything, so it never makes p smaller
    above = (1 + int(((replayed >= observed - tie) | unknown).sum())) / (draws + 1)
    below = (1 + int(((replayed <= observed + tie) | unknown).sum())) / (draws + 1)
    return RoundTest(
        number, int(np.isfinite(own).sum()), float(test.estimate[0, 0]), float(test.std_error[0, 0]),
        float(test.p_value[0, 0]), above, below,
    )  # fmt: skip


def fisher(tests: Sequence[RoundTest]) -> float:
    r"""Combine the two-sided p-values of rounds: :math:`-2\sum\log p \sim \chi^2_{2R}`.

    Each is valid given the history before it, so the sum is no larger by chance than for independent rounds. It finds
    effects of any sign in any round.

    Source: Fisher (1932), section 21.1.

    >>> tests = [RoundTest(1, 30, 1.0, 1.0, 0.04, 0.02, 0.98), RoundTest(2, 20, 1.0, 1.0, 0.20, 0.10, 0.90)]
    >>> round(fisher(tests), 4)
    0.0466
    """
    from scipy.special import chdtrc

    return float(chdtrc(2 * len(tests), -2 * np.log([test.p_value for test in tests]).sum()))


def stouffer(tests: Sequence[RoundTest]) -> float:
    r"""Combine the tails of rounds, weighted by the root of their units: two-sided, for effects of one sign throughout.

    .. math:: Z = \frac{\sum_r w_r \Phi^{-1}(1 - p_r)}{\sqrt{\sum_r w_r^2}}, \qquad w_r = \sqrt{n_r}

    for each tail; p is twice the smaller. The weights are known before a round is drawn.

    Source: Stouffer et al. (1949), p. 45; weights: Liptak (1958).

    >>> tests = [RoundTest(1, 30, 1.0, 1.0, 0.04, 0.02, 0.98), RoundTest(2, 30, 1.0, 1.0, 0.20, 0.10, 0.90)]
    >>> round(stouffer(tests), 4)
    0.0184
    """
    from scipy.special import ndtr, ndtri

    weight = np.sqrt([test.units for test in tests])
    tails = []
    for p in ([test.above for test in tests], [test.below for test in tests]):
        z = -ndtri(np.minimum(p, 1.0))
        tails.append(float(ndtr(-(weight @ z) / np.sqrt(weight @ weight))))
    return min(1.0, 2 * min(tails))
