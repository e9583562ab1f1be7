"""Which Vektis files are there, told from names and first lines: a whole folder is judged before anything is read."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from mtvp_eval.data.open_data.codes import SectorColumn, columns_of_year

KEYS = ("geslacht", "leeftijdsklasse", "gemeentenaam")
COUNTS = ("aantal_bsn", "aantal_verzekerdejaren")
UNREADABLE = (OSError, EOFError, zlib.error)
"""What reading a damaged file, or one that is no gzip file though its name ends in .gz, raises."""
_SHOWN = 60


def supply_problems(folder: Path, years: Sequence[int], crosswalk: Sequence[SectorColumn]) -> list[str]:
    """Return every missing or doubled year, every file of another kind and every missing column."""
    problems = missing_years(folder, years)
    for year in years:
        for path in files_of_year(folder, year)[:1]:
            problems += [f"{year}: {what}" for what in _first_line_problems(path, year, crosswalk)]
    return problems


def _first_line_problems(path: Path, year: int, crosswalk: Sequence[SectorColumn]) -> list[str]:
    try:
        line = _first_line(path)
    except UNREADABLE:
        return [damaged(path)]
    names = [name.strip().strip('"').lower() for name in line.split(";")]
    if not set(KEYS) & set(names):
        begins = f"begins with {line[:_SHOWN]!r}" if line else "is empty"
        return [f"{path.name} holds no column names between semicolons: its first line {begins}"]
    absent, _ = columns_amiss(names, year, crosswalk)
    return [f"missing column(s) {', '.join(absent)}"] if absent else []


def damaged(path: Path) -> str:
    """Say that a file cannot be read."""
    kind = "no gzip file or damaged" if path.name.lower().endswith(".gz") else "damaged"
    return f"{path.name} cannot be read: it is {kind}; download it again"


def missing_years(folder: Path, years: Sequence[int]) -> list[str]:
    """Return the years without a file and those with more than one."""
    files = {year: files_of_year(folder, year) for year in years}
    missing = [str(year) for year, found in files.items() if not found]
    problems = [f"no municipality file for {', '.join(missing)}"] if missing else []
    return problems + [
        f"{len(found)} files for {year} ({', '.join(path.name for path in found)}); keep one"
        for year, found in files.items()
        if len(found) > 1
    ]


def files_of_year(folder: Path, year: int) -> list[Path]:
    """Return the municipality files of one year in a folder; there should be one."""
    if not folder.is_dir():
        return []
    pattern = re.compile(rf"(?<!\d){year}(?!\d)")
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith((".csv", ".csv.gz"))
        and "gemeente" in path.name.lower()
        and "first_issue" not in path.name.lower()
        and pattern.search(path.name)
    )


def columns_amiss(names: Sequence[str], year: int, crosswalk: Sequence[SectorColumn]) -> tuple[list[str], list[str]]:
    """Return the columns that a year should have and lacks, and cost columns that no sector names."""
    expected = set(columns_of_year(crosswalk, year))
    absent = [name for name in (*KEYS, *COUNTS, *sorted(expected)) if name not in names]
    return absent, sorted({name for name in names if name.startswith("kosten_")} - expected)


def _first_line(path: Path) -> str:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        return file.readline().decode("utf-8-sig", "replace").strip()
