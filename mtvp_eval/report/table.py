"""ReportTable: one published table, as a semantic page table, as text to compare, and as published numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from mtvp_eval.arrays import BoolArray
from mtvp_eval.errors import MtvpError
from mtvp_eval.report import labels

if TYPE_CHECKING:
    import pandas as pd

EXACT = 1e-8
"""Relative tolerance of closed-form results: sums in another order differ by less on any processor."""

_CONSTANT = {"title": "{}", "weighting_text": "{}", "unit_text": "{}", "ci_text": "{label}: {}"}
"""Columns of words that `compact` says once: in the title, or (with their heading) in the note."""

_SHORT = 14
"""Rows up to which a table is not broken over two pages."""
_NARROW = 8
"""Columns that fit the page in full size; a table of more is set smaller."""


@dataclass(frozen=True, slots=True)
class Column:
    """One shown column.

    `name` is the frame's column and part of every published id. `decimals` is a number or the name of a frame column
    that holds one a row. `low`, `high` name the columns of an interval: of the number itself when `kind` is
    "number", or shown as "low to high" when `kind` is "interval". `tolerance` is relative to max(1, |value|). `link`
    names the frame column that holds where a text leads in the page (``#heading``), empty for nowhere.
    """

    name: str
    label: str
    kind: Literal["text", "number", "interval"] = "text"
    unit: str = ""
    decimals: int | str = 0
    low: str = ""
    high: str = ""
    signed: bool = False
    tolerance: float = EXACT
    link: str = ""


@dataclass(frozen=True, slots=True)
class PublishedNumber:
    """One number of a report: id = table/row/column, value, unit, interval if any, tolerance when computed again."""

    id: str
    value: float
    unit: str
    interval: tuple[float, float] | None
    tolerance: float


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Hold one table as it is published.

    Parameters
    ----------
    id : short name, the same in every language; sheet name in the workbook.
    frame : raw values, one row a line; `key` columns name the row.
    columns : what is shown, in order; the first is the row's heading.
    withheld : (rows, columns shown) true where a value is kept back; such cells hold NaN or an empty text.
    """

    id: str
    title: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    language: str
    source: str = ""
    note: str = ""
    withheld: BoolArray | None = None
    _held: dict[str, list[Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = [self.row_id(i) for i in range(len(self.frame))]
        if len(set(ids)) != len(ids):
            raise MtvpError(
                f"Table {self.id}: the key {', '.join(self.key)} names {len(ids) - len(set(ids))} rows twice."
            )

    def row_id(self, row: int) -> str:
        """Return the stable name of a row, made of its key."""
        return ".".join(_key_text(self.value(row, name)) for name in self.key)

    def value(self, row: int, name: str) -> Any:
        """Return the raw value of one cell."""
        held = self._held.get(name)
        if held is None:  # a list is read a hundred times faster than a frame, cell by cell
            held = self._held[name] = self.frame[name].tolist()
        return held[row]

    def shown(self, row: int, column: Column) -> str:
        """Write one cell as the reader sees it."""
        if self.is_withheld(row, column):
            return labels.WITHHELD
        decimals = self._decimals(row, column)
        if column.kind == "interval":
            low, high = (float(self.value(row, name)) for name in (column.low, column.high))
            return labels.interval(low, high, self.language, decimals)
        value = self.value(row, column.name)
        if column.kind == "number":
            return labels.number(float(value), self.language, decimals, column.signed)
        return str(value) if _is_present(value) else labels.ABSENT

    def is_withheld(self, row: int, column: Column) -> bool:
        """Tell whether a cell is kept back to protect a small group."""
        return self.withheld is not None and bool(self.withheld[row, self.columns.index(column)])

    def numbers(self) -> Iterator[PublishedNumber]:
        """Yield every number that is published; a range that belongs to no number as its two ends."""
        owned = {(c.low, c.high) for c in self.columns if c.kind == "number"}
        for row in range(len(self.frame)):
            own = f"{self.id}/{self.row_id(row)}"
            for column in self.columns:
                is_owned = column.kind == "interval" and (column.low, column.high) in owned
                if column.kind == "text" or is_owned or self.is_withheld(row, column):
                    continue
                names = (column.name,) if column.kind == "number" else (column.low, column.high)
                for name in names:
                    value = float(self.value(row, name))
                    if math.isfinite(value):
                        yield PublishedNumber(
                            f"{own}/{name}",
                            value,
                            self._unit(row, column),
                            self._interval(row, column) if column.kind == "number" else None,
                            column.tolerance * max(1.0, abs(value)),
                        )

    def _interval(self, row: int, column: Column) -> tuple[float, float] | None:
        if not column.low:
            return None
        low, high = float(self.value(row, column.low)), float(self.value(row, column.high))
        return (low, high) if math.isfinite(low) and math.isfinite(high) else None

    def _unit(self, row: int, column: Column) -> str:
        return str(self.value(row, column.unit[1:])) if column.unit.startswith("=") else column.unit

    def _decimals(self, row: int, column: Column) -> int:
        return column.decimals if isinstance(column.decimals, int) else int(self.value(row, column.decimals))

    def rows(self, **only: str) -> ReportTable:
        """Return the rows in which columns have the given values; ids stay the same."""
        keep = (self.frame[list(only)].astype(str) == list(only.values())).all(axis=1).to_numpy()
        withheld = None if self.withheld is None else self.withheld[keep]
        return replace(self, frame=self.frame[keep].reset_index(drop=True), withheld=withheld)

    def select(self, *names: str) -> ReportTable:
        """Return the table with the named columns only."""
        kept = [i for i, column in enumerate(self.columns) if column.name in names]
        withheld = None if self.withheld is None else self.withheld[:, kept]
        return replace(self, columns=tuple(self.columns[i] for i in kept), withheld=withheld)

    def without(self, *names: str) -> ReportTable:
        """Return the table without the named columns."""
        return self.select(*(column.name for column in self.columns if column.name not in names))

    def compact(self) -> ReportTable:
        """Return the table as it is read: a word that stands in every row goes to the title, an empty column goes."""
        said: list[str] = []
        notes: list[str] = []
        gone: set[str] = set()
        for column in self.columns if len(self.frame) else ():
            shown = {self.shown(row, column) for row in range(len(self.frame))}
            if shown == {labels.ABSENT}:
                gone.add(column.name)
            elif column.name in _CONSTANT and len(shown) == 1 and len(self.frame) > 1:
                gone.add(column.name)
                words = _CONSTANT[column.name].format(*shown, label=column.label)
                (notes if column.name == "ci_text" else said).append(words)
        made = self.select(*(column.name for column in self.columns if column.name not in gone))
        note = " ".join(part for part in (self.note, *(f"{words}." for words in notes)) if part)
        return replace(made, title="; ".join([self.title, *said]), note=note)

    def __repr__(self) -> str:
        """Write the table as plain text that a test can compare: decimal points, ASCII signs, columns by two spaces."""
        rows = [[column.label for column in self.columns]]
        rows += [[_plain(self, row, column) for column in self.columns] for row in range(len(self.frame))]
        return "\n".join([f"{self.title} [{self.id}]", *("  ".join(cells) for cells in rows)])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" class="{c.kind}">{_heading(c)}</th>' for c in self.columns)
        body = "".join(self._row(row) for row in range(len(self.frame)))
        notes = [self.note]
        if self.withheld is not None and self.withheld.any():
            notes.append(labels.text("table.withheld", self.language, mark=labels.WITHHELD))
        if self.source:
            notes.append(labels.text("table.source", self.language, source=self.source))
        foot = " ".join(escape(note) for note in notes if note)
        shape = (" short" if len(self.frame) <= _SHORT else "") + (" wide" if len(self.columns) > _NARROW else "")
        return (
            f'<div class="table{shape}"><table><caption>{escape(self.title)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            + (f'<p class="note">{foot}</p>' if foot else "")
            + "</div>"
        )

    def _row(self, row: int) -> str:
        mark = ' class="sum"' if self.row_id(row).split(".")[-1] == "all" else ""
        return f"<tr{mark}>{''.join(self._cell(row, column) for column in self.columns)}</tr>"

    def _cell(self, row: int, column: Column) -> str:
        shown = escape(self.shown(row, column))
        if self.is_withheld(row, column):
            shown = f'<abbr title="{escape(labels.text("withheld", self.language))}">{shown}</abbr>'
        if column.link and (where := self.value(row, column.link)):
            shown = f'<a href="{escape(str(where))}">{shown}</a>'
        if column is self.columns[0]:
            return f'<th scope="row">{shown}</th>'
        return f'<td class="{column.kind}">{shown}</td>'


def _heading(column: Column) -> str:
    unit = (
        "" if column.unit.startswith("=") or not column.unit else f'<br><span class="unit">{escape(column.unit)}</span>'
    )
    return escape(column.label) + unit


def _plain(table: ReportTable, row: int, column: Column) -> str:
    shown = table.shown(row, column)
    if column.kind == "text" or shown == labels.WITHHELD:
        return shown
    if table.language == "nl":
        shown = shown.translate(str.maketrans(",.", ".,"))
    return shown.replace(",", "").replace(labels.MINUS, "-")


def _is_present(value: Any) -> bool:
    return value is not None and value == value and str(value) != ""


def _key_text(value: Any) -> str:
    if isinstance(value, float) and value == value and value.is_integer():
        return str(int(value))
    return str(value) if _is_present(value) else "all"
