"""Defects on request: extracts with one mistake of the kind that real deliveries hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class Defect(StrEnum):
    """One mistake; each is made in one table, in one way."""

    MISSING_QUARTER = "missing_quarter"
    """One practice has no row for one quarter between others."""
    DUPLICATE_ROW = "duplicate_row"
    """One row stands in the file twice."""
    WRONG_CODE = "wrong_code"
    """One cell holds a code that is not in its list."""
    LOST_ZERO = "lost_zero"
    """A spreadsheet took the codes of the practices for numbers: every leading zero of the file is gone."""


def with_defect(written: Mapping[str, pd.DataFrame], defect: Defect) -> dict[str, pd.DataFrame]:
    """Return the extracts, as written (texts), with one defect; the given ones are not changed.

    >>> import pandas as pd
    >>> with_defect({"activity": pd.DataFrame({"practice_id": ["01990001"]})}, Defect.LOST_ZERO)["activity"].iloc[0, 0]
    '1990001'
    """
    table, spoil = _SPOIL[Defect(defect)]
    return {**written, table: spoil(written[table].copy())}


def _without_a_quarter(activity: pd.DataFrame) -> pd.DataFrame:
    rows = np.flatnonzero(activity["practice_id"] == activity["practice_id"].iloc[0])
    return activity.drop(index=activity.index[rows[len(rows) // 2]])


def _with_a_row_twice(activity: pd.DataFrame) -> pd.DataFrame:
    middle = len(activity) // 2
    order = np.sort(np.append(np.arange(len(activity)), middle))
    return activity.iloc[order]


def _with_an_unknown_code(practices: pd.DataFrame) -> pd.DataFrame:
    practices.iloc[len(practices) // 2, practices.columns.get_loc("kb_status")] = "kontract"
    return practices


def _without_zeros(activity: pd.DataFrame) -> pd.DataFrame:
    return activity.assign(practice_id=activity["practice_id"].str.lstrip("0"))


_SPOIL: Mapping[Defect, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    Defect.MISSING_QUARTER: ("activity", _without_a_quarter),
    Defect.DUPLICATE_ROW: ("activity", _with_a_row_twice),
    Defect.WRONG_CODE: ("practices", _with_an_unknown_code),
    Defect.LOST_ZERO: ("activity", _without_zeros),
}
