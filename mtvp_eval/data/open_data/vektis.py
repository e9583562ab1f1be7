"""Vektis, "Open databestanden Zorgverzekeringswet" per municipality: read the yearly files with all their quirks.

Bron: Vektis. The files are not part of the project; a reader downloads them (see README) into `raw/vektis/`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from mtvp_eval.arrays import FloatArray, frozen
from mtvp_eval.data.open_data.codes import SectorColumn, columns_of_year, municipality_name
from mtvp_eval.data.open_data.vektis_supply import (
    COUNTS,
    KEYS,
    UNREADABLE,
    columns_amiss,
    damaged,
    files_of_year,
    missing_years,
)
from mtvp_eval.errors import DataError

N_AGES = 19
N_CELLS = 2 * N_AGES
LEFT_OUT = 50.0
"""Insured years that no group under ten persons has the year before or after: 15 at most in the files of 2011-2023."""
_SEXES = {"M": 0, "V": 1}
_AGE = re.compile(r"^(\d+)\s*t/m\s*(\d+)\s*jaar$")


@dataclass(frozen=True, slots=True)
class VektisYear:
    """One yearly file: cost by published column x municipality x age-sex cell.

    Parameters
    ----------
    municipalities : M names in one spelling, sorted.
    columns : C published cost columns, lower case.
    insured : (M, 38) insured years; NaN where the cell is suppressed (fewer than 10 persons). Cell = 19 * sex + age
        class, sex 0 men, 1 women.
    cost : (C, M, 38) euro, gross of the own risk; NaN where suppressed.
    rest_insured, rest_cost : the rest row (suppressed groups and unknown addresses): insured years, (C,) euro.
    negative_cells : cost cells below zero (corrections), kept as they are.
    """

    year: int
    municipalities: tuple[str, ...]
    columns: tuple[str, ...]
    insured: FloatArray
    cost: FloatArray
    rest_insured: float
    rest_cost: FloatArray
    rows: int
    negative_cells: int

    @property
    def suppressed_cells(self) -> int:
        """Number of age-sex cells of a municipality that the file leaves out."""
        return int(np.isnan(self.insured).sum())


def read_vektis(folder: Path, years: Sequence[int], crosswalk: Sequence[SectorColumn]) -> tuple[VektisYear, ...]:
    """Read the files of the asked-for years, in that order.

    Parameters
    ----------
    folder : folder with one municipality file a year (`.csv` or `.csv.gz`), the year and `gemeente` in its name. A file
        with `first_issue` in its name is not read: the re-issued set is drawn on one division per file.
    years : calendar years.
    crosswalk : published columns by year (`read_sector_columns`).

    Raises
    ------
    DataError
        One error that names every missing year, damaged file, missing or unknown column, unreadable label and doubled
        row; if there are none, every file that is cut off or holds another year than its name says.
    """
    problems = missing_years(folder, years)
    read: list[VektisYear] = []
    for year in years:
        found = files_of_year(folder, year)
        if len(found) == 1:
            table, broken = _load(found[0], year, crosswalk)
            problems += [f"{year}: {what}" for what in broken]
            if not broken:
                read.append(_arrange(table, year))
    problems = problems or _other_content(read)
    if problems:
        where = folder.name or str(folder)
        raise DataError(
            "\n".join(
                [f"The Vektis files in {where}/ cannot be used:", *(f"  {p}" for p in problems), _ADVICE],
            )
        )
    return tuple(read)


def _other_content(files: Sequence[VektisYear]) -> list[str]:
    """Return what a file alone does not show: a year under the name of another, or a file that ends too early."""
    problems = []
    for one, other in pairwise(sorted(files, key=lambda file: file.year)):
        if one.columns == other.columns and np.array_equal(one.cost, other.cost, equal_nan=True):
            problems.append(f"{other.year}: holds the same cost as {one.year}: one file has the name of the other")
            continue
        for file, beside in ((one, other), (other, one)):
            gone = _left_out(file, beside)
            if gone:
                problems.append(
                    f"{file.year}: {gone} age-sex groups are missing that hold more than {LEFT_OUT:g} insured years in "
                    f"{beside.year}: the file is cut off"
                )
    return problems


def _left_out(file: VektisYear, beside: VektisYear) -> int:
    """Count cells that a file leaves out though they are large in the year beside it."""
    both, here, there = np.intersect1d(file.municipalities, beside.municipalities, return_indices=True)
    large = np.nan_to_num(beside.insured[there]) > LEFT_OUT
    return int((np.isnan(file.insured[here]) & large).sum()) if len(both) else 0


_ADVICE = (
    "Download the yearly files 'Open databestand Zorgverzekeringswet, gemeente' from vektis.nl (open data) and put "
    "them there unchanged; a new column needs a row in data_dictionary/codes/open_data/vektis_sectors.csv."
)


def _load(path: Path, year: int, crosswalk: Sequence[SectorColumn]) -> tuple[pd.DataFrame, list[str]]:
    """Read one file as published and list what is wrong with it."""
    try:
        table = read_published(path)
    except (*UNREADABLE, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        return pd.DataFrame(), [damaged(path)]
    expected = set(columns_of_year(crosswalk, year))
    absent, unknown = columns_amiss(table.columns.tolist(), year, crosswalk)
    problems = [f"missing column(s) {', '.join(absent)}"] if absent else []
    if unknown:
        problems.append(f"column(s) that no sector names: {', '.join(unknown)}")
    if absent:
        return table, problems
    for name in (*COUNTS, *sorted(expected)):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    unreadable = [name for name in (*COUNTS, *sorted(expected)) if table[name].isna().any()]
    if unreadable:
        problems.append(f"not a number in {', '.join(unreadable)} (decimal point, no thousands mark)")
    rest = table["gemeentenaam"] == ""
    if int(rest.sum()) != 1:
        problems.append(f"{int(rest.sum())} rest rows (empty municipality), not 1")
    odd = table.loc[~rest]
    labels = sorted({label for label in odd["leeftijdsklasse"].unique() if age_class(label) is None})
    if labels:
        problems.append(f"unknown age label(s) {', '.join(labels)}")
    if not odd["geslacht"].isin(_SEXES).all():
        problems.append("sex other than M or V")
    doubled = int(odd.duplicated(list(KEYS)).sum())
    if doubled:
        problems.append(f"{doubled} rows repeat a municipality, age and sex")
    return table, problems


def read_published(path: Path) -> pd.DataFrame:
    """Return one file as published, with lower-case headers and trimmed labels in one spelling.

    UTF-8 is tried first, then Windows-1252 (older issues write accented municipality names in it).
    """

    def read(encoding: str) -> pd.DataFrame:
        return pd.read_csv(path, sep=";", dtype={0: str, 1: str, 2: str}, keep_default_na=False, encoding=encoding)

    try:
        table = read("utf-8-sig")
    except UnicodeDecodeError:
        table = read("cp1252")
    table.columns = [str(name).strip().lower() for name in table.columns]
    for name in KEYS:
        if name in table.columns:
            table[name] = table[name].str.strip()
    if "gemeentenaam" in table.columns:
        spelling = {name: municipality_name(name) for name in table["gemeentenaam"].unique()}
        table["gemeentenaam"] = table["gemeentenaam"].map(spelling)
    return table


def age_class(label: str) -> int | None:
    """Return the age class 0..18 (five years each, the last 90 and over) of a published label, None if unknown.

    >>> [age_class(text) for text in (" 0 t/m  4 jaar", "85 t/m 89 jaar", "90+", "total")]
    [0, 17, 18, None]
    """
    text = label.strip()
    if text == "90+":
        return N_AGES - 1
    found = _AGE.match(text)
    if not found:
        return None
    low, high = int(found.group(1)), int(found.group(2))
    return low // 5 if low % 5 == 0 and high == low + 4 and low < 90 else None


def _arrange(table: pd.DataFrame, year: int) -> VektisYear:
    columns = tuple(name for name in table.columns if name.startswith("kosten_"))
    is_rest = (table["gemeentenaam"] == "").to_numpy()
    rest, rows = table[is_rest].iloc[0], table[~is_rest]
    names = tuple(sorted(rows["gemeentenaam"].unique()))
    at = rows["gemeentenaam"].map({name: i for i, name in enumerate(names)}).to_numpy()
    age = rows["leeftijdsklasse"].map({label: age_class(label) for label in rows["leeftijdsklasse"].unique()})
    cell = rows["geslacht"].map(_SEXES).to_numpy() * N_AGES + age.to_numpy()
    insured = np.full((len(names), N_CELLS), np.nan)
    insured[at, cell] = rows["aantal_verzekerdejaren"].to_numpy(dtype=float)
    amounts = rows[list(columns)].to_numpy(dtype=float)
    cost = np.full((len(columns), len(names), N_CELLS), np.nan)
    cost[:, at, cell] = amounts.T
    return VektisYear(
        year,
        names,
        columns,
        frozen(insured),
        frozen(cost),
        float(rest["aantal_verzekerdejaren"]),
        frozen(rest[list(columns)].to_numpy(dtype=float)),
        len(table),
        int((amounts < 0).sum()),
    )
