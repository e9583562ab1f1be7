"""Read a region's raw extracts with the dictionary's types; every refused cell becomes a violation, none a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import BoolArray, IntArray, frozen
from mtvp_eval.data import cells
from mtvp_eval.data.cells import Decision, ReadingSettings, Refusal, Undecided
from mtvp_eval.data.files import RawColumn, RawTable, open_csv, open_xlsx
from mtvp_eval.dictionary.schema import Column, Dictionary, Table
from mtvp_eval.errors import CommandError, Violation
from mtvp_eval.settings import nearest


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """How one file was read: what was decided, by what, and what was not supplied."""

    table: str
    file: str
    encoding: str
    separator: str
    decimal: Decision
    date_order: Decision
    rows: int
    not_supplied: tuple[str, ...]

    def sentence(self) -> str:
        """Say in one line how the file was read."""
        marks = {";": "semicolon", ",": "comma", "\t": "tab", "|": "bar"}
        parts = [f"{self.file}: {self.rows} rows", self.encoding]
        if self.separator:
            parts.append(f"separated by {marks[self.separator]}")
        for what, decision in (("decimal mark", self.decimal), ("dates", self.date_order)):
            if decision.basis != "not needed":
                by = {"cells": "from its cells", "setting": "by evaluation.yaml"}.get(decision.basis, "see above")
                names = {".": "point", ",": "comma", "iso": "yyyy-mm-dd", "day_first": "dd-mm-yyyy", "": "undecided"}
                parts.append(f"{what} {names[decision.form]} ({by})")
        if self.not_supplied:
            parts.append(f"without {' '.join(self.not_supplied)}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Extract:
    """One table as read: a value per row and column, the line of each row, and the cells that could not be read.

    Numbers, quarters (integer clock) and yes/no (1, 0) are float64 with NaN; dates datetime64[D] with NaT; AGB codes,
    codes and texts objects with None. A column that was not supplied is there and empty.
    """

    table: str
    columns: Mapping[str, NDArray[Any]]
    lines: IntArray
    refused: Mapping[str, BoolArray]
    report: ReadingReport

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.lines)


@dataclass(frozen=True, slots=True)
class Extracts:
    """All tables of a region that could be opened, and every violation met while reading."""

    tables: Mapping[str, Extract]
    violations: tuple[Violation, ...]

    @property
    def reports(self) -> tuple[ReadingReport, ...]:
        """How each file was read."""
        return tuple(extract.report for extract in self.tables.values())


def read_extracts(folder: Path, dictionary: Dictionary, settings: ReadingSettings | None = None) -> Extracts:
    """Read every table of the dictionary from `folder` (raw/REGION/), as `<table>.csv` or `<table>.xlsx`.

    Never raises for what the files hold: violations are collected, so that all can be said at once.

    Raises
    ------
    CommandError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise CommandError(f"There is no folder {folder.parent.name}/{folder.name}; `mtvp init` makes one.")
    tables: dict[str, Extract] = {}
    violations: list[Violation] = []
    for table in dictionary.tables.values():
        extract, found = _read_table(folder, table, settings or ReadingSettings())
        violations += found
        if extract is not None:
            tables[table.name] = extract
    return Extracts(MappingProxyType(tables), tuple(violations))


def _read_table(folder: Path, table: Table, settings: ReadingSettings) -> tuple[Extract | None, list[Violation]]:
    opened = {
        path.name: open_csv(path, table.name, _names(table)) if path.suffix == ".csv" else open_xlsx(path, table.name)
        for path in (folder / f"{table.name}.csv", folder / f"{table.name}.xlsx")
        if path.is_file()
    }
    filled = {name: raw for name, raw in opened.items() if len(raw.lines) or raw.violations}
    if len(filled) > 1:
        return None, [Violation(table.name, "", "There are two files of this table, CSV and XLSX", advice="Keep one.")]
    if not filled:
        if not table.required:
            return None, []
        rule = "The table has no rows" if opened else "The file is missing"
        advice = f"Put {table.name}.csv or {table.name}.xlsx in the region's folder."
        return None, [Violation(table.name, "", rule, advice=advice)]
    ((file, raw),) = filled.items()
    if raw.violations:
        return None, list(raw.violations)
    return _interpret(raw, table, file, settings)


def _names(table: Table) -> frozenset[str]:
    return frozenset(
        name.lower() for column in table.columns.values() for name in (column.name, column.title_nl, column.title_en)
    )


def _interpret(
    raw: RawTable, table: Table, file: str, settings: ReadingSettings
) -> tuple[Extract | None, list[Violation]]:
    columns, violations = _match(raw, table)
    if not columns:
        return None, violations
    of_type = {name: table.columns[name].type for name in columns}
    number_levels = {name: c.levels for name, c in columns.items() if of_type[name] in ("integer", "decimal")}
    whole = frozenset(name for name in number_levels if of_type[name] == "integer")
    date_levels = {name: c.levels for name, c in columns.items() if of_type[name] == "date"}
    decimal, found = _settled(cells.decide_decimal(number_levels, whole, settings), raw, table.name, columns)
    order, also = _settled(cells.decide_date_order(date_levels, settings), raw, table.name, columns)
    violations += found + also
    values: dict[str, NDArray[Any]] = {}
    refused: dict[str, BoolArray] = {}
    for name, what in table.columns.items():
        undecided = (name in number_levels and not decimal.form) or (name in date_levels and not order.form)
        if name not in columns or undecided:
            values[name] = _empty(what, len(raw.lines))
            refused[name] = np.full(len(raw.lines), undecided)
            continue
        index = columns[name].index
        read, refusals = _read_levels(columns[name], what, decimal.form, order.form, settings)
        values[name], refused[name] = read[index], np.zeros(len(raw.lines), dtype=np.bool_)
        for refusal in refusals:
            rows = refusal.levels[index]
            if rows.any():
                refused[name] |= rows
                violations.append(Violation(table.name, name, refusal.rule, _lines(raw, rows), refusal.advice))
    absent = tuple(
        name
        for name, what in table.columns.items()
        if what.presence == "may_be_absent" and (name not in columns or not _any_recorded(columns[name]))
    )
    report = ReadingReport(table.name, file, raw.encoding, raw.separator, decimal, order, len(raw.lines), absent)
    ro = MappingProxyType
    frozen_values = {name: frozen(array) for name, array in values.items()}
    return Extract(table.name, ro(frozen_values), frozen(raw.lines), ro(refused), report), violations


def _settled(
    decision: Decision | Undecided, raw: RawTable, table: str, columns: Mapping[str, RawColumn]
) -> tuple[Decision, list[Violation]]:
    """Return the decision, or an empty one with a violation for each column that kept it open."""
    if isinstance(decision, Decision):
        return decision, []
    return Decision("", "undecided"), [
        Violation(table, name, decision.rule, _lines(raw, mask[columns[name].index]), decision.advice)
        for name, mask in decision.cells.items()
    ]


def _match(raw: RawTable, table: Table) -> tuple[dict[str, RawColumn], list[Violation]]:
    """Match the header with the dictionary's names and titles; find what is unknown, there twice, or missing."""
    known: dict[str, str] = {}
    for column in table.columns.values():
        for written in (column.title_en, column.title_nl, column.name):
            known[written.lower()] = column.name
    if not any(written.lower() in known for written in raw.header):
        return {}, [Violation(table.name, "", "The first line must hold the names of the columns", (1,))]
    found: dict[str, RawColumn] = {}
    violations = []
    for position, (written, raw_column) in enumerate(zip(raw.header, raw.columns, strict=True), 1):
        name = known.get(written.lower())
        if name is None:
            hint = nearest(written, table.columns) if written else "it has no name"
            violations.append(Violation(table.name, f"column {position}", f"Unknown column; {hint}", (1,)))
        elif name in found:
            violations.append(Violation(table.name, name, "The column stands there twice", (1,)))
        else:
            found[name] = raw_column
    for name, column in table.columns.items():
        if name not in found and column.presence != "may_be_absent":
            violations.append(Violation(table.name, name, "The column is missing", (1,)))
    return found, violations


def _read_levels(
    column: RawColumn, what: Column, decimal: str, order: str, settings: ReadingSettings
) -> tuple[NDArray[Any], list[Refusal]]:
    if what.type in ("integer", "decimal"):
        return cells.numbers(column.levels, decimal, settings, whole=what.type == "integer")
    if what.type == "date":
        return cells.dates(column.levels, order)
    if what.type == "quarter":
        return cells.quarters(column.levels)
    if what.type == "agb":
        return cells.agb_codes(column.levels)
    if what.type == "yes_no":
        return cells.yes_no(column.levels)
    return cells.texts(column.levels, what.codes.codes if what.codes else ())


def _empty(what: Column, rows: int) -> NDArray[Any]:
    if what.type == "date":
        return np.full(rows, np.datetime64("NaT", "D"), dtype="datetime64[D]")
    if what.type in ("agb", "code", "text"):
        return np.full(rows, None, dtype=object)
    return np.full(rows, np.nan)


def _any_recorded(column: RawColumn) -> bool:
    return any(column.levels[i] is not None for i in np.unique(column.index).tolist())


def _lines(raw: RawTable, rows: BoolArray) -> tuple[int, ...]:
    return tuple(raw.lines[rows].tolist())
