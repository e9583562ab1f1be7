"""How a table of the open-data report is put together: words from the texts, Vektis and CBS cited under each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtvp_eval.report.labels import text
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.layout import percent

if TYPE_CHECKING:
    import pandas as pd


def column(name: str, language: str, kind: Any = "text", label: str = "", level: float = 0.95, **more: Any) -> Column:
    """Return a column whose heading is the text ``open_data.column.<name>`` (or ``.<label>``)."""
    heading = text(f"open_data.column.{label or name}", language, level=percent(level))
    return Column(name, heading, kind, **more)


def table(
    id_: str, frame: pd.DataFrame, columns: tuple[Column, ...], key: tuple[str, ...], language: str, **blanks: object
) -> ReportTable:
    """Return the published table with its title (`blanks` filled), note and source."""
    return ReportTable(
        id=id_,
        title=text(f"open_data.table.{id_}.title", language, **blanks),
        frame=frame.reset_index(drop=True),
        columns=columns,
        key=key,
        language=language,
        note=text(f"open_data.table.{id_}.note", language),
        source=text("open_data.source", language),
    )
