"""Empty extracts with the dictionary's headers, for a region that starts."""

from __future__ import annotations

from pathlib import Path

from mtvp_eval.dictionary.schema import Dictionary, Table

_AS_TEXT = ("agb", "quarter", "code", "text")


def init_region(root: Path, region: str, dictionary: Dictionary) -> tuple[Path, ...]:
    """Write empty extracts, CSV and XLSX, to `root`/raw/REGION and return what was written.

    Files that are there already stay as they are. Columns of codes and quarters are text in the workbooks, so that a
    spreadsheet keeps leading zeros.
    """
    folder = root / "raw" / region
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in dictionary.tables.values():
        csv_path, xlsx_path = folder / f"{table.name}.csv", folder / f"{table.name}.xlsx"
        if csv_path.exists() or xlsx_path.exists():
            continue
        # A byte order mark tells Excel that the file is UTF-8.
        csv_path.write_text(";".join(table.columns) + "\n", encoding="utf-8-sig", newline="\n")
        _workbook(table, xlsx_path)
        written += [csv_path, xlsx_path]
    return tuple(written)


def _workbook(table: Table, path: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.active
    sheet.title = table.name
    sheet.freeze_panes = "A2"
    for position, column in enumerate(table.columns.values(), 1):
        sheet.cell(row=1, column=position, value=column.name).font = Font(bold=True)
        letter = get_column_letter(position)
        sheet.column_dimensions[letter].width = max(14, len(column.name) + 2)
        if column.type in _AS_TEXT:
            sheet.column_dimensions[letter].number_format = "@"
    book.save(path)
