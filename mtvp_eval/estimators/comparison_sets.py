"""Cells that share treated and comparison units, so that what depends on the units only is computed once.

Source: Callaway & Sant'Anna (2021), eq. 2.6-2.8 for which units compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError


@dataclass(frozen=True, slots=True)
class ComparisonSet:
    """Hold rows of treated (N_g,) and comparison (N_C,) units, and P cells: place in the list, period, base.

    ``stretches`` are the same rows in the same order as slices; empty where units are not ordered by cohort.
    """

    treated: IntArray
    against: IntArray
    cells: IntArray
    period: IntArray
    base: IntArray
    stretches: tuple[slice, ...] = ()

    def rows(self) -> IntArray:
        """Return (N_g + N_C,) rows, treated units first."""
        return np.concatenate([self.treated, self.against])

    def change(self, y: FloatArray) -> FloatArray:
        """Return (P, N) each cell's change from base to period in outcomes ``y`` (T, n), in the order of the rows."""
        if not self.stretches:
            return np.take(y[self.period] - y[self.base], self.rows(), axis=1)
        return np.concatenate([y[self.period, here] - y[self.base, here] for here in self.stretches], axis=1)

    def add(self, values: FloatArray, onto: FloatArray, lines: IntArray) -> None:
        """Add ``values`` (J, N) of the rows to these ``lines`` (J,) of ``onto`` (K, n), in place."""
        if not self.stretches:
            onto[np.ix_(lines, self.rows())] += values
        first = 0
        for here in self.stretches:
            onto[lines, here] += values[:, first : (first := first + here.stop - here.start)]

    def observed_parts(self, observed: BoolArray) -> Iterator[ComparisonSet]:
        """Yield the set whole where it has no gap, else cell by cell with the units observed in both periods."""
        columns = np.concatenate([self.period, self.base])
        if observed[np.ix_(self.rows(), columns)].all():
            yield self
            return
        for p in range(len(self.cells)):
            both = observed[:, self.period[p]] & observed[:, self.base[p]]
            one = slice(p, p + 1)
            yield replace(
                self, treated=self.treated[both[self.treated]], against=self.against[both[self.against]],
                cells=self.cells[one], period=self.period[one], base=self.base[one], stretches=(),
            )  # fmt: skip


def comparison_sets(design: StaggeredDesign, cells: Sequence[Cell], base: BasePeriod) -> tuple[ComparisonSet, ...]:
    """Return the cells grouped by cohort and comparison cohorts, in order of first appearance (base: as declared).

    Raises
    ------
    EstimationError
        If a cell is not identified.

    Example
    -------
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([3, 5, 9]), np.array([1, 2, 3, 4, 5]))
    >>> sets = comparison_sets(design, ((3, 3), (3, 4), (3, 5)), BasePeriod.VARYING)
    >>> [(s.against.tolist(), s.cells.tolist()) for s in sets]
    [([1, 2], [0, 1]), ([2], [2])]
    """
    groups: dict[tuple[int, bytes], list[tuple[int, int, int]]] = {}
    places = np.searchsorted(design.clock, [t for _, t in cells])
    starts, compared = design.base_places(cells, base), design.comparisons(cells, base)
    identified = (starts != places) & compared.any(axis=1)
    for k, (g, _) in enumerate(cells):
        if identified[k]:
            groups.setdefault((g, compared[k].tobytes()), []).append((k, int(places[k]), int(starts[k])))
    if not identified.all():
        raise EstimationError(
            f"{int((~identified).sum())} of {len(cells)} cells asked for are not identified: "
            "StaggeredDesign.estimability() shows why."
        )
    units = [np.flatnonzero(design.cohort_index == j) for j in range(len(design.cohorts))]
    ordered = bool((design.cohort_index[1:] >= design.cohort_index[:-1]).all())
    sets = []
    for (g, key), members in groups.items():
        treated = units[design.cohorts.tolist().index(g)]
        against = [units[j] for j in np.flatnonzero(np.frombuffer(key, dtype=np.bool_))]
        k, period, start = np.array(members, dtype=np.int64).T
        stretches = _stretches([treated, *against]) if ordered else ()
        sets.append(ComparisonSet(treated, np.concatenate(against), k, period, start, stretches))
    return tuple(sets)


def _stretches(units: Sequence[IntArray]) -> tuple[slice, ...]:
    """Return rows of cohorts, each without a gap, as slices; cohorts next to each other are one."""
    found: list[slice] = []
    for own in units:
        start, stop = int(own[0]), int(own[-1]) + 1
        if found and found[-1].stop == start:
            start = found.pop().start
        found.append(slice(start, stop))
    return tuple(found)
