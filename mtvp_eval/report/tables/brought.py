"""Tables on what a region brings to a pooled estimate, and on practices for which the effect may differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray
from mtvp_eval.estimators.lottery_default import CONTRASTS
from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import term
from mtvp_eval.report.small_groups import betrays_few, shown_effects
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.effects import decimals
from mtvp_eval.report.tables.layout import column, table

if TYPE_CHECKING:
    import pandas as pd

_CONTRAST_NUMBERS = ("estimate", *(f"covariance_{name}" for name in CONTRASTS), "replayed_outcome", "replayed_exposure")
REPLAY_TOLERANCE = 1e-4
"""Recentring subtracts a mean over replays in single precision."""


def pooling(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the recentred effect of each outcome with its error, degrees of freedom and weight."""
    frame = _words(inputs, "pooling", language)
    columns = (
        *_effect_columns(inputs, language),
        column("practices", language, "number"),
        column("recentred", language, "number"),
        column("note", language),
    )
    return _shown("pooling", frame, columns, ("outcome",), inputs, language)


def pooling_contrasts(inputs: ReportInputs, language: str) -> ReportTable:
    """Return what each of those effects is made of, so that many regions can take off common shares of the past.

    Nothing is shown of an outcome in which a cohort of few practices counts, or from whose contrasts and the means of
    cohorts shown elsewhere a mean of few practices would follow.
    """
    frame = inputs.pooling["pooling_contrasts"].reset_index(drop=True)
    infos = [inputs.outcome(str(o)) for o in frame["outcome"]]
    few = (frame["fewest"] < inputs.min_units) | betrays_few(inputs)
    frame = frame.astype(dict.fromkeys(_CONTRAST_NUMBERS, float)).assign(
        title=[info.title[language] for info in infos],
        contrast_text=[term("contrast", str(c), language) for c in frame["contrast"]],
    )
    columns = (
        column("title", language, label="outcome"),
        column("contrast_text", language, label="contrast"),
        *(column(name, language, "number", decimals=4) for name in _CONTRAST_NUMBERS),
    )
    return _shown(
        "pooling_contrasts", frame, columns, ("outcome", "contrast"), inputs, language, few.to_numpy(np.bool_)
    )


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
    numbers = ("estimate", "std_error", "df", "ci_low", "ci_high", "practices", "recentred")
    return frame.astype({name: float for name in numbers if name in frame}).assign(
        title=[info.title[language] for info in infos],
        unit_text=[info.unit[language] for info in infos],
        decimals=[places[info.id] for info in infos],
        note=[term("reason", str(n), language) for n in frame["note"]],
    )


def _shown(
    id_: str, frame: pd.DataFrame, columns: tuple[Column, ...], key: tuple[str, ...], inputs: ReportInputs,
    language: str, more: BoolArray | None = None,
) -> ReportTable:  # fmt: skip
    """Return the table; what rests on few practices stays back, and so does an outcome whose average effect does.

    `more` (rows,) are withheld as well.
    """
    effects = shown_effects(inputs)
    rows = effects[(effects["estimand"] == "overall") & (effects["weighting"] == inputs.headline_weighting)]
    gone = frame["outcome"].astype(str).isin(set(rows.loc[rows["withheld"], "outcome"].astype(str)))
    few = frame["enrolled" if "enrolled" in frame else "practices"].between(1, inputs.min_units - 1)
    if more is not None:
        few |= more
    if "note" in frame and not any(str(note).strip() for note in frame["note"]):
        columns = tuple(c for c in columns if c.name != "note")
    keep = ("title", "unit_text", "moderator_text", "contrast_text", "note")
    return table(id_, frame, columns, key, language, (gone | few).to_numpy(np.bool_), keep)


TABLES: Mapping[str, Callable[[ReportInputs, str], ReportTable]] = {
    "heterogeneity": heterogeneity,
    "pooling": pooling,
    "pooling_contrasts": pooling_contrasts,
}
"""Tables by id; each needs the frame of that name in `ReportInputs.pooling`."""
