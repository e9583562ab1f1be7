"""Tables of how far conclusions carry: intervals if trends differ, and p-values within the declared families."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import term, text
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.effects import BAND_TOLERANCE, decimals
from mtvp_eval.report.tables.layout import column, percent, table

if TYPE_CHECKING:
    import pandas as pd

_SEARCHED = 1e-3
"""Ends found by a search over a flat optimum, or on a grid: relative to the value."""


def trend_sensitivity(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the intervals of the primary outcome for each bound on how far trends differ, with breakdown values."""
    frame, info = inputs.trend_sensitivity, inputs.outcome(inputs.primary_outcome)
    frame = frame.assign(
        target=[term("target", str(e), language) for e in frame["estimand"]],
        restricted=[term("restriction", str(r), language) for r in frame["restriction"]],
        decimals=decimals(inputs)[info.id],
        unit_text=info.unit[language],
    )
    columns = (
        Column("target", text("column.target", language)),
        column("quarters", language, "number"),
        Column("restricted", text("column.restriction", language)),
        column("mbar", language, "number", decimals=2),
        Column(
            "interval", text("column.robust_interval", language, level=percent(inputs.level)), "interval",
            unit="=unit_text", decimals="decimals", low="low", high="high", tolerance=_SEARCHED,
        ),
        column("breakdown", language, "number", decimals=2, tolerance=_SEARCHED),
    )  # fmt: skip
    return table("trend_sensitivity", frame, columns, ("window", "estimand", "restriction", "mbar"), language)


def multiplicity(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the p-value of each outcome's average effect, adjusted within its declared family."""
    frame = inputs.multiplicity
    order = frame["family"].map({"primary": 0, "secondary": 1, "exploratory": 2})
    frame = frame.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)
    frame = frame.assign(
        title=[inputs.outcome(str(o)).title[language] for o in frame["outcome"]],
        family_text=[term("family", str(f), language) for f in frame["family"]],
        adjustment_text=[term("adjustment", str(a), language) for a in frame["adjustment"]],
    )
    columns = (
        Column("title", text("column.outcome", language)),
        Column("family_text", text("column.family", language)),
        column("p", language, "number", decimals=3),
        column("p_adjusted", language, "number", decimals=2, tolerance=BAND_TOLERANCE),
        Column("adjustment_text", text("column.adjustment", language)),
    )
    return table("multiplicity", _declared(frame), columns, ("outcome",), language)


def _declared(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out outcomes without a p-value: their row in the table of effects says why."""
    return frame[frame["p"].notna()]
