"""Outcomes as arrays: from the rows of an extract to one value per practice and quarter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Cells:
    """Where the rows of an extract belong: practice (rows,) and period (rows,) as positions, -1 where nowhere.

    `shape` is (n, T).
    """

    unit: IntArray
    period: IntArray
    shape: tuple[int, int]

    @property
    def used(self) -> BoolArray:
        """Rows that belong to a practice and a period of the panel."""
        return (self.unit >= 0) & (self.period >= 0)


def grid(cells: Cells, values: FloatArray) -> FloatArray:
    """Return the values as (n, T), NaN where there is no row.

    >>> grid(Cells(np.array([0, 1]), np.array([1, -1]), (2, 2)), np.array([5.0, 6.0])).tolist()
    [[nan, 5.0], [nan, nan]]
    """
    filled = np.full(cells.shape, np.nan)
    filled[cells.unit[cells.used], cells.period[cells.used]] = values[cells.used]
    return filled


def ratio(multiplier: float, numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return multiplier * numerator / denominator; NaN where the denominator is zero or either is missing.

    >>> ratio(1000.0, np.array([4.0, 4.0]), np.array([2000.0, 0.0])).tolist()
    [2.0, nan]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = multiplier * numerator / denominator
    return np.where(denominator > 0, rate, np.nan)


@dataclass(frozen=True, slots=True)
class CostCube:
    """Cost of care as amount (S, n, T, I) per sector, practice, quarter and insurer, and insured years (n, T, I)."""

    sectors: tuple[str, ...]
    amount: FloatArray
    insured_years: FloatArray

    def supplied(self, sectors: Sequence[str]) -> BoolArray:
        """Say for each sector whether any amount of it is there."""
        return np.array([bool(np.isfinite(self.amount[self.sectors.index(s)]).any()) for s in sectors], dtype=np.bool_)

    def total(self, sectors: Sequence[str]) -> FloatArray:
        """Return the sum over `sectors` (n, T, I); NaN where one of them is not there."""
        wanted: FloatArray = self.amount[[self.sectors.index(s) for s in sectors]].sum(axis=0)
        return wanted

    def rate(self, sectors: Sequence[str]) -> FloatArray:
        """Return euro per insured year (n, T): over the insurers for whom every sector is there.

        rate = sum_i amount_i / sum_i years_i. Insured years of a quarter are persons / 4, so the rate is per year.
        """
        total = self.total(sectors)
        there = np.isfinite(total)
        amount = np.where(there, total, 0.0).sum(axis=2)
        years = np.where(there, self.insured_years, 0.0).sum(axis=2)
        return ratio(1.0, amount, years)


def cost_cube(
    cells: Cells,
    place: tuple[IntArray, IntArray],
    sectors: tuple[str, ...],
    insurers: int,
    rows: tuple[FloatArray, ...],
) -> CostCube:
    """Arrange cost rows; `place` holds the positions (rows,) of sector and insurer, `rows` amount and insured years.

    The key practice + quarter + sector + insurer is unique, so no two rows meet in one cell.
    """
    (sector, insurer), (amount, years) = place, rows
    n, T = cells.shape
    keep = cells.used
    u, t, s, i = cells.unit[keep], cells.period[keep], sector[keep], insurer[keep]
    cube = np.full((len(sectors), n, T, insurers), np.nan)
    cube[s, u, t, i] = amount[keep]
    insured = np.full((n, T, insurers), np.nan)
    insured[u, t, i] = years[keep]
    return CostCube(sectors, cube, insured)
