"""Tables of effects on open claims data: by project and sector, by year, among untouched groups, by changed choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.report.labels import joined, number, term, text
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.open_data.layout import column, table
from mtvp_eval.report.table import Column, ReportTable

if TYPE_CHECKING:
    import pandas as pd

POINTS_TO_PER_CENT = 100.0
P_LEVEL = 0.05


def effects(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the effect of every project and set on every outcome, beside the smallest fall one would have found."""
    frame = named(inputs.overall(*inputs.outcomes), inputs, language)
    frame = frame.assign(
        fall=-frame["detectable"],
        leads=[_leads(inputs, str(r.project), str(r.outcome), language) for r in frame.itertuples()],
        note=[_gap(row, inputs, language) for row in frame.itertuples()],
    )
    columns = (
        column("label", language),
        column("title", language),
        effect_column(language),
        column("interval", language, "interval", level=inputs.level, decimals=1, low="ci_low", high="ci_high"),
        column("fall", language, "number", unit="%", decimals=1),
        column("p_value", language, "number", decimals=3),
        column("leads", language),
        column("note", language),
    )
    return table("effects", frame, columns, ("project", "outcome"), language)


def basis(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return what each effect rests on: municipalities, untouched groups and their size, breaks crossed."""
    frame = named(inputs.overall(*inputs.outcomes), inputs, language)
    frame = frame[frame["gap"] == ""].assign(error=lambda f: POINTS_TO_PER_CENT * f["std_error"])
    frame = frame.assign(breaks=[", ".join(str(words).split()) for words in frame["breaks"]])
    columns = (
        column("label", language),
        column("title", language),
        column("municipalities", language, "number"),
        column("own_regions", language, "number"),
        column("groups", language, "number"),
        column("placebo_regions", language, "number"),
        column("size_ratio", language, "number", decimals=2),
        column("error", language, "number", unit="%", decimals=1),
        column("breaks", language),
    )
    return table("basis", frame, columns, ("project", "outcome"), language)


def event_study(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the effect by years since the first full year, with the placebo interval of each."""
    frame = inputs.frames["effects"]
    frame = frame[frame["event_time"].notna() & frame["outcome"].isin(inputs.outcomes)]
    frame = named(frame, inputs, language).assign(event_time=lambda f: f["event_time"].astype(int))
    frame["when"] = [number(value, language) for value in frame["event_time"]]
    columns = (
        column("label", language),
        column("title", language),
        column("when", language, label="event_time"),
        column("municipalities", language, "number"),
        effect_column(language),
        column("interval", language, "interval", level=inputs.level, decimals=1, low="ci_low", high="ci_high"),
        column("p_value", language, "number", decimals=3),
    )
    return table("event_study", frame, columns, ("project", "outcome", "event_time"), language)


def placebo(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return where each project lies among the untouched groups, on the primary outcome."""
    import pandas as pd

    own = inputs.overall(inputs.primary).set_index("project")
    rows: list[dict[str, Any]] = []
    for name, group in inputs.frames["placebo"].groupby("project", sort=False):
        drawn = group["per_cent"].to_numpy(float)
        below, n = int((drawn < own.loc[name, "per_cent"]).sum()), len(drawn)
        low, first, third, high = np.quantile(drawn, [0.025, 0.25, 0.75, 0.975])
        rank = text("open_data.rank", language, below=below, n=n)
        rows.append(
            {
                "project": name, "per_cent": own.loc[name, "per_cent"], "p_value": own.loc[name, "p_value"],
                "rank": rank, "first": first, "third": third, "low": low, "high": high, "below": below,
            }
        )  # fmt: skip
    frame = named(pd.DataFrame(rows), inputs, language)
    columns = (
        column("label", language),
        column("per_cent", language, "number", unit="%", decimals=1, signed=True),
        column("half", language, "interval", unit="%", decimals=1, low="first", high="third"),
        column("most", language, "interval", unit="%", decimals=1, low="low", high="high"),
        column("rank", language),
        column("p_value", language, "number", decimals=3),
    )
    return table("placebo", frame, columns, ("project",), language)


def placebo_groups(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the effect of every untouched group on the primary outcome, in order."""
    frame = named(inputs.frames["placebo"], inputs, language)
    columns = (
        column("label", language),
        column("place", language),
        column("untouched", language, "number", unit="%", decimals=1, signed=True),
    )
    frame = frame.rename(columns={"rank": "place", "per_cent": "untouched"})
    return table("placebo_groups", frame, columns, ("project", "place"), language)


def placebo_size(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return how often the placebo test finds an effect when each untouched group in turn plays the project."""
    frame = named(inputs.frames["size"], inputs, language)
    columns = (
        column("label", language),
        column("title", language),
        column("trials", language, "number", label="groups"),
        column("found", language, "number", label="rejected", unit="%", decimals=1),
        column("error", language, "number", label="simulation_error", unit="%", decimals=1),
    )
    return table("placebo_size", frame, columns, ("project", "outcome"), language)


def gp_columns(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the move of every published GP column by project: a description of forms of payment."""
    frame = inputs.overall(*inputs.gp_columns)
    frame = frame[frame["kind"] == "project"]
    wide = named(_wide(frame, "outcome"), inputs, language)
    columns = tuple(
        Column(
            f"{name}_per_cent", term("open_data_outcome", name, language), "number", "%", 1,
            f"{name}_ci_low", f"{name}_ci_high", signed=True,
        )
        for name in inputs.gp_columns
    )  # fmt: skip
    return table("gp_columns", wide, (column("label", language), *columns), ("project",), language)


def sensitivity(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the effects on the primary outcome with one choice changed at a time."""
    frame = inputs.frames["sensitivity"]
    frame = frame[frame["outcome"] == inputs.primary]
    names = list(dict.fromkeys(frame["sensitivity"]))
    wide = named(_wide(frame, "sensitivity").assign(outcome=inputs.primary), inputs, language)
    columns = tuple(
        Column(
            f"{name}_per_cent", term("open_data_change", name, language), "number", "%", 1,
            f"{name}_ci_low", f"{name}_ci_high", signed=True,
        )
        for name in names
    )  # fmt: skip
    return table("sensitivity", wide, (column("label", language), *columns), ("project", "outcome"), language)


def sensitivity_all(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the effects on the other outcomes with one choice changed at a time."""
    frame = inputs.frames["sensitivity"]
    frame = frame[frame["outcome"].isin(inputs.secondary) & (frame["sensitivity"] != "declared") & (frame["gap"] == "")]
    frame = named(frame, inputs, language)
    frame = frame.assign(change=[term("open_data_change", str(name), language) for name in frame["sensitivity"]])
    columns = (
        column("label", language),
        column("title", language),
        column("change", language),
        effect_column(language),
        column("interval", language, "interval", level=inputs.level, decimals=1, low="ci_low", high="ci_high"),
        column("p_value", language, "number", decimals=3),
    )
    return table("sensitivity_all", frame, columns, ("sensitivity", "project", "outcome"), language)


def trends(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return cost over expected cost by outcome and year (rows) and project (columns), in per cent."""
    frame = inputs.frames["trends"]
    frame = frame.assign(over=POINTS_TO_PER_CENT * np.expm1(frame["log_ratio"].to_numpy(float)))
    names = list(dict.fromkeys(frame["project"]))
    wide = frame.pivot_table(index=["outcome", "year"], columns="project", values="over", sort=False).reset_index()
    wide = wide.reindex(columns=["outcome", "year", *names])
    wide["title"] = [term("open_data_outcome", str(name), language) for name in wide["outcome"]]
    columns = (
        column("title", language),
        column("year", language),
        *(Column(name, inputs.label(name, language), "number", "%", 1, signed=True) for name in names),
    )
    return table("trends", wide, columns, ("outcome", "year"), language)


def significant_leads(inputs: OpenDataInputs, project: str, outcome: str) -> tuple[int, int]:
    """Return how many years before the base lie outside the untouched groups at the level, and of how many years."""
    frame = inputs.frames["effects"]
    mine = (frame["project"] == project) & (frame["outcome"] == outcome)
    base = -1 - inputs.choices["anticipation"]
    leads = frame[mine & (frame["event_time"] < base)]
    return int((leads["p_value"] <= P_LEVEL).sum()), len(leads)


def _leads(inputs: OpenDataInputs, project: str, outcome: str, language: str) -> str:
    found, of = significant_leads(inputs, project, outcome)
    return text("open_data.of", language, found=found, of=of) if of else ""


def _gap(row: Any, inputs: OpenDataInputs, language: str) -> str:
    """Say why nothing is estimated, or which members a set does without."""
    if row.gap:
        year = "" if row.gap_year != row.gap_year or row.gap_year is None else int(row.gap_year)
        return text(f"open_data.gap.{row.gap}", language, year=year)
    if row.missing:
        names = joined([inputs.label(name, language) for name in str(row.missing).split()], language)
        return text("open_data.without", language, names=names)
    return ""


def _wide(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return one row a project, with columns ``<value of by>_per_cent``, ``_ci_low`` and ``_ci_high``."""
    values = ["per_cent", "ci_low", "ci_high"]
    wide = frame.pivot_table(index="project", columns=by, values=values, sort=False, dropna=False)
    wide = wide.reindex(list(dict.fromkeys(frame["project"])))
    wide.columns = [f"{name}_{value}" for value, name in wide.columns]
    return wide.reset_index()


def named(frame: pd.DataFrame, inputs: OpenDataInputs, language: str) -> pd.DataFrame:
    """Add the words for projects and outcomes."""
    labels = {name: inputs.label(str(name), language) for name in dict.fromkeys(frame["project"])}
    frame = frame.reset_index(drop=True).assign(label=[labels[name] for name in frame["project"]])
    if "outcome" in frame:
        frame["title"] = [term("open_data_outcome", str(name), language) for name in frame["outcome"]]
    return frame


def effect_column(language: str) -> Column:
    """Return the column of an effect in per cent with its placebo interval."""
    return column("per_cent", language, "number", unit="%", decimals=1, low="ci_low", high="ci_high", signed=True)
