"""Tables of the open-data report on exposed patients: who was exposed when, effects per exposed patient, euros."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtvp_eval.report.labels import number, term, text
from mtvp_eval.report.open_data.inputs import OpenDataInputs, words
from mtvp_eval.report.open_data.layout import column, table
from mtvp_eval.report.open_data.tables import POINTS_TO_PER_CENT, named
from mtvp_eval.report.table import Column, ReportTable


def exposure(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the exposed share of every calendar year of every project, with what it is made of and on what ground."""
    frame = inputs.frames["exposure"]
    frame = named(frame, inputs, language).assign(
        months=_ranges(frame, "months", language),
        practices=_ranges(frame, "practices", language),
        share_low=POINTS_TO_PER_CENT * frame["share_low"].to_numpy(float),
        share_high=POINTS_TO_PER_CENT * frame["share_high"].to_numpy(float),
        basis_text=[term("open_data_basis", str(name), language) for name in frame["basis"]],
        reason_text=frame[words("reason", language)].to_numpy(),
    )
    columns = (
        column("label", language),
        column("year", language),
        column("months", language),
        column("practices", language),
        column("share", language, "interval", unit="%", low="share_low", high="share_high"),
        column("basis_text", language),
        column("reason_text", language),
    )
    return table("exposure", frame, columns, ("project", "year"), language)


def exposed(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the effect per exposed patient where one can be given, beside the smallest one that would be found."""
    frame = inputs.frames["exposed"]
    frame = named(frame[frame["outcome"].isin(inputs.outcomes)], inputs, language)
    bounded = frame["shape"].to_numpy(str) == "interval"
    made = np.where(bounded[:, None], frame[["effect", "ci_low", "ci_high"]].to_numpy(float), np.nan)
    made *= POINTS_TO_PER_CENT
    shares = POINTS_TO_PER_CENT * frame[["uptake_low", "uptake_mean", "uptake_high"]].to_numpy(float)
    frame = frame.assign(
        share_low=shares[:, 0], share_mean=shares[:, 1], share_high=shares[:, 2],
        found=POINTS_TO_PER_CENT * frame["detectable_mean"].to_numpy(float),
        per_cent=made[:, 0], ci_low=made[:, 1], ci_high=made[:, 2],
        note=[text(f"open_data.exposed.{shape or 'none'}", language) for shape in frame["shape"].astype(str)],
    )  # fmt: skip
    columns = (
        column("label", language),
        column("title", language),
        column("share", language, "interval", unit="%", low="share_low", high="share_high"),
        column("share_mean", language, "number", unit="%"),
        column("found", language, "number", unit="%", decimals=1),
        column(
            "per_cent", language, "number", "exposed_effect", unit="%", signed=True, decimals=1, low="ci_low",
            high="ci_high",
        ),
        plain_interval(inputs, language, 1),
        column("note", language),
    )  # fmt: skip
    return table("exposed", frame, columns, ("project", "outcome"), language)


def euros(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return cost and saving per insured year in euros of the price year, beside what would have paid back the fee."""
    frame = inputs.frames["euros"]
    frame = named(frame[frame["outcome"].isin(inputs.outcomes)], inputs, language)
    ends: dict[str, Any] = {"low": "saving_low", "high": "saving_high"}
    columns = (
        column("label", language),
        column("title", language),
        _euro("cost", language, "cost"),
        _euro("saving", language, "saving", signed=True, **ends),
        column("saving_range", language, "interval", "interval", inputs.level, **ends),
        column("needed", language, "interval", decimals=1, low="needed_low", high="needed_high"),
    )
    return table("euros", frame, columns, ("project", "outcome"), language, year=int(inputs.choices["price_year"]))


def euros_exposed(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the saving per exposed patient in euros, and what is left of it after a fee paid outside the claims."""
    frame = inputs.frames["euros"]
    frame = named(frame[frame["outcome"] == inputs.primary], inputs, language)
    frame = frame.assign(times=frame["detectable"] / frame["fee"])
    columns = (
        column("label", language),
        column("title", language),
        _euro("detectable", language, "euro_found"),
        column("times", language, "number"),
        _euro("per_exposed", language, "saving", signed=True, low="per_exposed_low", high="per_exposed_high"),
        column("exposed_range", language, "interval", "plain_interval", inputs.level, low="per_exposed_low",
               high="per_exposed_high"),
        _euro("net", language, "net", signed=True, low="net_low", high="net_high"),
        column("net_range", language, "interval", "plain_interval", inputs.level, low="net_low", high="net_high"),
    )  # fmt: skip
    return table(
        "euros_exposed", frame, columns, ("project", "outcome"), language, year=int(inputs.choices["price_year"])
    )


def partial(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the mean over projects and each project drawn towards it."""
    frame = inputs.frames["partial"]
    frame = named(frame[frame["outcome"].isin(inputs.outcomes)], inputs, language)
    points = frame[["log_points", "ci_low", "ci_high"]].to_numpy(float)
    made = POINTS_TO_PER_CENT * np.expm1(points)
    frame = frame.assign(
        per_cent=made[:, 0], ci_low=made[:, 1], ci_high=made[:, 2],
        error=POINTS_TO_PER_CENT * frame["std_error"], spread=POINTS_TO_PER_CENT * frame["between_sd"],
    )  # fmt: skip
    columns = (
        column("label", language),
        column("title", language),
        column("per_cent", language, "number", unit="%", decimals=1, low="ci_low", high="ci_high", signed=True),
        column("error", language, "number", unit="%", decimals=1),
        plain_interval(inputs, language, 1),
        column("spread", language, "number", unit="%", decimals=1),
    )
    return table("partial", frame, columns, ("project", "outcome"), language)


def plain_interval(inputs: OpenDataInputs, language: str, decimals: int = 0) -> Column:
    """Return the column of an interval that is no placebo interval."""
    ends = {"low": "ci_low", "high": "ci_high"}
    return column("interval", language, "interval", "plain_interval", inputs.level, decimals=decimals, **ends)


def _euro(name: str, language: str, heading: str, **more: Any) -> Column:
    return column(name, language, "number", heading, unit=text("open_data.euro", language), **more)


def _ranges(frame: Any, name: str, language: str) -> list[str]:
    """Write two bounds as one number where they agree, else as a range."""
    ends = zip(frame[f"{name}_low"].astype(float), frame[f"{name}_high"].astype(float), strict=True)
    return [
        number(low, language) if low == high else f"{number(low, language)}–{number(high, language)}"
        for low, high in ends
    ]
