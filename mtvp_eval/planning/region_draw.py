"""A region's declared draw, ready for replay: units of assignment with their sizes and rounds, from linked extracts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import IntArray
from mtvp_eval.data.history import History
from mtvp_eval.design.assignment import assignment_units
from mtvp_eval.design.draw import replay_cohorts
from mtvp_eval.design.rules import NOT_STARTED, Applications, DrawRule
from mtvp_eval.dictionary.schema import Programme


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
    units = assignment_units(story, rule, first, rule.capped_rounds, cap_base=programme.cap_base)
    replay_cohorts(units.applications, rule, np.random.default_rng(0), 1)  # refuses a rule that does not cover them
    return RegionDraw(units.applications, rule, units.member, first)


def first_round(story: History, programme: Programme) -> int:
    """Return the region's first round, or the programme's where no round is recorded yet."""
    return programme.first_round if story.first_round is None else story.first_round
