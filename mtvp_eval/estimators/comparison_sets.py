"""Cells that share treated and comparison units, so that what depends on the units only is computed once.

Source: Callaway & Sant'Anna (2021), eq. 2.6-2.8 for which units compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, IntArray
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError


@dataclass(frozen=True, slots=True)
class ComparisonSet:
    """Hold rows of treated (N_g,) and comparison (N_C,) units, and P cells: place in the list, period, base."""

    treated: IntArray
    against: IntArray
    cells: IntArray
    period: IntArray
    base: IntArray

    def rows(self) -> IntArray:
        """Return (N_g + N_C,) rows, treated units first."""
        return np.concatenate([self.treated, self.against])

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
                cells=self.cells[one], period=self.period[one], base=self.base[one],
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
    unidentified = 0
    places = np.searchsorted(design.clock, [t for _, t in cells])
    starts, compared = design.base_places(cells, base), design.comparisons(cells, base)
    for k, (g, _) in enumerate(cells):
        if starts[k] == places[k] or not compared[k].any():
            unidentified += 1
            continue
        groups.setdefault((g, compared[k].tobytes()), []).append((k, int(places[k]), int(starts[k])))
    if unidentified:
        raise EstimationError(
            f"{unidentified} of {len(cells)} cells asked for are not identified: "
            "StaggeredDesign.estimability() shows why."
        )
    sets = []
    for (g, key), members in groups.items():
        table = np.array(members, dtype=np.int64)
        chosen = np.frombuffer(key, dtype=np.bool_)
        treated = np.flatnonzero(design.entry == g)
        sets.append(ComparisonSet(treated, np.flatnonzero(chosen[design.cohort_index]), *table.T))
    return tuple(sets)
