"""A region's declared draw, ready for replay: units of assignment with their sizes and rounds, from linked extracts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import IntArray
from mtvp_eval.clock import NEVER
from mtvp_eval.data.history import History
from mtvp_eval.design.draw import replay_cohorts
from mtvp_eval.design.rules import NOT_STARTED, Applications, Cap, DrawRule
from mtvp_eval.dictionary.schema import Programme
from mtvp_eval.errors import DesignError


@dataclass(frozen=True, slots=True, eq=False)
class RegionDraw:
    """Hold one region's applications by unit of assignment, and where each practice of the region stands in them.

    Parameters
    ----------
    applications : U units; practices that share a building or owner are one unit with their lists summed.
    rule : as declared.
    unit : (N,) unit of each practice of the region; -1 for those that did not apply in a capped round.
    first_round : quarter of round 1 on the clock.
    """

    applications: Applications
    rule: DrawRule
    unit: IntArray
    first_round: int

    def replay(self, rows: IntArray, rng: np.random.Generator, draws: int) -> IntArray:
        """Return replayed rounds (draws, n) of the practices in `rows` (n,), all of which must have applied."""
        cohorts = replay_cohorts(self.applications, self.rule, rng, draws).astype(np.int64)
        if self.rule.open_round is None:  # left over by a capped last round: still waiting after it
            still = self.applications.in_pool(self.rule.capped_rounds)
            cohorts = np.where((cohorts == NOT_STARTED) & still, self.rule.capped_rounds + 1, cohorts)
        return np.asarray(cohorts[:, self.unit[rows]])

    def blocks(self, rows: IntArray) -> IntArray:
        """Return (n,) the block of the practices in `rows`: application round x priority class."""
        return np.asarray(self.applications.block[self.unit[rows]])


def region_draw(story: History, rule: DrawRule, programme: Programme) -> RegionDraw:
    """Return the declared draw of a region; nothing of any outcome, and no result of a round, is used.

    Raises
    ------
    DesignError
        If nobody applied for a capped round, or the rule does not cover the applications.
    """
    first = first_round(story, programme)
    takes_part = story.has_applied & (story.applied < first + rule.capped_rounds)
    if not takes_part.any():
        raise DesignError("No practice applied for a capped round, so there is no lottery to replay.")
    labels, of_unit = np.unique(story.unit[takes_part].astype(str), return_inverse=True)
    where = np.flatnonzero(takes_part)
    unit = np.full(len(story.practice_ids), -1, dtype=np.int64)
    unit[where] = of_unit
    size, applied = np.zeros(len(labels)), np.full(len(labels), NEVER, dtype=np.int64)
    withdrawn = np.zeros(len(labels), dtype=np.int64)
    np.add.at(size, of_unit, story.reference_list[where])
    rounds = np.maximum(story.applied[where] - first + 1, 1)
    np.minimum.at(applied, of_unit, rounds)
    left = np.where(story.withdrawn[where] == NEVER, NEVER, story.withdrawn[where] - first + 1)
    np.maximum.at(withdrawn, of_unit, left)
    withdrawn = np.where(withdrawn == NEVER, NEVER, np.maximum(withdrawn, applied))
    everybody = story.reference_list if programme.cap_base == "registered_patients" else story.reference_list[where]
    total = len(story.practice_ids) if rule.cap is Cap.PRACTICES else round(float(everybody.sum()))
    priority = _classes(story.priority[where].tolist(), of_unit, len(labels))
    applications = Applications(np.rint(size).astype(np.int64), applied, total, withdrawn, priority)
    replay_cohorts(applications, rule, np.random.default_rng(0), 1)  # refuses a rule that does not cover them
    return RegionDraw(applications, rule, unit, first)


def first_round(story: History, programme: Programme) -> int:
    """Return the region's first round, or the programme's where no round is recorded yet."""
    return programme.first_round if story.first_round is None else story.first_round


def _classes(priority: Sequence[object], of_unit: IntArray, units: int) -> IntArray:
    """Number the priority classes in the order of their names; practices without a class go last."""
    names = sorted({str(p) for p in priority if p is not None})
    of_class = np.full(units, len(names), dtype=np.int64)
    for p, u in zip(priority, of_unit.tolist(), strict=True):
        if p is not None:
            of_class[u] = min(of_class[u], names.index(str(p)))
    return of_class
