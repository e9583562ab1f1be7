"""Read the code tables of the open data (`data_dictionary/codes/open_data/*.csv`): sectors, divisions, breaks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtvp_eval.errors import DataError

GP_SECTORS = ("gp_registration", "gp_consult", "gp_chain", "gp_other")
SECTORS = (
    *("total_comparable", "total_published", "hospital", "pharmacy", "mental_health", "district_nursing"),
    *("rehabilitation_and_stay", "other", *GP_SECTORS, "gp_total"),
)
"""Every stable sector and total an outcome may name."""


@dataclass(frozen=True, slots=True)
class SectorColumn:
    """One published cost column, the years it is published in, and the stable sector it belongs to."""

    column: str
    first_year: int
    last_year: int
    sector: str
    in_total: bool


@dataclass(frozen=True, slots=True)
class Break:
    """A year from which a sector's cost means something else, or a shock that hits it."""

    sector: str
    year: int
    kind: str
    what: str
    source: str


def read_code_table(codes: Path, name: str, columns: Sequence[str], numbers: Sequence[str] = ()) -> pd.DataFrame:
    """Return a code table as text, empty cells as empty strings.

    Raises
    ------
    DataError
        If the file or a column is missing, or a cell of the columns `numbers` holds none; its line is named.
    """
    path = codes / "open_data" / f"{name}.csv"
    if not path.is_file():
        raise DataError(f"The code table {name}.csv is missing from data_dictionary/codes/open_data/.")
    table = pd.read_csv(path, sep=";", dtype=str, keep_default_na=False)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DataError(f"data_dictionary/codes/open_data/{name}.csv lacks the column(s) {', '.join(missing)}.")
    problems = [
        f"line {row + 2}, {column}: {table[column][row]!r}"
        for column in numbers
        for row in np.flatnonzero(pd.to_numeric(table[column], errors="coerce").isna())
    ]
    if problems:
        raise DataError(f"data_dictionary/codes/open_data/{name}.csv holds no number in {'; '.join(problems)}.")
    return table


def read_sector_columns(codes: Path) -> tuple[SectorColumn, ...]:
    """Return the crosswalk from published columns to stable sectors."""
    table = read_code_table(
        codes,
        "vektis_sectors",
        ["column", "first_year", "last_year", "sector", "in_total"],
        ["first_year", "last_year"],
    )
    return tuple(
        SectorColumn(str(r.column), int(r.first_year), int(r.last_year), str(r.sector), r.in_total == "yes")
        for r in table.itertuples()
    )


def columns_of_year(crosswalk: Sequence[SectorColumn], year: int) -> dict[str, SectorColumn]:
    """Return the cost columns published for one year, by name.

    >>> rows = (SectorColumn("a", 2011, 2022, "hospital", True), SectorColumn("b", 2023, 2023, "hospital", True))
    >>> list(columns_of_year(rows, 2023))
    ['b']
    """
    return {row.column: row for row in crosswalk if row.first_year <= year <= row.last_year}


def sector_members(crosswalk: Sequence[SectorColumn], year: int) -> dict[str, list[str]]:
    """Return, for one year, the published columns that make up each sector and each total.

    A sector that is not published in the year is absent. `gp_total` is the sum of the published GP columns (comparable
    from 2015, when chain care is published); `total_comparable` leaves out what entered the Act between 2013 and 2020
    and can be separated; `total_published` is everything.

    >>> rows = (SectorColumn("c", 2011, 2023, "gp_consult", True), SectorColumn("n", 2015, 2023, "nursing", False))
    >>> sector_members(rows, 2016)["total_comparable"], sector_members(rows, 2016)["total_published"]
    (['c'], ['c', 'n'])
    """
    published = columns_of_year(crosswalk, year)
    members: dict[str, list[str]] = {}
    for name, row in published.items():
        members.setdefault(row.sector, []).append(name)
    members["gp_total"] = [name for name, row in published.items() if row.sector in GP_SECTORS]
    members["total_comparable"] = [name for name, row in published.items() if row.in_total]
    members["total_published"] = list(published)
    return members


def read_breaks(codes: Path) -> tuple[Break, ...]:
    """Return the known breaks and shocks by sector and year."""
    table = read_code_table(codes, "vektis_breaks", ["sector", "year", "kind", "what", "source"], ["year"])
    return tuple(Break(str(r.sector), int(r.year), str(r.kind), str(r.what), str(r.source)) for r in table.itertuples())


def breaks_between(breaks: Sequence[Break], sector: str, first: int, last: int) -> tuple[Break, ...]:
    """Return the breaks of one sector (or of all) that a comparison of years `first` to `last` crosses.

    A break in year y is crossed by first < y <= last.

    >>> breaks_between((Break("hospital", 2015, "definition", "w", "s"),), "hospital", 2014, 2016)[0].year
    2015
    >>> breaks_between((Break("hospital", 2015, "definition", "w", "s"),), "hospital", 2015, 2016)
    ()
    """
    return tuple(b for b in breaks if b.sector in (sector, "all") and first < b.year <= last)


def read_divisions(codes: Path) -> Mapping[str, str]:
    """Return old municipality -> unit of the stable division; a municipality not named keeps its own name."""
    table = read_code_table(codes, "vektis_divisions", ["municipality", "unit", "reason"])
    return dict(zip(table["municipality"], table["unit"], strict=True))


def municipality_name(text: Any) -> str:
    """Return the one spelling by which a municipality is known: capitals, no accents, apostrophes or hyphens.

    >>> [municipality_name(t) for t in ("'S-GRAVENHAGE", "Súdwest-Fryslân", " S GRAVENHAGE")]
    ['S GRAVENHAGE', 'SUDWEST FRYSLAN', 'S GRAVENHAGE']
    """
    plain = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode()
    return " ".join(re.sub(r"[-'`’().,]", " ", plain).upper().split())
