"""Check a recorded draw against the rule, without any probability: which readings could have produced it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.design.draw import CohortArray
from mtvp_eval.design.rounds import counted_sizes, standing, walk
from mtvp_eval.design.rules import (
    NOT_STARTED,
    Applications,
    Cap,
    DrawRule,
    Misfit,
    Oversize,
    Rollover,
    capped_sizes,
)
from mtvp_eval.errors import DesignError

Reading = tuple[Rollover, Misfit]
_ROUNDING = 1e-6
"""Caps are fractions of patients with denominators up to 10,000; smaller differences come from floating point."""


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """What each capped round had to go by and what it let in; every array is (draws, R).

    `waiting` units and `waiting_patients` that the round could let in, `cap` in patients (or practices), `started`
    units and `started_patients`, what they `counted` against the cap (an oversize unit that goes alone counts as one
    round's cap), and `lottery`: whether those waiting exceeded the cap, so that chance decided.
    """

    waiting: IntArray
    waiting_patients: IntArray
    cap: FloatArray
    started: IntArray
    started_patients: IntArray
    counted: FloatArray
    lottery: BoolArray


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in a recorded draw that a reader must know: the round it is in, how many units, and what it is."""

    round: int
    units: int
    what: str

    def sentence(self) -> str:
        """Say the finding in one line.

        >>> Finding(2, 1, "started before applying").sentence()
        'round 2: started before applying (1)'
        """
        return f"round {self.round}: {self.what} ({self.units})"


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """What a record shows: facts of its rounds, the readings that could have produced it, and findings.

    `contradiction` says in which round the declared reading fails and what that round let in, None where it is among
    them; `broken` are findings against the rule, `notes` what is merely to be known (rounds without a lottery).
    """

    facts: RoundFacts
    compatible: tuple[Reading, ...]
    contradiction: Finding | None
    broken: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def declared_holds(self) -> bool:
        """Whether the declared reading is among the compatible ones."""
        return self.contradiction is None

    def sentences(self) -> list[str]:
        """Say the result in plain lines."""
        names = ", ".join(f"{rollover} + {misfit}" for rollover, misfit in self.compatible)
        lines = [f"Readings that could have produced this record: {names or 'none'}."]
        said = self.contradiction.sentence() if self.contradiction else ""
        lines.append(
            f"The declared reading is NOT one of them. {said}." if said else "The declared reading is one of them."
        )
        return lines + [finding.sentence() for finding in (*self.broken, *self.notes)]


def round_facts(applications: Applications, rule: DrawRule, cohorts: IntArray | CohortArray) -> RoundFacts:
    """Return what every capped round of every draw had and let in.

    Parameters: `cohorts` (draws, n) as `draw_cohorts` returns them. Under the cumulative cap a round's cap is what the
    earlier rounds of that draw left of it.

    >>> from datetime import date
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24), capped_rounds=2)
    >>> applications = Applications(np.array([30, 20, 40, 10]), np.array([1, 1, 1, 2]), region_total=200)
    >>> facts = round_facts(applications, rule, np.array([[1, 1, 2, 2]]))
    >>> facts.started_patients.tolist(), facts.cap.tolist(), facts.lottery.tolist()
    ([[50, 50]], [[50.0, 50.0]], [[True, False]])
    """
    counts = np.ones(applications.n, dtype=np.int64) if rule.cap is Cap.PRACTICES else applications.list_size
    oversize = capped_sizes(applications, rule).oversize
    quarter = float(rule.share * int(applications.region_total))
    against_cap = _against_cap(applications, rule)
    inside = _takes_part(applications, rule)
    blocks = oversize & (rule.oversize is Oversize.WAITS)  # never starts; under close it still ends rounds
    columns: list[tuple[FloatArray | IntArray, ...]] = []
    used = np.zeros(len(cohorts))
    for number in range(1, rule.capped_rounds + 1):
        earlier = (cohorts != NOT_STARTED) & (cohorts < number)
        there = applications.in_pool(number) & inside & ~earlier
        waiting, starts = there & ~blocks, (cohorts == number) & inside
        cap = np.maximum(number * quarter - used, 0) if rule.cap is Cap.CUMULATIVE else np.full(len(used), quarter)
        counted = np.where(starts, against_cap, 0).sum(axis=1)
        asked = np.where(waiting, against_cap, 0).sum(axis=1)
        decides = (asked > cap + _ROUNDING) | ((there & blocks).any(axis=1) & (rule.misfit is Misfit.CLOSE))
        columns.append(
            (waiting.sum(axis=1), waiting @ counts, cap, starts.sum(axis=1), starts @ counts, counted, decides)
        )
        used = used + counted
    return RoundFacts(*(np.stack(x, axis=1) for x in zip(*columns, strict=True)))


def _takes_part(applications: Applications, rule: DrawRule) -> BoolArray:
    """Tell who takes part in the draw (n,): all but those that the rule puts outside the cap."""
    return ~(capped_sizes(applications, rule).oversize & (rule.oversize is Oversize.OUTSIDE))


def _against_cap(applications: Applications, rule: DrawRule) -> FloatArray:
    """Return what each applicant counts against the cap (n,), in patients or practices; infinite if it must wait."""
    sizes = capped_sizes(applications, rule)
    counts = sizes.size / rule.share.denominator
    if rule.oversize is Oversize.ALONE:
        return np.where(sizes.oversize, sizes.cap / rule.share.denominator, counts)
    return np.where(sizes.oversize & (rule.oversize is Oversize.WAITS), np.inf, counts)


def check_record(
    applications: Applications, rule: DrawRule, cohort: IntArray, orders: Sequence[IntArray] | None = None
) -> RecordCheck:
    """Check a recorded draw against the declared rule and name every reading that could have produced it.

    With used = patients started and cap K, among those who stand alike: `skip` <=> used <= K and no loser fits in
    K - used; `close` <=> used <= K and some loser does not fit; `admit` <=> used >= K and used - largest starter < K;
    `nearest` <=> it closed although, or admitted because, that ended nearer to K. Under queue and class those drawn out
    before stand ahead of newcomers. With the recorded `orders` the walk itself is repeated, and an order must keep what
    the rollover promises (the places of those drawn out).

    Parameters
    ----------
    cohort : (n,) recorded round of start: 1…R, R + 1 the open round, 0 not started.
    orders : for each recorded round the rows of those waiting in drawn order; rounds after the last one given are
        not checked.

    Raises
    ------
    DesignError
        If the rule does not cover the applications or an order names somebody twice.

    Example
    -------
    >>> from datetime import date
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24), capped_rounds=1)
    >>> applications = Applications(np.array([30, 20, 40, 10]), np.ones(4), region_total=200)
    >>> check = check_record(applications, rule, np.array([1, 2, 2, 1]))
    >>> sorted({misfit.value for _, misfit in check.compatible})
    ['close', 'nearest', 'skip']
    """
    capped_sizes(applications, rule)
    rounds = rule.capped_rounds if orders is None else len(orders)
    for order in orders or ():
        if len(np.unique(order)) != len(order):
            raise DesignError("A recorded order names a unit twice; each unit has one place in a round.")
    fails = {
        (rollover, misfit): _fails_in(applications, rule, (rollover, misfit), cohort, rounds, orders)
        for rollover in Rollover
        for misfit in Misfit
    }
    compatible = tuple(reading for reading, number in fails.items() if number is None)
    facts = round_facts(applications, rule, cohort[None])
    broken, notes = _findings(applications, rule, cohort, facts, rounds)
    failed = fails[rule.rollover, rule.misfit]
    contradiction = None if failed is None else _contradiction(applications, rule, cohort, facts, failed)
    return RecordCheck(facts, compatible, contradiction, tuple(broken), tuple(notes))


def _contradiction(
    applications: Applications, rule: DrawRule, cohort: IntArray, facts: RoundFacts, number: int
) -> Finding:
    """Say what the round let in that the declared reading cannot have let in."""
    used, cap = float(facts.counted[0, number - 1]), float(facts.cap[0, number - 1])
    waits = applications.in_pool(number) & ((cohort == NOT_STARTED) | (cohort > number))
    fitted = int((_against_cap(applications, rule)[waits] <= cap - used + _ROUNDING).sum())
    what = f"{rule.rollover} + {rule.misfit} cannot have let in exactly these, {used:g} of {cap:g} filled; drawn out"
    if fitted:
        return Finding(number, fitted, f"{what} although the room left was enough")
    return Finding(number, int(waits.sum()), what)


def _fails_in(
    applications: Applications,
    rule: DrawRule,
    reading: Reading,
    cohort: IntArray,
    rounds: int,
    orders: Sequence[IntArray] | None,
) -> int | None:
    """Return the first recorded round that one reading could not have produced, None where it could all."""
    try:
        rule = replace(rule, rollover=reading[0], misfit=reading[1])
    except DesignError:
        return 1
    sizes = capped_sizes(applications, rule)
    counted = counted_sizes(sizes, rule).astype(np.int64)
    used = 0
    for number in range(1, rounds + 1):
        cap = max(number * sizes.cap - used, 0) if rule.cap is Cap.CUMULATIVE else sizes.cap
        earlier = (cohort != NOT_STARTED) & (cohort < number)
        here = np.flatnonzero(applications.in_pool(number) & ~earlier & (counted > 0))
        starts = cohort[here] == number
        used += int(counted[here][starts].sum())
        classes = standing(applications, rule, number)[here]
        if orders is None:
            if not _could_start(counted[here], starts, classes, cap, rule.misfit):
                return number
        elif not _order_holds(orders, number, here, classes, rule.rollover) or not _walk_matches(
            orders[number - 1], here, counted, cohort == number, cap, rule.misfit
        ):
            return number
    return None


def _could_start(size: IntArray, starts: BoolArray, classes: IntArray, cap: int, misfit: Misfit) -> bool:
    """Tell whether some order, class after class, lets exactly these start in one round."""
    passed, last = 0, 0  # patients started so far; the largest starter of the last class with a starter
    refused: IntArray | None = None  # those refused in the class where the round ended
    for level in np.unique(classes):
        won, lost = size[(classes == level) & starts], size[(classes == level) & ~starts]
        if len(won):
            if refused is not None and len(refused):
                return False
            passed, last = passed + int(won.sum()), int(won.max())
        if misfit is Misfit.SKIP:
            if passed > cap or (lost <= cap - passed).any():
                return False
        elif len(lost) and refused is None:
            refused = lost
        if misfit is Misfit.ADMIT and len(won) and passed - last >= cap:
            return False
    blocked = np.zeros(0, dtype=np.int64) if refused is None else refused
    if misfit is Misfit.SKIP:
        return True
    if misfit is Misfit.CLOSE:
        return passed <= cap and (refused is None or bool((passed + blocked > cap).any()))
    if misfit is Misfit.ADMIT:
        return refused is None or passed >= cap
    closed = passed <= cap and (refused is None or bool((2 * passed + blocked >= 2 * cap).any()))
    return closed or (passed > cap and passed - last <= cap and 2 * passed - last < 2 * cap)


def _order_holds(
    orders: Sequence[IntArray], number: int, here: IntArray, classes: IntArray, rollover: Rollover
) -> bool:
    """Tell whether a recorded order holds everybody who waits and keeps what the rollover promises."""
    order = orders[number - 1]
    if not np.isin(here, order).all():
        return False
    place = {int(row): k for k, row in enumerate(here)}
    waiting = [int(row) for row in order if int(row) in place]
    stands = classes[[place[row] for row in waiting]]
    if (np.diff(stands) < 0).any():
        return False
    if number == 1 or rollover not in (Rollover.QUEUE, Rollover.PERMANENT_NUMBER):
        return True
    before = {int(row): k for k, row in enumerate(orders[number - 2])}
    kept = [before[row] for row in waiting if row in before]
    return kept == sorted(kept)


def _walk_matches(
    order: IntArray, here: IntArray, counted: IntArray, starts: BoolArray, cap: int, misfit: Misfit
) -> bool:
    """Tell whether walking down a recorded order lets in exactly those recorded."""
    waiting = order[np.isin(order, here)]
    size = counted[waiting][:, None].astype(np.uint64)
    return np.array_equal(walk(size, np.array([cap], dtype=np.uint64), misfit)[:, 0], starts[waiting])


def _findings(
    applications: Applications, rule: DrawRule, cohort: IntArray, facts: RoundFacts, rounds: int
) -> tuple[list[Finding], list[Finding]]:
    """Return what breaks the rule, and what is merely to be known."""
    broken, notes = [], []
    gone = np.zeros(applications.n, dtype=bool)
    if applications.withdrawn_round is not None:
        gone = cohort >= applications.withdrawn_round
    size, inside = _against_cap(applications, rule), _takes_part(applications, rule)
    queued = rule.rollover in (Rollover.QUEUE, Rollover.CLASS)
    for number in range(1, rounds + 1):
        starts = cohort == number
        column = number - 1
        used, cap = float(facts.counted[0, column]), float(facts.cap[0, column])
        patients = int(facts.started_patients[0, column])
        last = 0.0 if rule.misfit in (Misfit.SKIP, Misfit.CLOSE) else size[starts & inside].max(initial=0)
        reached = _ROUNDING if rule.misfit is not Misfit.ADMIT else -_ROUNDING  # the last one admitted found room
        if used - last - cap > reached and starts.any():
            broken.append(Finding(number, int(starts.sum()), f"the cap of {cap:g} is broken, {patients} were let in"))
        if must_wait := int((starts & np.isinf(size)).sum()):
            broken.append(Finding(number, must_wait, "larger than one round's cap, so it had to wait, and started"))
        if early := int((starts & (applications.applied_round > number)).sum()):
            broken.append(Finding(number, early, "started before applying"))
        if left := int((starts & gone).sum()):
            broken.append(Finding(number, left, "started after withdrawing"))
        if queued and (jumped := _queue_jumpers(applications, rule, cohort, number, cap - min(used, patients))):
            broken.append(Finding(number, jumped, "started ahead of earlier applicants who fitted"))
        if not facts.lottery[0, column]:
            missing = int(facts.waiting[0, column] - facts.started[0, column])
            notes.append(Finding(number, int(facts.started[0, column]), "undersubscribed: all start, no lottery"))
            if missing:
                broken.append(Finding(number, missing, "undersubscribed, yet some of those waiting did not start"))
    return broken, notes


def _queue_jumpers(applications: Applications, rule: DrawRule, cohort: IntArray, number: int, room: float) -> int:
    """Count starters of a round who stand behind somebody who waited, and would have fitted in their place."""
    stands = standing(applications, rule, number)
    waits = applications.in_pool(number) & ((cohort == NOT_STARTED) | (cohort > number))
    starts = np.flatnonzero((cohort == number) & applications.in_pool(number) & _takes_part(applications, rule))
    size = _against_cap(applications, rule)
    largest = applications.list_size.max()  # in place of the infinite size of one that had to wait and started
    behind = stands[starts][:, None] > stands[waits][None, :]
    fitted = size[waits][None, :] <= room + np.minimum(size, largest)[starts][:, None] + _ROUNDING
    return int((behind & fitted).any(axis=1).sum())
