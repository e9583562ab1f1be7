"""Tables of how the intervals were made: which and why for every outcome, and what a test of pre-trends can see."""

from __future__ import annotations

import numpy as np

from mtvp_eval.arrays import BoolArray
from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import term, text
from mtvp_eval.report.small_groups import shown_effects
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.effects import BAND_TOLERANCE, decimals
from mtvp_eval.report.tables.layout import column, percent, table

_DRAWN = 2e-2
"""Averages over simulated draws that pass a test: another order of sums moves a few of 20,000 across the border."""


_AS_ADVISED = {"satterthwaite": "HC2", "cr1": "CR1", "cr2": "CR2", "randomization": "replay"}
"""Advised interval -> how the name of an interval that follows the advice begins."""


def hidden_choices(inputs: ReportInputs) -> BoolArray:
    """Return for each row of the choices of intervals whether its numbers stay withheld: a small or withheld group."""
    frame, overall = inputs.intervals, shown_effects(inputs)
    gone = overall[(overall["estimand"] == "overall") & overall["withheld"]]["outcome"]
    few = (frame[["treated", "comparison"]] < inputs.min_units).any(axis=1)
    return (frame["outcome"].isin(set(gone)) | few).to_numpy(np.bool_)


def intervals(inputs: ReportInputs, language: str) -> ReportTable:
    """Return for each outcome's average effect who compares, the interval used, and those that stand beside it."""
    frame = inputs.intervals
    infos = [inputs.outcome(str(o)) for o in frame["outcome"]]
    places = decimals(inputs)
    frame = frame.assign(
        title=[info.title[language] for info in infos],
        unit_text=[info.unit[language] for info in infos],
        decimals=[places[info.id] for info in infos],
        used_text=[term("ci_short", str(m), language) for m in frame["used"]],
        recommended_text=[term("interval", str(m), language) for m in frame["recommended"]],
    )

    def ends(name: str, heading: str) -> tuple[Column, ...]:
        low, high = f"{name}_low", f"{name}_high"
        if not np.isfinite(frame[[low, high]].to_numpy(float)).any():
            return ()
        label = text(f"column.{heading}", language, level=percent(inputs.level))
        return (
            Column(name, label, "interval", unit="=unit_text", decimals="decimals", low=low, high=high,
                   tolerance=BAND_TOLERANCE),
        )  # fmt: skip

    followed = [
        str(u).startswith(_AS_ADVISED[str(r)]) for u, r in zip(frame["used"], frame["recommended"], strict=True)
    ]
    advised = () if all(followed) else (Column("recommended_text", text("column.recommended", language)),)
    columns = (
        Column("title", text("column.outcome", language)),
        column("treated", language, "number", decimals=0),
        column("comparison", language, "number", "compared_with", decimals=0),
        Column("used_text", text("column.used", language)),
        *advised,
        *ends("wild", "wild"),
        *ends("replay", "replay"),
        *ends("look", "all_looks"),
        Column("unit_text", text("column.unit", language)),
    )
    return table(
        "intervals", frame, columns, ("outcome",), language, hidden_choices(inputs), keep=("title", "unit_text")
    )


def pretrend_power(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the drift that a test before the start finds with a given chance, and the bias it would leave."""
    info = inputs.outcome(inputs.primary_outcome)
    places = decimals(inputs)[info.id]
    frame = inputs.pretrend_power.assign(unit_text=info.unit[language], decimals=places)
    frame = frame.assign(percent=100 * frame["power"].astype(float))
    columns = (
        Column("percent", text("column.power", language), "number", decimals=0),
        *(
            column(name, language, "number", unit="=unit_text", decimals="decimals", tolerance=_DRAWN)
            for name in ("drift", "bias", "bias_if_passed")
        ),
        Column("unit_text", text("column.unit", language)),
    )
    return table("pretrend_power", frame, columns, ("power",), language)
