"""Tables on what a region brings to a pooled estimate, and on practices for which the effect may differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import term
from mtvp_eval.report.small_groups import shown_effects
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.effects import decimals
from mtvp_eval.report.tables.layout import column, table

if TYPE_CHECKING:
    import pandas as pd

REPLAY_TOLERANCE = 1e-4
"""Recentring subtracts a mean over replays in single precision."""


def pooling(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the recentred effect of each outcome with its error, degrees of freedom and weight."""
    frame = _words(inputs, "pooling", language)
    columns = (*_effect_columns(inputs, language), column("practices", language, "number"), column("note", language))
    return _shown("pooling", frame, columns, ("outcome",), inputs, language)


def heterogeneity(inputs: ReportInputs, language: str) -> ReportTable:
    """Return how the effect changes with each moderator that was declared."""
    frame = _words(inputs, "heterogeneity", language)
    frame = frame.assign(moderator_text=[term("moderator", str(m), language) for m in frame["moderator"]])
    first, *rest = _effect_columns(inputs, language, "slope_effect")
    columns = (first, column("moderator_text", language, label="moderator"), *rest, column("note", language))
    return _shown("heterogeneity", frame, columns, ("outcome", "moderator"), inputs, language)


def _effect_columns(inputs: ReportInputs, language: str, label: str = "estimate") -> tuple[Column, ...]:
    return (
        column("title", language, label="outcome"),
        column("unit_text", language, label="unit"),
        Column(
            "estimate", column(label, language).label, "number", "=unit_text", "decimals", "ci_low", "ci_high",
            signed=True, tolerance=REPLAY_TOLERANCE,
        ),
        column(
            "interval", language, "interval", level=inputs.level, decimals="decimals", low="ci_low", high="ci_high",
            tolerance=REPLAY_TOLERANCE,
        ),
        column("std_error", language, "number", decimals="decimals"),
        column("df", language, "number", decimals=1),
    )  # fmt: skip


def _words(inputs: ReportInputs, name: str, language: str) -> pd.DataFrame:
    frame = inputs.pooling[name].reset_index(drop=True)
    infos, places = [inputs.outcome(str(o)) for o in frame["outcome"]], decimals(inputs)
    numbers = ("estimate", "std_error", "df", "ci_low", "ci_high", "practices")
    return frame.astype(dict.fromkeys(numbers, float)).assign(
        title=[info.title[language] for info in infos],
        unit_text=[info.unit[language] for info in infos],
        decimals=[places[info.id] for info in infos],
        note=[term("reason", str(n), language) for n in frame["note"]],
    )


def _shown(
    id_: str, frame: pd.DataFrame, columns: tuple[Column, ...], key: tuple[str, ...], inputs: ReportInputs,
    language: str,
) -> ReportTable:  # fmt: skip
    """Return the table; what rests on few practices stays back, and so does an outcome whose average effect does."""
    effects = shown_effects(inputs)
    rows = effects[(effects["estimand"] == "overall") & (effects["weighting"] == inputs.headline_weighting)]
    gone = frame["outcome"].astype(str).isin(set(rows.loc[rows["withheld"], "outcome"].astype(str)))
    few = frame["practices"].between(1, inputs.min_units - 1)
    if not any(str(note).strip() for note in frame["note"]):
        columns = tuple(c for c in columns if c.name != "note")
    keep = ("title", "unit_text", "moderator_text", "note")
    return table(id_, frame, columns, key, language, (gone | few).to_numpy(np.bool_), keep)


TABLES: Mapping[str, Callable[[ReportInputs, str], ReportTable]] = {"heterogeneity": heterogeneity, "pooling": pooling}
"""Tables by id; each needs the frame of that name in `ReportInputs.pooling`."""
