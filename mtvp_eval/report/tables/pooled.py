"""Tables on many regions: their means, each region in the light of the others, and for whom the effect differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mtvp_eval.estimators.lottery_default import CONTRASTS
from mtvp_eval.report.labels import term
from mtvp_eval.report.pooled_inputs import PooledInputs
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.layout import column, table

if TYPE_CHECKING:
    import pandas as pd


def pooled(inputs: PooledInputs, language: str) -> ReportTable:
    """Return the means over regions of every outcome."""
    frame = _words(inputs, "pooled", language)
    first, unit, *rest = _mean_columns(inputs, language)
    return table("pooled", frame, (first, unit, *rest), ("outcome",), language)


def regions(inputs: PooledInputs, language: str) -> ReportTable:
    """Return every region by name: its own effect, and the one drawn to the mean."""
    frame = _words(inputs, "regions", language)
    level = inputs.level
    columns = (
        column("title", language, label="outcome"),
        column("region", language),
        column("practices", language, "number", label="brings"),
        _number("own", language, "own_low", "own_high"),
        column("own_interval", language, "interval", level=level, decimals="decimals", low="own_low", high="own_high"),
        _number("shrunken", language, "low", "high"),
        column("shrunken_interval", language, "interval", level=level, decimals="decimals", low="low", high="high"),
        column("unit_text", language, label="unit"),
    )
    return table("regions", frame, columns, ("outcome", "region"), language)


def pooled_shares(inputs: PooledInputs, language: str) -> ReportTable:
    """Return which shares of the past every outcome was adjusted by, and how large those in common are."""
    frame = _words(inputs, "shares", language)
    frame = frame.assign(kind_text=[term("shares", str(kind), language) for kind in frame["kind"]])
    columns = (
        column("title", language, label="outcome"),
        column("kind_text", language, label="shares"),
        column("apart", language, label="apart"),
        column("practices", language, "number", label="sharing"),
        *(column(name, language, "number", label=f"share_{name}", decimals=3, signed=True) for name in CONTRASTS[1:]),
    )
    return table("pooled_shares", frame, columns, ("outcome",), language)


def pooled_slopes(inputs: PooledInputs, language: str) -> ReportTable:
    """Return the means over regions of how the effect changes with each declared property."""
    frame = _words(inputs, "slopes", language)
    frame = frame.assign(moderator_text=[term("moderator", str(m), language) for m in frame["moderator"]])
    first, *rest = _mean_columns(inputs, language)
    columns = (first, column("moderator_text", language, label="moderator"), *rest)
    return table("pooled_slopes", frame, columns, ("outcome", "moderator"), language)


def not_brought(inputs: PooledInputs, language: str) -> ReportTable:
    """Return which region did not bring which outcome."""
    frame = _words(inputs, "not_brought", language)
    columns = (column("region", language), column("title", language, label="outcome"))
    return table("not_brought", frame, columns, ("region", "outcome"), language)


def _mean_columns(inputs: PooledInputs, language: str) -> tuple[Column, ...]:
    def ends(name: str, low: str, high: str) -> Column:
        return column(name, language, "interval", level=inputs.level, decimals="decimals", low=low, high=high)

    return (
        column("title", language, label="outcome"),
        column("unit_text", language, label="unit"),
        column("regions", language, "number", label="regions_n"),
        _number("fixed", language, "fixed_low", "fixed_high"),
        ends("fixed_interval", "fixed_low", "fixed_high"),
        _number("random", language, "random_low", "random_high"),
        ends("random_interval", "random_low", "random_high"),
        column("between", language, "number", decimals="decimals"),
        ends("prediction", "prediction_low", "prediction_high"),
    )


def _number(name: str, language: str, low: str, high: str) -> Column:
    return column(name, language, "number", unit="=unit_text", decimals="decimals", low=low, high=high, signed=True)


def _words(inputs: PooledInputs, name: str, language: str) -> pd.DataFrame:
    frame = inputs.frames[name].reset_index(drop=True)
    infos = [inputs.outcome(str(o)) for o in frame["outcome"]]
    numbers = [c for c in frame.columns if c not in ("outcome", "region", "moderator", "kind", "apart")]
    return frame.astype(dict.fromkeys(numbers, float)).assign(
        title=[info.title[language] for info in infos],
        unit_text=[info.unit[language] for info in infos],
        decimals=[inputs.decimals(info.id) for info in infos],
    )


TABLES: Mapping[str, Callable[[PooledInputs, str], ReportTable]] = {
    "pooled": pooled,
    "regions": regions,
    "pooled_shares": pooled_shares,
    "pooled_slopes": pooled_slopes,
    "not_brought": not_brought,
}
"""Tables by id, in the order of the page."""
