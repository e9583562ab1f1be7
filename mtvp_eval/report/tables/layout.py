"""How a table of this report is put together: title and headings from the texts, rows withheld where a mask says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import BoolArray
from mtvp_eval.report.labels import text
from mtvp_eval.report.table import Column, ReportTable

if TYPE_CHECKING:
    import pandas as pd


def column(name: str, language: str, kind: Any = "text", label: str = "", level: float = 0.95, **more: Any) -> Column:
    """Return a column whose heading is the text ``column.<name>`` (or ``column.<label>``)."""
    heading = text(f"column.{label or name}", language, level=percent(level))
    return Column(name, heading, kind, **more)


def percent(level: float) -> str:
    """Write a level without needless decimals.

    >>> percent(0.95), percent(0.995)
    ('95', '99.5')
    """
    return f"{100 * level:g}"


def table(
    id_: str,
    frame: pd.DataFrame,
    columns: tuple[Column, ...],
    key: tuple[str, ...],
    language: str,
    withheld_rows: BoolArray | None = None,
    keep: tuple[str, ...] = (),
    note: str | None = None,
) -> ReportTable:
    """Return the published table; in withheld rows everything but the columns `keep` (and the key) goes."""
    frame = frame.reset_index(drop=True)
    hidden = None
    if withheld_rows is not None and withheld_rows.any():
        open_ = [c.name in (*key, *keep) for c in columns]
        hidden = withheld_rows[:, None] & ~np.array(open_, dtype=np.bool_)[None, :]
        frame = frame.copy()
        for c in columns:
            gone = [name for name in (c.name, c.low, c.high) if name and name in frame and name not in (*key, *keep)]
            for name in gone:
                blank = np.nan if c.kind != "text" else ""
                values = frame[name].astype(float) if c.kind != "text" else frame[name].astype(object)
                frame[name] = values.mask(withheld_rows, blank)
    return ReportTable(
        id=id_,
        title=text(f"table.{id_}.title", language),
        frame=frame,
        columns=columns,
        key=key,
        language=language,
        note=text(f"table.{id_}.note", language) if note is None else note,
        withheld=hidden,
    )
