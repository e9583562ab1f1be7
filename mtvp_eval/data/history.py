"""Each practice's way into the programme, from the tables of applications, rounds and enrolment, one row a practice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray, frozen
from mtvp_eval.clock import NEVER
from mtvp_eval.data.extracts import Extract, Extracts
from mtvp_eval.dictionary.constraints import missing


@dataclass(frozen=True, slots=True)
class History:
    """Say for each of N practices when it applied, was drawn, started, ended and withdrew (clock, NEVER if not).

    `applied` is the first application, `drawn` the first round it was drawn in or that needed no draw, `no_lottery`
    says that this round needed none, `last_round` is the last round it stood in, `withdrawn` belongs to the last
    application. `unit` is the unit of assignment: the
    practice itself where no shared building or owner is given. `announced` is the day its winning (else its last)
    round was made known, NaT if not recorded. `first_round` is the region's first round, None if none is recorded.
    Arrays have shape (N,) in the order of the practices table.
    """

    practice_ids: ObjectArray
    reference_list: FloatArray
    status: ObjectArray
    consent: BoolArray
    unit: ObjectArray
    priority: ObjectArray
    applied: IntArray
    withdrawn: IntArray
    drawn: IntArray
    no_lottery: BoolArray
    last_round: IntArray
    enrolled: IntArray
    ended: IntArray
    announced: NDArray[np.datetime64]
    first_round: int | None

    @property
    def has_applied(self) -> BoolArray:
        """Practices with an application."""
        return self.applied != NEVER

    @property
    def has_round(self) -> BoolArray:
        """Practices that stood in a round."""
        return self.last_round != NEVER

    @property
    def was_drawn(self) -> BoolArray:
        """Practices that were drawn, or stood in a round that needed no draw."""
        return self.drawn != NEVER

    @property
    def has_enrolled(self) -> BoolArray:
        """Practices that started."""
        return self.enrolled != NEVER

    @property
    def has_ended(self) -> BoolArray:
        """Practices that ended their contract."""
        return self.ended != NEVER

    def of(self, extract: Extract) -> IntArray:
        """Return for each row of an extract the position of its practice, -1 if it is none of the region's."""
        return _positions(self.practice_ids, extract.columns["practice_id"])


def history(extracts: Extracts) -> History:
    """Collect each practice's way into the programme from the extracts."""
    practices = extracts.tables["practices"]
    ids = practices.columns["practice_id"]
    n = len(ids)
    applications, rounds, enrolment = (
        extracts.tables[name] for name in ("applications", "lottery_rounds", "enrolment")
    )
    applied, first = _earliest(n, _positions(ids, applications.columns["practice_id"]), applications, "applied_quarter")
    priority = np.full(n, None, dtype=object)
    priority[first >= 0] = applications.columns["priority_class"][first[first >= 0]]
    _, latest = _latest(n, _positions(ids, applications.columns["practice_id"]), applications, "applied_quarter")
    withdrawn = np.full(n, NEVER, dtype=np.int64)
    quarters = applications.columns["withdrawn_quarter"][latest[latest >= 0]]
    withdrawn[latest >= 0] = np.where(np.isnan(quarters), NEVER, np.nan_to_num(quarters)).astype(np.int64)
    at = _positions(ids, rounds.columns["practice_id"])
    free = rounds.columns["no_lottery"] == 1
    won = (rounds.columns["drawn"] == 1) | free
    drawn, winning = _earliest(n, np.where(won, at, -1), rounds, "lottery_round")
    last_round, last = _latest(n, at, rounds, "lottery_round")
    decisive = np.where(winning >= 0, winning, last)
    announced = np.full(n, np.datetime64("NaT", "D"), dtype="datetime64[D]")
    announced[decisive >= 0] = rounds.columns["draw_announced_on"][decisive[decisive >= 0]]
    no_lottery = np.zeros(n, dtype=np.bool_)
    no_lottery[winning >= 0] = free[winning[winning >= 0]]
    started = _positions(ids, enrolment.columns["practice_id"])
    enrolled, _ = _earliest(n, started, enrolment, "enrolled_quarter")
    ended, _ = _earliest(n, started, enrolment, "ended_quarter")
    unit = practices.columns["assignment_unit"]
    return History(
        practice_ids=frozen(ids),
        reference_list=frozen(practices.columns["registered_reference"]),
        status=frozen(practices.columns["kb_status"]),
        consent=frozen(practices.columns["monitoring_consent"] == 1),
        unit=frozen(np.where(missing(unit), ids, unit)),
        priority=frozen(priority),
        applied=frozen(applied),
        withdrawn=frozen(withdrawn),
        drawn=frozen(drawn),
        no_lottery=frozen(no_lottery),
        last_round=frozen(last_round),
        enrolled=frozen(enrolled),
        ended=frozen(ended),
        announced=announced,
        first_round=int(np.nanmin(rounds.columns["lottery_round"])) if rounds.rows else None,
    )


def _positions(known: ObjectArray, wanted: ObjectArray) -> IntArray:
    """Return where each wanted identifier stands first among the known ones, -1 where it does not."""
    import pandas as pd

    first = pd.Series(np.arange(len(known)), index=known)
    first = first[~(first.index.duplicated() | missing(known))]
    return first.index.get_indexer(pd.Index(wanted, dtype=object)).astype(np.int64)


def _earliest(n: int, at: IntArray, extract: Extract, column: str) -> tuple[IntArray, IntArray]:
    """Return for each practice its earliest quarter in `column` (NEVER if none) and the row it stands in (-1)."""
    return _extreme(n, at, extract.columns[column], sign=1)


def _latest(n: int, at: IntArray, extract: Extract, column: str) -> tuple[IntArray, IntArray]:
    return _extreme(n, at, extract.columns[column], sign=-1)


def _extreme(n: int, at: IntArray, quarters: Any, sign: int) -> tuple[IntArray, IntArray]:
    rows = np.flatnonzero((at >= 0) & ~np.isnan(quarters))
    rows = rows[np.argsort(-sign * quarters[rows], kind="stable")]
    found, where = np.full(n, NEVER, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    found[at[rows]] = quarters[rows].astype(np.int64)
    where[at[rows]] = rows
    return found, where
