"""Cells that share treated and comparison units, so that what depends on the units only is computed once.

Source: Callaway & Sant'Anna (2021), eq. 2.6-2.8 for which units compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError


@dataclass(frozen=True, slots=True)
class ComparisonSet:
    """Hold rows of treated units (N_g,) and of each comparison cohort, and P cells: place in the list, period, base."""

    treated: IntArray
    against: tuple[IntArray, ...]
    cells: IntArray
    period: IntArray
    base: IntArray

    def rows(self) -> IntArray:
        """Return (N_g + N_C,) rows, treated units first."""
        return np.concatenate([self.treated, *self.against])

    @property
    def n_against(self) -> int:
        """Number of comparison units."""
        return sum(map(len, self.against))

    def among(self, known: BoolArray, cells: slice | BoolArray) -> ComparisonSet:
        """Return the set of some of its ``cells`` and of the units ``known`` (n,)."""
        return ComparisonSet(
            self.treated[known[self.treated]], tuple(rows[known[rows]] for rows in self.against),
            self.cells[cells], self.period[cells], self.base[cells],
        )  # fmt: skip

    def still(self, y: FloatArray, largest: float) -> BoolArray:
        """Return (P,) in which cells no outcome ``y`` (n, T), of ``largest`` size in all, moves by more than rounding.

        Mostly one of the first treated units has moved, and the others need not be looked at.
        """
        few = y[self.treated[:64]]
        found = np.abs(few[:, self.period] - few[:, self.base]).max(axis=0) <= 1e-14 * largest
        for k in np.flatnonzero(found):
            now, before = y[self.rows(), self.period[k]], y[self.rows(), self.base[k]]
            found[k] = np.abs(now - before).max() <= 1e-14 * np.abs(now).max()
        return np.asarray(found, dtype=np.bool_)

    def observed_parts(self, observed: BoolArray) -> Iterator[ComparisonSet]:
        """Yield the set whole where it has no gap, else cell by cell with the units observed in both periods."""
        columns = np.concatenate([self.period, self.base])
        if observed[np.ix_(self.rows(), columns)].all():
            yield self
            return
        for p in range(len(self.cells)):
            yield self.among(observed[:, self.period[p]] & observed[:, self.base[p]], slice(p, p + 1))


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
    >>> [([rows.tolist() for rows in s.against], s.cells.tolist()) for s in sets]
    [([[1], [2]], [0, 1]), ([[2]], [2])]
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
    sets = []
    for (g, key), members in groups.items():
        against = tuple(units[j] for j in np.flatnonzero(np.frombuffer(key, dtype=np.bool_)))
        k, period, start = np.array(members, dtype=np.int64).T
        sets.append(ComparisonSet(units[design.cohorts.tolist().index(g)], against, k, period, start))
    return tuple(sets)
