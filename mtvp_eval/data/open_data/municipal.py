"""Yearly files of many divisions -> cost and insured years of one stable set of municipalities, with its account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, ObjectArray, frozen
from mtvp_eval.data.open_data.codes import SectorColumn, sector_members
from mtvp_eval.data.open_data.vektis import N_AGES, N_CELLS, VektisYear
from mtvp_eval.errors import DataError


@dataclass(frozen=True, slots=True)
class AccountRow:
    """What one step of one year holds: rows of the file, insured years and euro.

    Steps: ``file``; ``rest`` (the row of groups under ten persons and unknown addresses); ``municipalities`` (`count`
    age-sex cells suppressed); ``panel`` (`count` municipalities joined to their successor or group).
    """

    year: int
    what: str
    rows: int
    insured_years: float
    cost_eur: float
    count: int = 0


@dataclass(frozen=True, slots=True)
class MunicipalCosts:
    """Cost and insured years of n units in T years by age-sex cell (C = 38).

    Parameters
    ----------
    unit_ids : (n,) names of the stable division, sorted.
    years : T calendar years.
    insured : (n, T, C); NaN where suppressed in every part of the unit.
    cost : sector -> (n, T, C) euro; all NaN in a year in which the sector is not published.
    account : what was read, what stood in the rest row, what merging changed.
    """

    unit_ids: ObjectArray
    years: tuple[int, ...]
    insured: FloatArray
    cost: Mapping[str, FloatArray]
    account: tuple[AccountRow, ...]

    @property
    def insured_years(self) -> FloatArray:
        """Insured years by unit and year, (n, T)."""
        return np.asarray(np.nansum(self.insured, axis=2))

    def share_aged(self, first_class: int) -> FloatArray:
        """Return the share of insured years in age classes from `first_class` (five years each), (n, T)."""
        old = np.tile(np.arange(N_AGES) >= first_class, 2)
        return np.asarray(np.nansum(self.insured[..., old], axis=2) / self.insured_years)


def stable_costs(
    files: Sequence[VektisYear], crosswalk: Sequence[SectorColumn], divisions: Mapping[str, str]
) -> MunicipalCosts:
    """Bring the yearly files to one set of units that exists in every year, and account for every euro.

    Parameters
    ----------
    files : one year each (`read_vektis`).
    crosswalk : published column -> sector.
    divisions : old municipality -> stable unit; parts are added, a unit that cannot be separated is a group.

    Raises
    ------
    DataError
        If a unit is missing in some year: the crosswalk of divisions then lacks a merger.
    """
    at_home = [tuple(divisions.get(name, name) for name in file.municipalities) for file in files]
    units = sorted(set().union(*at_home))
    _require_one_division(units, {file.year: set(home) for file, home in zip(files, at_home, strict=True)})
    row = {unit: i for i, unit in enumerate(units)}
    n, T = len(units), len(files)
    insured = np.full((n, T, N_CELLS), np.nan)
    members = [sector_members(crosswalk, file.year) for file in files]
    cost = {sector: np.full((n, T, N_CELLS), np.nan) for sector in sorted(set().union(*members))}
    account: list[AccountRow] = []
    for t, (file, home) in enumerate(zip(files, at_home, strict=True)):
        index = np.array([row[unit] for unit in home])
        insured[:, t] = _add_parts(file.insured, index, n)
        place = {name: i for i, name in enumerate(file.columns)}
        for sector, columns in members[t].items():
            parts = file.cost[[place[name] for name in columns]].sum(axis=0)
            cost[sector][:, t] = _add_parts(parts, index, n)
        account += _account(file, cost["total_published"][:, t], insured[:, t], len(home) - n)
    return MunicipalCosts(
        np.array(units, dtype=object),
        tuple(file.year for file in files),
        frozen(insured),
        {sector: frozen(values) for sector, values in cost.items()},
        tuple(account),
    )


def _require_one_division(units: Sequence[str], present: Mapping[int, set[str]]) -> None:
    """Refuse units that some years lack, each named with the years that have it."""
    odd = {unit: [year for year, names in present.items() if unit in names] for unit in units}
    odd = {unit: years for unit, years in odd.items() if len(years) < len(present)}
    if not odd:
        return
    said = "; ".join(f"{unit} stands in {_spans(years)} only" for unit, years in odd.items())
    raise DataError(
        f"The municipal division is not the same in every year ({min(present)}-{max(present)}): {said}. Add the merger "
        "or split to data_dictionary/codes/open_data/vektis_divisions.csv; a name that is cut off or misspelt is an "
        "error of its file."
    )


def _spans(years: Sequence[int]) -> str:
    """Write years as runs.

    >>> _spans([2011, 2012, 2013, 2015])
    '2011-2013, 2015'
    """
    runs: list[list[int]] = []
    for year in years:
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _add_parts(values: FloatArray, index: np.ndarray, n: int) -> FloatArray:
    """Add the rows of (M, C) that belong to the same unit; NaN only where every part is suppressed."""
    total, seen = np.zeros((n, values.shape[1])), np.zeros((n, values.shape[1]))
    np.add.at(total, index, np.nan_to_num(values))
    np.add.at(seen, index, (~np.isnan(values)).astype(float))
    return np.where(seen > 0, total, np.nan)


def _account(file: VektisYear, cost: FloatArray, insured: FloatArray, merged: int) -> list[AccountRow]:
    in_cells = float(np.nansum(file.insured)), float(np.nansum(file.cost))
    rest = file.rest_insured, float(file.rest_cost.sum())
    kept = float(np.nansum(insured)), float(np.nansum(cost))
    shown = file.rows - 1
    return [
        AccountRow(file.year, "file", file.rows, in_cells[0] + rest[0], in_cells[1] + rest[1]),
        AccountRow(file.year, "rest", 1, *rest),
        AccountRow(file.year, "municipalities", shown, *in_cells, file.suppressed_cells),
        AccountRow(file.year, "panel", shown, *kept, merged),
    ]


def unexplained_jumps(insured_years: FloatArray, limit: float) -> FloatArray:
    r"""Return each unit's largest yearly change of insured years beyond the national one, (n,), where above `limit`.

    .. math:: \max_t |\Delta \log n_{it} - \mathrm{median}_j \Delta \log n_{jt}|, \text{ zero where at most the limit}

    With mergers undone, such a jump is a change of address allocation, not of people.

    Example
    -------
    >>> import numpy as np
    >>> unexplained_jumps(np.array([[10.0, 10.0], [10.0, 10.0], [10.0, 12.0]]), 0.06).round(3).tolist()
    [0.0, 0.0, 0.182]
    """
    growth = np.diff(np.log(insured_years), axis=1)
    largest = np.abs(growth - np.median(growth, axis=0)).max(axis=1)
    return np.where(largest > limit, largest, 0.0)
