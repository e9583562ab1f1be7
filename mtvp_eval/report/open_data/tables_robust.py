"""Tables of the open-data report on what effects hang on: trends that may differ, synthetic comparisons, estimators."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mtvp_eval.report.labels import number, term, text
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.open_data.layout import column, table
from mtvp_eval.report.open_data.tables import named
from mtvp_eval.report.table import Column, ReportTable

if TYPE_CHECKING:
    import pandas as pd


def robust(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the intervals that allow trends to change by a multiple of their largest change before the start."""
    return _bounded(inputs, language, "robust", "relative_magnitudes")


def robust_slope(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the intervals that allow the slope to change a year, in standard errors of the effect."""
    return _bounded(inputs, language, "robust_slope", "smoothness")


def robust_sectors(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return, for other outcomes, how far trends may change before the interval holds zero, and the interval then."""
    frame = inputs.frames["robust"]
    made = _bounded(inputs, language, "robust_sectors", "relative_magnitudes")
    kept = made.frame[made.frame["outcome"].isin(inputs.secondary) & made.frame["low0"].notna()]
    first = frame.drop_duplicates(["project", "outcome", "window"]).set_index(["project", "outcome", "window"])
    at = kept.set_index(["project", "outcome", "window"]).index
    kept = kept.assign(breakdown=first["breakdown"].reindex(at).replace(0.0, float("nan")).to_numpy())
    shown = [c for c in made.columns if c.name not in ("window_text", "note")]
    columns = (*shown, column("breakdown", language, "number", decimals=2), made.columns[-1])
    return replace(made, frame=kept.reset_index(drop=True), columns=columns)


def synthetic(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return every synthetic control that can be made, with its fit, concentration and placebos."""
    frame = inputs.frames["synthetic"]
    frame = named(frame[frame["refused"] == ""], inputs, language)
    frame["largest"] = 100.0 * frame["largest_weight"].astype(float)
    columns = (
        column("label", language),
        column("title", language),
        column("estimate", language, "number", "per_cent", unit="%", decimals=1, signed=True),
        column("p_value", language, "number", decimals=2),
        column("pre_rmspe", language, "number", "fit", unit="%", decimals=2),
        column("placebo_rmspe", language, "number", "placebo_fit", unit="%", decimals=2),
        column("largest", language, "number", unit="%"),
        column("effective_donors", language, "number"),
        column("without", language, "interval", unit="%", decimals=1, low="without_low", high="without_high"),
        column("in_time", language, "number", unit="%", decimals=1, signed=True),
    )
    return table("synthetic", frame, columns, ("project", "outcome"), language)


def synthetic_refused(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return why a project has no synthetic control on an outcome."""
    frame = inputs.frames["synthetic"]
    frame = named(frame[frame["refused"] != ""], inputs, language)
    frame["reason_text"] = [
        text(f"open_data.synthetic.{row.refused}", language, years=row.clean_years, first=row.first_year)
        for row in frame.itertuples()
    ]
    columns = (column("label", language), column("title", language), column("reason_text", language))
    return table("synthetic_refused", frame, columns, ("project", "outcome"), language)


def synthetic_did(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return every synthetic DiD that can be made, beside the declared effect and its placebo interval."""
    frame = inputs.frames["synthetic"]
    own = inputs.overall(*inputs.outcomes)[["project", "outcome", "per_cent", "ci_low", "ci_high"]]
    frame = frame[frame["did_estimate"].notna()].merge(own, on=["project", "outcome"])
    columns = (
        column("label", language),
        column("title", language),
        column("clean_years", language, "number"),
        column("did_estimate", language, "number", "per_cent", unit="%", decimals=1, signed=True),
        column("did_rmspe", language, "number", "fit", unit="%", decimals=2),
        column("did_donors", language, "number", "effective_donors"),
        column("per_cent", language, "number", "declared", unit="%", decimals=1, low="ci_low", high="ci_high",
               signed=True),
        column("interval", language, "interval", level=inputs.level, decimals=1, low="ci_low", high="ci_high"),
    )  # fmt: skip
    return table("synthetic_did", named(frame, inputs, language), columns, ("project", "outcome"), language)


def methods(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the declared effect on the primary outcome beside those of other estimators."""
    frame = inputs.frames["methods"]
    names = list(dict.fromkeys(frame["method"]))
    wide = frame.pivot_table(index="project", columns="method", values="per_cent", sort=False, dropna=False)
    declared = inputs.overall(inputs.primary).set_index("project")["per_cent"].rename("declared")
    wide = declared.to_frame().join(wide).reset_index().assign(outcome=inputs.primary)
    columns = (
        column("label", language),
        *(
            Column(name, term("open_data_method", name, language), "number", "%", 1, signed=True)
            for name in ("declared", *names)
        ),
    )
    return table("methods", named(wide, inputs, language), columns, ("project", "outcome"), language)


def _bounded(inputs: OpenDataInputs, language: str, id_: str, restriction: str) -> ReportTable:
    """Return one row a project, outcome and window: the years before, one interval a bound, and why there is none."""
    frame = inputs.frames["robust"]
    keys = ["project", "outcome", "window"]
    mine = frame[frame["restriction"] == restriction]
    bounds = sorted(set(mine["bound"].astype(float)))
    asked = frame.drop_duplicates(keys)
    rows = [_row(row, mine, bounds, language) for row in asked.itertuples()]
    made = named(_frame(rows, asked, bounds), inputs, language)
    made["window_text"] = [term("open_data_window", str(name), language) for name in made["window"]]
    columns = (
        column("label", language),
        column("title", language),
        column("window_text", language),
        column("before", language),
        *(
            Column(f"at{i}", _heading(restriction, bound, language), "interval", "%", 1, f"low{i}", f"high{i}")
            for i, bound in enumerate(bounds)
        ),
        column("note", language),
    )  # fmt: skip
    return table(id_, made, columns, ("project", "outcome", "window"), language)


def _heading(restriction: str, bound: float, language: str) -> str:
    written = number(bound, language, 0 if bound.is_integer() else 1)
    return text(f"open_data.bound.{restriction}", language, bound=written)


def _row(row: Any, mine: pd.DataFrame, bounds: list[float], language: str) -> dict[str, Any]:
    here = mine[(mine["project"] == row.project) & (mine["outcome"] == row.outcome) & (mine["window"] == row.window)]
    made: dict[str, Any] = {
        "project": row.project, "outcome": row.outcome, "window": row.window, "before": _span(str(row.before)),
        "note": _note(row, here, language),
    }  # fmt: skip
    for i, bound in enumerate(bounds):
        at = here[here["bound"] == bound]
        made |= {f"low{i}": float(at["low"].iloc[0]) if len(at) else float("nan")}
        made |= {f"high{i}": float(at["high"].iloc[0]) if len(at) else float("nan")}
    return made


def _frame(rows: list[dict[str, Any]], asked: pd.DataFrame, bounds: list[float]) -> pd.DataFrame:
    import pandas as pd

    ends = [f"{end}{i}" for i in range(len(bounds)) for end in ("low", "high")]
    columns = ["project", "outcome", "window", "before", "note", *ends]
    return pd.DataFrame(rows, columns=columns) if rows else asked.reindex(columns=columns)


def _note(row: Any, here: pd.DataFrame, language: str) -> str:
    if row.refused:
        return text(f"open_data.robust.{row.refused}", language)
    said = [text("open_data.robust.open_end", language)] if here["open_end"].any() else []
    said += [text("open_data.robust.few", language)] if here["few"].any() else []
    return "; ".join(said)


def _span(years: str) -> str:
    """Write years as their first and last: ``2015–2017``."""
    parts = years.split()
    return parts[0] if len(parts) == 1 else f"{parts[0]}–{parts[-1]}" if parts else ""
