"""Open one extract file, CSV or XLSX, as columns of cells with the line each row stands on; nothing is interpreted."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtvp_eval.arrays import IntArray
from mtvp_eval.data.cells import recorded
from mtvp_eval.errors import Violation

SEPARATORS = (";", ",", "\t", "|")


@dataclass(frozen=True, slots=True)
class RawColumn:
    """One column: its different cells, and for each row which of them it holds."""

    levels: Sequence[Any]
    index: IntArray


@dataclass(frozen=True, slots=True)
class RawTable:
    """One file as it stands: header, columns in the order of the header, line of each row, how it was opened."""

    header: tuple[str, ...]
    columns: tuple[RawColumn, ...]
    lines: IntArray
    encoding: str
    separator: str
    violations: tuple[Violation, ...] = ()


def open_csv(path: Path, table: str, names: frozenset[str]) -> RawTable:
    """Open a CSV file; `names` are the known column names and titles, lower case, by which the separator is found."""
    import pandas as pd

    text, encoding = _decode(path.read_bytes())
    if text is None:
        rule = "The file is not text in UTF-8 or Windows-1252"
        return _unreadable(Violation(table, "", rule, advice="Export it as CSV UTF-8."), encoding)
    first = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=lambda mark: sum(name.lower() in names for name in _header(first, mark)))
    header = _header(first, separator)
    lines, counts = _shape(text, separator)
    uneven = lines[counts != len(header)]
    if len(uneven):
        rule = "Every line must have as many cells as the header"
        advice = f"Put texts that hold the separator {separator!r} in double quotes."
        return _unreadable(Violation(table, "", rule, tuple(uneven.tolist()), advice), encoding)
    frame = pd.read_csv(
        io.StringIO(text), sep=separator, header=None, skiprows=1, dtype=object, keep_default_na=False, na_filter=False
    ) if len(lines) else pd.DataFrame(np.empty((0, len(header)), dtype=object))  # fmt: skip
    columns = [_column(frame[i].to_numpy(dtype=object)) for i in range(len(header))]
    return _without_blank(header, columns, lines, encoding, separator)


def open_xlsx(path: Path, table: str) -> RawTable:
    """Open an XLSX file: the sheet named after the table, else its only sheet; the header is row 1."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # noqa: BLE001  (openpyxl lets zip, XML and key errors through)
        rule = f"The file cannot be opened as an Excel workbook ({type(error).__name__})"
        return _unreadable(Violation(table, "", rule, advice="Save it as .xlsx or CSV UTF-8."), "xlsx")
    with_name = [name for name in book.sheetnames if name.lower() == table]
    if not with_name and len(book.sheetnames) > 1:
        rule = f"The workbook has {len(book.sheetnames)} sheets and none is named {table}"
        return _unreadable(Violation(table, "", rule, advice=f"Name one sheet {table}."), "xlsx")
    rows = list(book[(with_name or book.sheetnames)[0]].iter_rows(values_only=True))
    book.close()
    header = tuple("" if cell is None else str(cell).strip() for cell in (rows[0] if rows else ()))
    width = max((len(row) for row in rows), default=0)
    header += ("",) * (width - len(header))
    cells = [list(row) + [None] * (width - len(row)) for row in rows[1:]]
    columns = [_typed_column([row[i] for row in cells]) for i in range(width)]
    return _without_blank(header, columns, np.arange(2, len(rows) + 1, dtype=np.int64), "xlsx", "")


def _unreadable(violation: Violation, encoding: str) -> RawTable:
    return RawTable((), (), np.empty(0, dtype=np.int64), encoding, "", (violation,))


def _decode(content: bytes) -> tuple[str | None, str]:
    """Decode as UTF-8 (with or without byte order mark), else as Windows-1252; line ends become \\n."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in content:
        return None, "unknown"
    for encoding, name in (("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252")):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text.replace("\r\n", "\n").replace("\r", "\n"), name
    return None, "unknown"


def _header(line: str, separator: str) -> tuple[str, ...]:
    cells = next(csv.reader([line], delimiter=separator), [])
    return tuple(cell.strip() for cell in cells)


def _shape(text: str, separator: str) -> tuple[IntArray, IntArray]:
    """Return for each row below the header its first line in the file and its number of cells; blank lines are none."""
    if '"' in text:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        spans, start = [], 1
        for row in reader:
            spans.append((start, len(row)))
            start = reader.line_num + 1
        found = [(line, cells) for line, cells in spans if cells]
    else:
        rows = text.split("\n")
        found = [(line, row.count(separator) + 1) for line, row in enumerate(rows, 1) if row]
    below = [pair for pair in found if pair[0] > 1]
    shape = np.array(below, dtype=np.int64).reshape(-1, 2)
    return shape[:, 0], shape[:, 1]


def _column(values: Any) -> RawColumn:
    """Hold a column of texts by its different cells, cleaned."""
    import pandas as pd

    index, levels = pd.factorize(values)
    return RawColumn([recorded(cell) for cell in levels.tolist()], index.astype(np.int64))


def _typed_column(values: Sequence[Any]) -> RawColumn:
    """Hold a column of spreadsheet cells by its different cells; 1, 1.0 and TRUE are not the same cell."""
    positions: dict[tuple[type, Any], int] = {}
    index = [positions.setdefault((type(value), value), len(positions)) for value in values]
    return RawColumn([recorded(value) for _, value in positions], np.array(index, dtype=np.int64))


def _without_blank(
    header: tuple[str, ...], columns: Sequence[RawColumn], lines: IntArray, encoding: str, separator: str
) -> RawTable:
    """Drop rows without any recorded cell, and columns that have neither a name nor a recorded cell."""
    filled = [np.array([level is not None for level in c.levels] + [False], dtype=np.bool_)[c.index] for c in columns]
    keep = np.logical_or.reduce(filled) if filled else np.zeros(len(lines), dtype=np.bool_)
    wanted = [i for i, name in enumerate(header) if name or filled[i].any()]
    return RawTable(
        tuple(header[i] for i in wanted),
        tuple(RawColumn(columns[i].levels, columns[i].index[keep]) for i in wanted),
        lines[keep],
        encoding,
        separator,
    )
