"""Prices with their price year, validity and source; moved to another price year by an index, once."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from mtvp_eval.costbenefit.parties import Evidence
from mtvp_eval.costbenefit.reading import Problems, day
from mtvp_eval.errors import LedgerError
from mtvp_eval.settings import nearest

COLUMNS = ("item", "value", "unit", "price_year", "valid_from", "valid_to", "decision", "issued_on", "source")
INDEX = "cpi"
PRICE_FILES = ("tariffs.csv", "reference_prices.csv")


@dataclass(frozen=True, slots=True)
class Index:
    """Levels of a price index by year; a price moves by the ratio of two levels.

    >>> cpi = Index({2022: 100.0, 2023: 103.8, 2024: 107.3})
    >>> round(cpi.factor(2023, 2024), 10)
    1.0337186898
    """

    level: Mapping[int, float]

    def factor(self, from_year: int, to_year: int) -> float:
        r"""Return :math:`I_{to} / I_{from}`; raise ``LedgerError`` when a year has no level."""
        missing = sorted({from_year, to_year} - set(self.level))
        if missing and from_year != to_year:
            raise LedgerError(
                f"The price index has no level for {', '.join(map(str, missing))} (it runs from {min(self.level)} to "
                f"{max(self.level)}). No published figure was found: set `inputs.cpi.{missing[-1]}` in the "
                "scenario (value: level with 2022 = 100, source, evidence: assumed)."
            )
        return 1.0 if from_year == to_year else self.level[to_year] / self.level[from_year]


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of money per unit, in euros of one price year.

    The year travels with the amount: moving twice to the same year changes nothing, so a price cannot be indexed twice.

    >>> cpi = Index({2023: 103.8, 2024: 107.3})
    >>> once = Price(11.52, 2023).moved_to(2024, cpi)
    >>> round(once.value, 4), once.moved_to(2024, cpi) == once
    (11.9084, True)
    """

    value: float
    year: int

    def __post_init__(self) -> None:
        if isinstance(self.year, bool) or not isinstance(self.year, int) or not 1990 <= self.year <= 2100:
            raise LedgerError("A price without a price year cannot be used: give the year its euros are of.")

    def moved_to(self, year: int, index: Index) -> Price:
        r"""Return the same price in euros of `year`: :math:`p \cdot I_{year} / I_{own}`."""
        return Price(self.value * index.factor(self.year, year), year)


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One amount as decided: what, how much, of which year, valid when, by which decision, from which source."""

    item: str
    value: float | None
    unit: str
    price_year: int | None
    valid_from: date
    valid_to: date | None
    decision: str
    issued_on: date | None
    source: str
    evidence: Evidence = Evidence.PUBLISHED

    def days_in(self, year: int) -> tuple[date, date] | None:
        """Return the first and last day of `year` on which the row is valid, or None."""
        first = max(self.valid_from, date(year, 1, 1))
        last = min(self.valid_to or date.max, date(year, 12, 31))
        return (first, last) if first <= last else None


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Rows of prices and the index that moves them."""

    rows: tuple[PriceRow, ...]
    index: Index

    def items(self) -> tuple[str, ...]:
        """Return the items that have a row, sorted."""
        return tuple(sorted({row.item for row in self.rows}))

    def unit(self, item: str) -> str:
        """Return what the price of an item is per, for example ``consult`` for ``EUR per consult``."""
        return next(row.unit for row in self.rows if row.item == item).removeprefix("EUR per ")

    def known_on(self, when: date) -> PriceTable:
        """Return the table as it stood on a day: rows issued later are left out, so a revision can be compared."""
        return replace(self, rows=tuple(row for row in self.rows if row.issued_on is None or row.issued_on <= when))

    def with_rows(self, rows: Iterable[PriceRow], levels: Mapping[int, float] | None = None) -> PriceTable:
        """Return the table with amounts and index levels that the user supplied (see `supplied_amounts`)."""
        return PriceTable((*self.rows, *rows), Index({**self.index.level, **(levels or {})}))

    def row_in(self, item: str, year: int) -> PriceRow:
        """Return the row of an item for a calendar year; the decision issued last stands when two are valid.

        Raises ``LedgerError`` when the item is unknown, has no row valid in the year, changes within the year, or has
        no published amount; the message names the key to set.
        """
        known = [row for row in self.rows if row.item == item]
        if not known:
            raise LedgerError(f"The price tables have no item {item}. Add a row with its source, or correct the name.")
        valid = [row for row in known if row.days_in(year)]
        priced = sorted((r for r in valid if r.value is not None), key=lambda r: r.issued_on or r.valid_from)
        published = [r for r in priced if r.evidence is Evidence.PUBLISHED]
        if priced and (not published or priced[-1] is not published[-1]):
            return priced[-1]
        if published:
            priced = published
            last = priced[-1]
            other = [r for r in priced if r.days_in(year) != last.days_in(year) and r.value != last.value]
            if other:
                raise LedgerError(
                    f"{item} has {len(other) + 1} amounts for different parts of {year}. Set `inputs.{item}.{year}` in "
                    "the scenario to the amount paid on average in that year, with price_year and source."
                )
            return last
        if valid:
            raise LedgerError(
                f"{item} has no amount for {year}: no published figure was found. Set `inputs.{item}.{year}` in the "
                f"scenario (value in {valid[0].unit}, price_year, source, evidence: assumed or contract)."
            )
        raise LedgerError(
            f"{item} has no row valid in {year}. Set `inputs.{item}.{year}` in the scenario, or fix the year of "
            "issue in the ledger."
        )

    def price(self, item: str, year: int, price_year: int) -> Price:
        """Return the price of an item valid in `year`, in euros of `price_year`.

        Raises ``LedgerError`` if the table gives the item no price year.
        """
        row = self.row_in(item, year)
        if row.value is None or row.price_year is None:
            raise LedgerError(f"{item}: a price without a price year cannot be used. Fill price_year in the table.")
        return Price(row.value, row.price_year).moved_to(price_year, self.index)


def supplied_amounts(
    inputs: Mapping[str, Any], table: PriceTable, problems: Problems
) -> tuple[tuple[PriceRow, ...], dict[int, float]]:
    """Return the price rows and index levels that a user supplied; problems are noted, not raised.

    ``inputs.<item>.<year>`` is the amount of one year and goes before a published one (a contract may be below the
    maximum tariff); ``inputs.<item>`` without year fills the years that have no published amount; ``inputs.cpi.<year>``
    is a level of the price index.
    """
    rows: list[PriceRow] = []
    levels: dict[int, float] = {}
    for item, entry in inputs.items():
        if item != INDEX and item not in table.items():
            problems.add(f"inputs.{item}", f"unknown item; {nearest(str(item), table.items())}")
        elif not isinstance(entry, Mapping):
            problems.add(
                f"inputs.{item}", "must hold value, price_year, source and evidence, or a year that holds them"
            )
        elif item == INDEX:
            for year, level in entry.items():
                where = f"inputs.{INDEX}.{year}"
                if problems.keys(level, where, ("value", "source", "evidence")):
                    levels[problems.year(year, where)] = problems.number(level["value"], f"{where}.value", low=1e-9)
        elif "value" in entry:
            rows += _supplied(f"inputs.{item}", item, entry, None, table, problems)
        else:
            for year, amount in entry.items():
                where = f"inputs.{item}.{year}"
                rows += _supplied(where, item, amount, problems.year(year, where), table, problems)
    return tuple(rows), levels


def _supplied(
    where: str, item: str, entry: Any, year: int | None, table: PriceTable, problems: Problems
) -> list[PriceRow]:
    """One supplied amount as a row, or no row when it breaks a rule."""
    if not problems.keys(entry, where, ("value", "price_year", "source", "evidence")) or year == 0:
        return []
    value = problems.number(entry["value"], f"{where}.value", low=0.0)
    price_year = problems.year(entry["price_year"], f"{where}.price_year")
    if entry["evidence"] not in (Evidence.ASSUMED, Evidence.CONTRACT):
        problems.add(f"{where}.evidence", "must be assumed or contract")
        return []
    first, last, issued = (date(year, 1, 1), date(year, 12, 31), date.max) if year else (date.min, None, date.min)
    unit, source, evidence = f"EUR per {table.unit(item)}", str(entry["source"]), Evidence(entry["evidence"])
    return [PriceRow(item, value, unit, price_year, first, last, "supplied in the scenario", issued, source, evidence)]


def read_price_table(folder: Path) -> PriceTable:
    """Read the tariffs, reference prices and index of a price folder.

    Parameters: `folder`, the folder with ``tariffs.csv``, ``reference_prices.csv`` and ``indices.csv``. Raises
    ``LedgerError`` with every row that breaks a rule.
    """
    problems = Problems(f"{folder.name}/")
    rows = [row for name in PRICE_FILES for row in read_rows(folder / name, problems)]
    for row in rows:
        if row.value is not None and row.price_year is None:
            problems.add(row.item, "a price without a price year")
        if not row.unit.startswith("EUR per "):
            problems.add(row.item, "the unit of a price must start with `EUR per `")
    levels = {row.price_year: row.value for row in read_rows(folder / "indices.csv", problems) if row.item == INDEX}
    problems.raise_if_any()
    return PriceTable(tuple(rows), Index({year: level for year, level in levels.items() if year and level}))


def read_rows(path: Path, problems: Problems) -> list[PriceRow]:
    """Read one price file; note what breaks a rule, with file and line."""
    if not path.is_file():
        problems.add(path.name, "is not there")
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            problems.add(path.name, f"must have the columns {', '.join(COLUMNS)}")
            return []
        rows = []
        for line, cells in enumerate(reader, start=2):
            try:
                rows.append(_row(cells))
            except ValueError as error:
                problems.add(f"{path.name} line {line}", f"a cell cannot be read ({type(error).__name__})")
    return rows


def _row(cells: Mapping[str, str]) -> PriceRow:
    return PriceRow(
        item=cells["item"],
        value=float(cells["value"]) if cells["value"] else None,
        unit=cells["unit"],
        price_year=int(cells["price_year"]) if cells["price_year"] else None,
        valid_from=day(cells["valid_from"]) or date.min,
        valid_to=day(cells["valid_to"]),
        decision=cells["decision"],
        issued_on=day(cells["issued_on"]),
        source=cells["source"],
    )
