"""What a capped draw is declared to be, and who took part; nothing here is guessed and nothing is random."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

import numpy as np

from mtvp_eval.arrays import BoolArray, IntArray, distinct, frozen
from mtvp_eval.errors import DesignError

NOT_STARTED = 0
"""Cohort of a unit that did not start in any round of the draw."""


class Rollover(StrEnum):
    """Where a unit that was drawn out stands in the next round."""

    QUEUE = "queue"
    """It keeps its place, ahead of newcomers: one order per unit, sorted by application round."""
    REDRAW = "redraw"
    """A fresh lottery among all who wait: one order per round."""
    CLASS = "class"
    """Those drawn out go first as a class, redrawn inside the class."""
    PERMANENT_NUMBER = "permanent_number"
    """One number kept for ever; newcomers mix in and may overtake."""


class Misfit(StrEnum):
    """What happens at a unit that does not fit in the room left."""

    SKIP = "skip"
    """Pass over it and go on down the order."""
    CLOSE = "close"
    """The first one that does not fit ends the round."""
    ADMIT = "admit"
    """It still starts, and ends the round."""
    NEAREST = "nearest"
    """It starts if the round then ends nearer to the cap than without it; it ends the round either way."""


class Cap(StrEnum):
    """What the cap counts."""

    QUARTER = "quarter"
    """A share of the registered patients in every round."""
    CUMULATIVE = "cumulative"
    """The share times the number of rounds so far, less the patients already started: unused room carries over."""
    PRACTICES = "practices"
    """A share of the units in every round, whatever their size."""


class Oversize(StrEnum):
    """What happens to a unit that is larger than one round's cap."""

    WAITS = "waits"
    """It never starts in a capped round; under `close` it still ends the round when its turn comes."""
    ALONE = "alone"
    """It counts as exactly one round's cap: it fits an untouched round only, and fills it."""
    OUTSIDE = "outside"
    """It starts when it applies and uses none of the cap; it takes no part in the draw."""


class FinalRound(StrEnum):
    """Whether the capped rounds are followed by one in which everybody still waiting starts."""

    OPEN = "open"
    CAPPED = "capped"


@dataclass(frozen=True, slots=True)
class DrawRule:
    """One region's rule of the draw, as a document declares it.

    `rollover` and `misfit` have no default: the two decide the chances of every unit, and a wrong one biases more
    than no correction does. `document` and `declared_on` say where and when the rule was laid down. `oversize` may
    stay undeclared only while no unit exceeds one round's cap. `cap_share` is read to 1/10,000.

    Raises ``DesignError`` when the declaration contradicts itself.

    >>> from datetime import date
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan, p. 4", date(2023, 2, 24))
    >>> rule.cap_share, rule.capped_rounds, rule.open_round
    (0.25, 3, 4)
    """

    rollover: Rollover
    misfit: Misfit
    document: str
    declared_on: date
    cap: Cap = Cap.QUARTER
    cap_share: float = 0.25
    oversize: Oversize | None = None
    capped_rounds: int = 3
    final_round: FinalRound = FinalRound.OPEN

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        wrong = []
        for name, kind in (("rollover", Rollover), ("misfit", Misfit), ("cap", Cap), ("final_round", FinalRound)):
            object.__setattr__(self, name, kind(getattr(self, name)))
        if self.oversize is not None:
            object.__setattr__(self, "oversize", Oversize(self.oversize))
        if not self.document.strip():
            wrong.append("the document that lays the rule down is not named")
        if not 0 < self.cap_share <= 1 or self.share == 0:
            wrong.append("cap_share must lie above 0 and at most at 1")
        if not 1 <= self.capped_rounds <= 100:
            wrong.append("capped_rounds must lie between 1 and 100")
        one_order = self.rollover in (Rollover.QUEUE, Rollover.PERMANENT_NUMBER)
        if one_order and self.misfit is Misfit.CLOSE and self.oversize is Oversize.WAITS:
            wrong.append(
                f"rollover={self.rollover}, misfit=close and oversize=waits contradict each other: a unit larger than "
                "the cap would come first in every round and end it before anybody starts"
            )
        if wrong:
            raise DesignError(
                "The declared draw cannot be carried out: " + "; ".join(wrong) + ". Declare the rule as the document "
                "has it, or ask who wrote it what was meant."
            )

    @property
    def share(self) -> Fraction:
        """The cap's share as an exact fraction, so that no rounding decides who fits."""
        return Fraction(repr(float(self.cap_share))).limit_denominator(10_000)

    @property
    def open_round(self) -> int | None:
        """Number of the open round, or none when the last round is capped."""
        return self.capped_rounds + 1 if self.final_round is FinalRound.OPEN else None

    @property
    def one_order(self) -> bool:
        """Whether one order decides all rounds (otherwise each round has its own)."""
        return self.rollover in (Rollover.QUEUE, Rollover.PERMANENT_NUMBER)


@dataclass(frozen=True, slots=True)
class Applications:
    """Who applied for one region's draw, and when: all that the draw may depend on besides chance.

    A row is one unit of assignment: practices that share a building or an owner are one row with their sizes summed.

    Parameters: `list_size` (n,) registered patients on the reference date; `applied_round` (n,) round of first
    application, 1 = first; `region_total` the number the cap is a share of (registered patients of the whole region,
    applicants or not; with a cap in practices the number of practices); `withdrawn_round` (n,) first round in which
    the unit no longer takes part, `NEVER` if it stayed; `priority` (n,) class that goes first, 0 before 1.

    Raises ``DesignError`` naming everything that is wrong.

    >>> import numpy as np
    >>> a = Applications(np.array([1700, 2493, 3847]), np.array([1, 1, 2]), region_total=30400)
    >>> a.n, a.block.tolist()
    (3, [0, 0, 1])
    """

    list_size: IntArray
    applied_round: IntArray
    region_total: int
    withdrawn_round: IntArray | None = None
    priority: IntArray | None = None

    def __post_init__(self) -> None:
        """Copy to read-only integer arrays and check them against each other."""
        for name in ("list_size", "applied_round", "withdrawn_round", "priority"):
            given = getattr(self, name)
            if given is not None:
                values = np.asarray(given)
                if values.size and not np.all(values == np.floor(values)):
                    raise DesignError(f"{name} must hold whole numbers.")
                object.__setattr__(self, name, frozen(values.astype(np.int64)))
        shape = self.list_size.shape
        rest = (self.applied_round, self.withdrawn_round, self.priority)
        if self.list_size.ndim != 1 or any(x is not None and x.shape != shape for x in rest):
            raise DesignError("List sizes, application rounds, withdrawals and priorities must have one row per unit.")
        wrong = []
        if self.n == 0:
            wrong.append("nobody applied")
        if empty := int((self.list_size < 1).sum()):
            wrong.append(f"applicants without registered patients: {empty}")
        if early := int((self.applied_round < 1).sum()):
            wrong.append(f"applied before the first round: {early}")
        if self.withdrawn_round is not None and (self.withdrawn_round < self.applied_round).any():
            wrong.append(f"withdrew before applying: {int((self.withdrawn_round < self.applied_round).sum())}")
        if self.priority is not None and (self.priority < 0).any():
            wrong.append("priority classes must be 0, 1, 2, …")
        if wrong:
            raise DesignError(f"The application list cannot be drawn from: {'; '.join(wrong)}. Correct the list.")

    @property
    def n(self) -> int:
        """Number of applicants."""
        return len(self.list_size)

    @property
    def block(self) -> IntArray:
        """Block of each applicant (n,): application round x priority class, numbered from 0 in that order.

        Only inside a block are the chances of entry comparable: units that applied later could not start earlier.
        """
        if self.priority is None:
            return distinct(self.applied_round)[1]
        return distinct(self.applied_round * (int(self.priority.max()) + 1) + self.priority)[1]

    def in_pool(self, number: int) -> BoolArray:
        """Tell who has applied and not withdrawn by round `number` (n,), started or not."""
        stays = self.applied_round <= number
        return stays if self.withdrawn_round is None else stays & (number < self.withdrawn_round)


@dataclass(frozen=True, slots=True)
class CappedSizes:
    """List sizes and cap in whole units in which the cap is exact: sizes times the denominator of the share.

    `size` (n,) what each unit counts for; `cap` one round's cap; `oversize` (n,) larger than one round's cap.
    """

    size: IntArray
    cap: int
    oversize: BoolArray


def capped_sizes(applications: Applications, rule: DrawRule) -> CappedSizes:
    """Return sizes and cap on one exact integer scale, after checking that the rule covers these applications.

    Raises ``DesignError`` if the regional total is smaller than what the applicants add up to, if an application lies
    after the last round, or if a unit exceeds the cap and the rule does not say what happens to it.
    """
    size = np.ones(applications.n, dtype=np.int64) if rule.cap is Cap.PRACTICES else applications.list_size
    wrong = []
    if (total := int(size.sum())) > applications.region_total:
        wrong.append(
            f"the applicants add up to {total} and the regional total is {applications.region_total}: they are not "
            "on one reference date, or the total counts something else"
        )
    last = rule.open_round or rule.capped_rounds
    if late := int((applications.applied_round > last).sum()):
        wrong.append(f"applied after the last round ({last}): {late}, leave them out of this draw")
    scaled, cap = size * rule.share.denominator, rule.share.numerator * int(applications.region_total)
    oversize = scaled > cap
    if oversize.any() and rule.oversize is None:
        wrong.append(
            f"applicants larger than one round's cap: {int(oversize.sum())}, and the rule does not say what happens to "
            "them; declare oversize as waits, alone or outside"
        )
    if wrong:
        raise DesignError(f"The declared draw does not fit these applications: {'; '.join(wrong)}.")
    return CappedSizes(scaled, cap, oversize)
