"""StaggeredDesign: who enrolled when, as observed, and who can be compared with whom (no draw is claimed)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import Protocol

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray, as_labels, distinct, frozen, repeats
from mtvp_eval.clock import NEVER
from mtvp_eval.errors import DesignError

Cell = tuple[int, int]
"""Cohort and period, both on the integer clock."""


class Comparison(StrEnum):
    """Which units stand in for what would have happened without enrolment."""

    NOT_YET_ENROLLED = "not_yet_enrolled"
    NEVER_ENROLLED = "never_enrolled"


class BasePeriod(StrEnum):
    """From which period a lead is measured: the one before it, or the last one before enrolment."""

    VARYING = "varying"
    UNIVERSAL = "universal"


class EntryRecord(Protocol):
    """What a design reads from a panel: never an outcome."""

    @property
    def unit_ids(self) -> ObjectArray: ...  # noqa: D102
    @property
    def clock(self) -> IntArray: ...  # noqa: D102
    @property
    def entry(self) -> IntArray | None: ...  # noqa: D102
    @property
    def weight(self) -> FloatArray: ...  # noqa: D102


class Design(Protocol):
    """What an estimand is made from: cells, their sizes, and time; a staggered design or a lottery."""

    @property
    def clock(self) -> IntArray: ...  # noqa: D102
    @property
    def anticipation(self) -> int: ...  # noqa: D102
    @property
    def last_period(self) -> int: ...  # noqa: D102
    def identified_cells(self, base: BasePeriod = ...) -> tuple[Cell, ...]: ...  # noqa: D102
    def cell_size(self, cells: Sequence[Cell], *, by_size: bool) -> FloatArray: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class EstimabilityRow:
    """One cohort in one period: how many compare, and what identifies the effect (or why nothing does)."""

    cohort: int
    period: int
    event_time: int
    practices: int
    patients: float
    practices_comparing: int
    patients_comparing: float
    identified_by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class StaggeredDesign:
    """Hold the cohorts of n units over T periods and say which effects they can show.

    Parameters
    ----------
    unit_ids : (n,) identifiers, unique.
    entry : (n,) first enrolled period on the clock, ``clock.NEVER`` if none; an entry after the window counts as none.
    clock : (T,) strictly increasing integer time.
    comparison : units not yet enrolled (default), or never enrolled only.
    anticipation : periods before entry in which an effect may already show, >= 0.
    size : (n,) list size frozen before the first entry, patients; ones where not given.

    Derived: ``cohorts`` (G,) entry periods in order, ``clock.NEVER`` last; ``cohort_index`` (n,) into them;
    ``cohort_size`` (G,) units; ``cohort_patients`` (G,) summed sizes; ``control_only`` the cohort that serves only as
    comparison: the never-enrolled, or the last to enroll where everybody does (periods from its entry on then show
    nothing).

    Raises
    ------
    DesignError
        If shapes disagree, identifiers repeat, a unit is enrolled from the first period on (``from_panel`` leaves those
        out and counts them), or fewer than two cohorts are left.

    Example
    -------
    >>> ids, entry = np.array(["a", "b", "c"], dtype=object), np.array([3, 4, NEVER])
    >>> design = StaggeredDesign(ids, entry, np.array([1, 2, 3, 4]))
    >>> design.cohort_size.tolist(), design.comparison_units(3, 3).tolist()
    ([1, 1, 1], [False, True, True])
    >>> design.identified_cells()
    ((3, 2), (3, 3), (3, 4), (4, 2), (4, 3), (4, 4))
    """

    unit_ids: ObjectArray
    entry: IntArray
    clock: IntArray
    comparison: Comparison = Comparison.NOT_YET_ENROLLED
    anticipation: int = 0
    size: FloatArray = field(default_factory=lambda: np.empty(0))
    always_enrolled: int = 0
    cohorts: IntArray = field(init=False)
    cohort_index: IntArray = field(init=False)
    cohort_size: IntArray = field(init=False)
    cohort_patients: FloatArray = field(init=False)
    _identified: dict[BasePeriod, tuple[Cell, ...]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        clock = np.asarray(self.clock, dtype=np.int64)
        entry = np.asarray(self.entry, dtype=np.int64)
        size = np.asarray(self.size, dtype=np.float64)
        if size.shape == (0,):
            size = np.ones(len(self.unit_ids))
        unit_ids = as_labels(self.unit_ids)
        _refuse(unit_ids, entry, clock, size, self.anticipation)
        later = int(clock[-1]) + 1
        cohorts, index = distinct(np.minimum(entry, later))
        cohorts[cohorts == later] = NEVER
        if not len(cohorts):
            raise DesignError(
                f"All {self.always_enrolled} units are enrolled from the first period on, so nobody is seen before "
                "entry. Supply earlier periods, or check that entries and periods are written in the same way."
            )
        if len(cohorts) < 2:
            raise DesignError(
                f"All {len(entry)} units share one entry, so nobody is left to compare with. "
                "An effect needs units that enroll at another time, or never."
            )
        for name, value in (
            ("comparison", Comparison(self.comparison)),
            ("unit_ids", frozen(unit_ids)),
            ("entry", frozen(cohorts[index])),
            ("clock", frozen(clock)),
            ("size", frozen(size)),
            ("cohorts", frozen(cohorts)),
            ("cohort_index", frozen(index)),
            ("cohort_size", frozen(np.bincount(index))),
            ("cohort_patients", frozen(np.bincount(index, weights=size))),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def from_panel(
        cls, panel: EntryRecord, comparison: Comparison = Comparison.NOT_YET_ENROLLED, anticipation: int = 0
    ) -> StaggeredDesign:
        """Build the design from a panel's recorded entries; units enrolled from the first period on are left out.

        With anticipation of d periods, units that enroll within the first d + 1 periods have no clean base period and
        are left out as well. Their number is kept in ``always_enrolled``.

        Raises
        ------
        DesignError
            If the panel carries no entries, or too few cohorts are left.
        """
        if panel.entry is None:
            raise DesignError("The panel records no entry periods; give `entry`, with clock.NEVER for not enrolled.")
        keep = panel.entry > panel.clock[0] + anticipation
        kept = slice(None) if keep.all() else keep
        return cls(
            panel.unit_ids[kept], panel.entry[kept], panel.clock, comparison, anticipation,
            np.asarray(panel.weight, dtype=np.float64)[kept], int((~keep).sum()),
        )  # fmt: skip

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.unit_ids)

    @property
    def control_only(self) -> int:
        """Cohort that serves only as comparison."""
        return int(self.cohorts[-1])

    @property
    def usable(self) -> BoolArray:
        """(T,) periods in which somebody is still untouched by the programme."""
        return self.clock < self.control_only - self.anticipation

    @property
    def last_period(self) -> int:
        """Last period in which an effect can be identified."""
        return int(self.clock[self.usable][-1])

    def base_period(self, cohort: int, period: int, base: BasePeriod = BasePeriod.VARYING) -> int | None:
        """Return the period from which the change of a cell is measured, or None if the window holds none."""
        before = self.clock + self.anticipation < cohort
        if base == BasePeriod.VARYING and period < cohort - self.anticipation:
            before = self.clock < period
        return int(self.clock[before][-1]) if before.any() else None

    def comparison_cohorts(self, cohort: int, period: int, base: BasePeriod = BasePeriod.VARYING) -> BoolArray:
        """Return (G,) which cohorts compare with a cohort in a period: those untouched in it and in its base."""
        start = self.base_period(cohort, period, base)
        if start is None or not self.usable[np.searchsorted(self.clock, period)]:
            return np.zeros(len(self.cohorts), dtype=np.bool_)
        if self.comparison == Comparison.NEVER_ENROLLED:
            return self.cohorts == self.control_only
        return (self.cohorts > max(period, start) + self.anticipation) & (self.cohorts != cohort)

    def base_places(self, cells: Sequence[Cell], base: BasePeriod = BasePeriod.VARYING) -> IntArray:
        """Return (C,) the column of each cell's base period; -1 where the window holds none."""
        cohort, period = cell_array(cells).T
        return self._base_places(cohort, period, base)

    def _base_places(self, cohort: IntArray, period: IntArray, base: BasePeriod) -> IntArray:
        start = np.searchsorted(self.clock + self.anticipation, cohort) - 1
        if BasePeriod(base) == BasePeriod.VARYING:
            lead = period < cohort - self.anticipation
            start = np.where(lead, np.searchsorted(self.clock, period) - 1, start)
        return np.asarray(start, dtype=np.int64)

    def comparisons(self, cells: Sequence[Cell], base: BasePeriod = BasePeriod.VARYING) -> BoolArray:
        """Return (C, G) what ``comparison_cohorts`` says of each cell."""
        cohort, period = cell_array(cells).T
        return self._comparisons(cohort, period, self._base_places(cohort, period, base))

    def _comparisons(self, cohort: IntArray, period: IntArray, start: IntArray) -> BoolArray:
        possible = ((start >= 0) & self.usable[np.searchsorted(self.clock, period)])[:, None]
        if self.comparison == Comparison.NEVER_ENROLLED:
            return np.asarray(possible & (self.cohorts == self.control_only), dtype=np.bool_)
        untouched = self.cohorts > (np.maximum(period, self.clock[start]) + self.anticipation)[:, None]
        return np.asarray(possible & untouched & (self.cohorts != cohort[:, None]), dtype=np.bool_)

    def comparison_units(self, cohort: int, period: int, base: BasePeriod = BasePeriod.VARYING) -> BoolArray:
        """Return (n,) which units compare with a cohort in a period."""
        return self.comparison_cohorts(cohort, period, base)[self.cohort_index]

    def identified_cells(self, base: BasePeriod = BasePeriod.VARYING) -> tuple[Cell, ...]:
        """Return the cells (cohort, period) with a base period and a comparison, in order; never the base itself."""
        if base not in self._identified:
            self._identified[base] = self._find_cells(base)
        return self._identified[base]

    def _find_cells(self, base: BasePeriod) -> tuple[Cell, ...]:
        cohort = np.repeat(self.cohorts[:-1], len(self.clock))
        place = np.tile(np.arange(len(self.clock)), len(self.cohorts) - 1)
        period = self.clock[place]
        start = self._base_places(cohort, period, base)
        found = (start != place) & self._comparisons(cohort, period, start).any(axis=1)
        return tuple(zip(cohort[found].tolist(), period[found].tolist(), strict=True))

    def post_cells(self) -> tuple[Cell, ...]:
        """Return the identified cells at or after entry."""
        return tuple((g, t) for g, t in self.identified_cells() if t >= g)

    def cell_size(self, cells: Sequence[Cell], *, by_size: bool) -> FloatArray:
        """Return (C,) the treated units of each cell, or their patients."""
        total = self.cohort_patients if by_size else self.cohort_size.astype(np.float64)
        return total[np.searchsorted(self.cohorts, [g for g, _ in cells])]

    def against(self, comparison: Comparison) -> StaggeredDesign:
        """Return the same units and cohorts with another comparison."""
        other = copy(self)
        object.__setattr__(other, "comparison", Comparison(comparison))
        object.__setattr__(other, "_identified", {})
        return other

    def restrict(self, keep: BoolArray) -> StaggeredDesign:
        """Return the design of the kept units."""
        return self.take(np.flatnonzero(keep))

    def take(self, rows: IntArray) -> StaggeredDesign:
        """Return the design of the units at the given places, in that order."""
        return StaggeredDesign(
            self.unit_ids[rows], self.entry[rows], self.clock, self.comparison, self.anticipation, self.size[rows],
            self.always_enrolled,
        )  # fmt: skip

    def rows_in(self, unit_ids: ObjectArray) -> IntArray:
        """Return (n,) the row of each of the design's units in another list of identifiers.

        Raises
        ------
        DesignError
            If units are missing there.
        """
        if len(unit_ids) == self.n_units and bool((unit_ids == self.unit_ids).all()):
            return np.arange(self.n_units)
        place = {unit: row for row, unit in enumerate(unit_ids.tolist())}
        rows = np.array([place.get(unit, -1) for unit in self.unit_ids.tolist()], dtype=np.int64)
        if (rows < 0).any():
            raise DesignError(f"{int((rows < 0).sum())} of the design's {self.n_units} units are not in the panel.")
        return rows

    def estimability(self) -> tuple[EstimabilityRow, ...]:
        """Return, for every cohort and period, how many units and patients compare and what identifies the effect."""
        return tuple(self._estimability())

    def _estimability(self) -> Iterator[EstimabilityRow]:
        for j, g in enumerate(self.cohorts[:-1]):
            for t in self.clock:
                against = self.comparison_cohorts(int(g), int(t))
                reason = "" if against.any() else self._why_not(int(g), int(t))
                yield EstimabilityRow(
                    int(g), int(t), int(t - g), int(self.cohort_size[j]), float(self.cohort_patients[j]),
                    int(self.cohort_size[against].sum()), float(self.cohort_patients[against].sum()),
                    "not identified" if reason else "parallel trends", reason,
                )  # fmt: skip

    def _why_not(self, cohort: int, period: int) -> str:
        if self.base_period(cohort, period) is None:
            return "no earlier period to measure the change from"
        return "every unit is enrolled or about to enroll: nobody is left to compare with"


def cell_array(cells: Sequence[Cell]) -> IntArray:
    """Return cohort and period of ``cells`` as (C, 2).

    >>> cell_array([(2, 3), (2, 4)]).tolist(), cell_array([]).shape
    ([[2, 3], [2, 4]], (0, 2))
    """
    # numpy looks at every pair before it reads numbers; a run of numbers it reads at once.
    return np.fromiter(chain.from_iterable(cells), np.int64, 2 * len(cells)).reshape(-1, 2)


def _refuse(unit_ids: ObjectArray, entry: IntArray, clock: IntArray, size: FloatArray, anticipation: int) -> None:
    n, problems = len(unit_ids), []
    if entry.shape != (n,) or size.shape != (n,):
        problems.append(f"{n} units, but entries of shape {entry.shape} and sizes of shape {size.shape}")
    elif not bool(np.all(np.isfinite(size) & (size > 0))):
        problems.append("sizes must be finite and positive")
    if repeated := repeats(unit_ids):
        problems.append(f"{repeated} unit identifiers repeat")
    if anticipation < 0:
        problems.append(f"anticipation is {anticipation} periods; it cannot be negative")
    if len(clock) < 2 or bool((clock[1:] <= clock[:-1]).any()):
        problems.append("the clock needs at least two periods in increasing order")
    elif (early := int((entry <= clock[0] + anticipation).sum())) > 0:
        problems.append(f"{early} units have no period before enrolment; from_panel leaves those out and counts them")
    if problems:
        raise DesignError("The design is not usable: " + "; ".join(problems) + ".")
