"""Memory: the tables of a simulated region as the reader would give them, without files in between."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import frozen
from mtvp_eval.data.cells import Decision
from mtvp_eval.data.extracts import Extract, Extracts, ReadingReport
from mtvp_eval.dictionary.schema import Column, Dictionary, Table

if TYPE_CHECKING:
    import pandas as pd

_NOT_NEEDED = Decision("", "not needed")


def as_read(extracts: Mapping[str, pd.DataFrame], dictionary: Dictionary) -> Extracts:
    """Return what the reader returns for the written files of a region: the same values, no violations.

    For many regions in a row; validation, linking and everything after them is the same code as for files.
    """
    tables = {name: _table(extracts[name], table) for name, table in dictionary.tables.items() if name in extracts}
    return Extracts(MappingProxyType(tables), ())


def _table(frame: pd.DataFrame, table: Table) -> Extract:
    rows = len(frame)
    columns = {name: _column(frame, column, rows) for name, column in table.columns.items()}
    absent = tuple(n for n, column in table.columns.items() if column.presence == "may_be_absent" and n not in frame)
    report = ReadingReport(table.name, f"{table.name}.csv", "UTF-8", ";", _NOT_NEEDED, _NOT_NEEDED, rows, absent)
    refused = {name: np.zeros(rows, dtype=np.bool_) for name in table.columns}
    return Extract(
        table.name, MappingProxyType(columns), frozen(np.arange(2, rows + 2)), MappingProxyType(refused), report
    )


def _column(frame: pd.DataFrame, column: Column, rows: int) -> NDArray[Any]:
    if column.type == "date":
        values = frame[column.name].to_numpy() if column.name in frame else np.full(rows, np.datetime64("NaT", "D"))
        return frozen(values.astype("datetime64[D]"))
    if column.type in ("agb", "code", "text"):
        return frozen(np.array(frame[column.name], dtype=object) if column.name in frame else np.full(rows, None))
    return frozen(frame[column.name].to_numpy(dtype=np.float64) if column.name in frame else np.full(rows, np.nan))
