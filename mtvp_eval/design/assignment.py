"""Units of assignment of a region: practices that share a building or an owner are drawn as one, with lists summed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import IntArray, ObjectArray
from mtvp_eval.clock import NEVER
from mtvp_eval.data.history import History
from mtvp_eval.design.rules import Applications, Cap, DrawRule
from mtvp_eval.dictionary.constraints import missing
from mtvp_eval.errors import DesignError


@dataclass(frozen=True, slots=True, eq=False)
class AssignmentUnits:
    """Hold who applied for the rounds of a draw, by unit of assignment.

    Parameters
    ----------
    applications : one row a unit; a unit applied when its first member did, and withdrew when its last did.
    member : (N,) unit of each practice of the region; -1 for those that took no part.
    late : practices that applied after the last round.
    """

    applications: Applications
    member: IntArray
    late: int

    def earliest(self, value: IntArray) -> IntArray:
        """Return for each unit the smallest value of its members, from values of practices (N,)."""
        inside = self.member >= 0
        return _earliest(self.member[inside], value[inside], self.applications.n)


def assignment_units(story: History, rule: DrawRule, first: int, last: int, *, cap_base: str) -> AssignmentUnits:
    """Return the units that applied for rounds 1 to `last`; round 1 is quarter `first` of the clock.

    The cap is a share of all registered patients of the region, or with `cap_base` other than ``registered_patients``
    of the applicants' patients; under a cap in practices, of the units. Priority classes go in the order of their
    names, units without one last.

    Raises
    ------
    DesignError
        If nobody applied for these rounds, or the applications contradict themselves.
    """
    applied = np.where(story.has_applied, np.maximum(story.applied - first + 1, 1), NEVER)
    takes_part = story.has_applied & (applied <= last)
    here = np.flatnonzero(takes_part)
    if not len(here):
        raise DesignError(
            f"Nobody applied for rounds 1 to {last} of the draw, so there is no lottery to replay. Complete "
            "applications.csv."
        )
    names: dict[object, int] = {}
    row = np.array([names.setdefault(unit, len(names)) for unit in story.unit[here].tolist()], dtype=np.int64)
    n = len(names)
    member = np.full(len(story.practice_ids), -1, dtype=np.int64)
    member[here] = row
    gone = np.where(story.withdrawn == NEVER, NEVER, np.maximum(story.withdrawn - first + 1, 1))[here]
    withdrawn = -_earliest(row, -gone, n)
    everybody = np.ones_like(takes_part) if cap_base == "registered_patients" else takes_part
    if rule.cap is Cap.PRACTICES:
        total = len(set(story.unit[everybody].tolist()))
    else:
        total = int(np.rint(story.reference_list[everybody]).sum())
    classes = story.priority[here]
    applications = Applications(
        np.rint(np.bincount(row, story.reference_list[here], n)).astype(np.int64), _earliest(row, applied[here], n),
        total, np.where(withdrawn > last, NEVER, withdrawn),
        None if missing(classes).all() else _earliest(row, _ranks(classes), n),
    )  # fmt: skip
    return AssignmentUnits(applications, member, int((story.has_applied & ~takes_part).sum()))


def _earliest(row: IntArray, value: IntArray, n: int) -> IntArray:
    found = np.full(n, NEVER, dtype=np.int64)
    np.minimum.at(found, row, value)
    return found


def _ranks(classes: ObjectArray) -> IntArray:
    none = missing(classes)
    names = {name: k for k, name in enumerate(sorted({str(c) for c in classes[~none]}))}
    return np.array([len(names) if gap else names[str(c)] for c, gap in zip(classes, none, strict=True)], np.int64)
