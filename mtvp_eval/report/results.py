"""The numbers of a report as files: results.json, tables.xlsx, manifest.json; the same numbers give the same bytes."""

from __future__ import annotations

import hashlib
import json
import math
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from mtvp_eval.costbenefit.ledger_sheet import write_ledger_sheet
from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.report.inputs import Priced
from mtvp_eval.report.labels import WITHHELD
from mtvp_eval.report.table import PublishedNumber, ReportTable

LANGUAGE = "en"
DIGITS = 10
"""Significant digits written: two more than the tolerance of closed-form results, fewer than processors disagree in."""
RESULTS, TABLES, MANIFEST = "results.json", "tables.xlsx", "manifest.json"
LIVE_LEDGER = "ledger_live"
LIVE_NOTE = (
    "change a coloured cell (price, effect, uptake, a share, patient-years) and read the result in its first rows"
)
_SOME_DAY = (1980, 1, 1, 0, 0, 0)


class Published(Protocol):
    """What the files of a report are made from: `ReportInputs` of a region, or `OpenDataInputs`."""

    @property
    def region(self) -> str: ...  # noqa: D102
    @property
    def simulated(self) -> bool: ...  # noqa: D102
    @property
    def level(self) -> float: ...  # noqa: D102
    @property
    def priced(self) -> Priced | None: ...  # noqa: D102
    @property
    def result(self) -> NetBenefit | None: ...  # noqa: D102
    @property
    def manifest(self) -> Mapping[str, Any]: ...  # noqa: D102
    def tables(self, language: str) -> tuple[ReportTable, ...]: ...  # noqa: D102


def published_numbers(inputs: Published) -> tuple[PublishedNumber, ...]:
    """Return every published number of every table."""
    return tuple(n for table in inputs.tables(LANGUAGE) for n in table.numbers())


def results(inputs: Published) -> dict[str, Any]:
    """Return the content of `results.json`: every published number, and the full covariance of what is priced."""
    return {
        "region": inputs.region,
        "simulated": inputs.simulated,
        "level": inputs.level,
        "numbers": [_number(n) for n in published_numbers(inputs)],
        "priced": None if inputs.priced is None else _priced(inputs.priced),
    }


def write_results(folder: Path, inputs: Published) -> None:
    """Write `results.json` and `tables.xlsx` into a folder."""
    content = json.dumps(results(inputs), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / RESULTS).write_text(content + "\n", encoding="utf-8", newline="\n")
    (folder / TABLES).write_bytes(workbook(inputs.tables(LANGUAGE), inputs.result))


def write_manifest(
    folder: Path, stable: Mapping[str, Any], parameters: Mapping[str, Any], files: Iterable[str]
) -> None:
    """Write `manifest.json`: what the report was made from, its parameters, and the hash of every published file."""
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(files)}
    content = {**stable, "parameters": dict(parameters), "files": hashes}
    written = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(written + "\n", encoding="utf-8", newline="\n")


def workbook(tables: Sequence[ReportTable], result: NetBenefit | None = None) -> bytes:
    """Return a workbook with an index and one sheet a table: ids as in the results, units and sources as columns.

    Where there is a net benefit, the sheet `LIVE_LEDGER` holds it with live formulas: change a price, an effect, a
    share or patient-years and read the result at its top.
    """
    import openpyxl
    from openpyxl.styles import Font
    from openpyxl.worksheet.properties import PageSetupProperties

    book = openpyxl.Workbook()
    index = book.active
    index.title = "index"
    index.append(["sheet", "title", "rows", "note"])
    for table in tables:
        index.append([table.id, table.title, len(table.frame), table.note])
        sheet = book.create_sheet(table.id[:31])
        for row in sheet_rows(table):
            sheet.append(row)
    if result is not None:
        index.append([LIVE_LEDGER, "the ledger with live formulas", len(result.ledger.lines), LIVE_NOTE])
        live = book.create_sheet(LIVE_LEDGER, 1)
        write_ledger_sheet(live, result)
        _round_cells(live)
    for sheet in book.worksheets:
        sheet.freeze_panes = "A2"
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        if sheet.title != LIVE_LEDGER:
            for letter, width in (("A", 42), ("B", 36)):
                sheet.column_dimensions[letter].width = width
        sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    buffer = BytesIO()
    book.save(buffer)
    return _without_dates(buffer.getvalue())


def sheet_rows(table: ReportTable) -> list[list[Any]]:
    """Return the rows of a table's sheet: id, shown columns, ends of intervals, unit and source."""
    units = {c.unit for c in table.columns if c.unit and not c.unit.startswith("=")}
    has_unit_text = "unit_text" in table.frame
    head = ["id", *(name for c in table.columns for name, _ in _cells(table, 0, c, head=True)), "unit", "source"]
    rows: list[list[Any]] = [head]
    for row in range(len(table.frame)):
        cells = [value for c in table.columns for _, value in _cells(table, row, c)]
        unit = table.value(row, "unit_text") if has_unit_text else "; ".join(sorted(units))
        rows.append([f"{table.id}/{table.row_id(row)}", *cells, str(unit), table.source or "mtvp_eval"])
    return rows


def _round_cells(sheet: Any) -> None:
    """Keep as many digits of every number as every processor agrees on; formulas stay."""
    for row in sheet.iter_rows():
        for cell in row:
            if isinstance(cell.value, float):
                cell.value = _rounded(cell.value)


def _cells(table: ReportTable, row: int, column: Any, head: bool = False) -> list[tuple[str, Any]]:
    names = [column.name] if column.kind != "interval" else [column.low, column.high]
    if head:
        return [(name.removesuffix("_text"), None) for name in names]
    if table.is_withheld(row, column):
        return [(name, WITHHELD) for name in names]
    values = [table.value(row, name) for name in names]
    return [(n, _plain(v) if column.kind != "text" else str(v)) for n, v in zip(names, values, strict=True)]


def _plain(value: Any) -> float | None:
    number = float(value)
    return _rounded(number) if math.isfinite(number) else None


def _rounded(value: float) -> float:
    """Keep as many digits as every processor agrees on."""
    return float(f"{value:.{DIGITS}g}")


def _number(number: PublishedNumber) -> dict[str, Any]:
    interval = None if number.interval is None else [_rounded(end) for end in number.interval]
    return {
        "id": number.id,
        "value": _rounded(number.value),
        "unit": number.unit,
        "interval": interval,
        "tolerance": float(f"{number.tolerance:.2g}"),
    }


def _priced(priced: Priced) -> dict[str, Any]:
    return {
        "names": list(priced.names),
        "estimate": [_rounded(float(v)) for v in priced.estimate],
        "covariance": [[_rounded(float(v)) for v in row] for row in priced.covariance],
        "df": None if priced.df is None or not math.isfinite(priced.df) else _rounded(priced.df),
    }


def _without_dates(content: bytes) -> bytes:
    """Return the workbook with the same day in every place where the writer puts the present one."""
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            part = source.read(name)
            if name == "docProps/core.xml":
                part = re.sub(rb"(<dcterms:\w+[^>]*>)[^<]*", rb"\g<1>1980-01-01T00:00:00Z", part)
            target.writestr(zipfile.ZipInfo(name, _SOME_DAY), part, zipfile.ZIP_DEFLATED)
    return made.getvalue()
