"""Tables of the open-data report that hold no effect: projects, places, files, sectors, breaks."""

from __future__ import annotations

from mtvp_eval.report.labels import joined, number, term, text
from mtvp_eval.report.open_data.inputs import OpenDataInputs, words
from mtvp_eval.report.open_data.layout import column, table
from mtvp_eval.report.table import ReportTable

MILLION = 1e6


def projects(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the projects: first full year, last year observed, size, and the share of patients exposed."""
    frame = inputs.frames["projects"]
    ends = frame["last_full_year"].fillna(inputs.last_year).clip(upper=inputs.last_year)
    pairs = zip(frame["practices_low"].astype(int), frame["practices_high"].astype(int), strict=True)
    frame = frame.assign(
        label=frame[words("label", language)],
        last=ends.astype(int),
        share_mean=100 * frame["uptake_mean"],
        practices=[str(low) if low == high else f"{low}–{high}" for low, high in pairs],
        share_low=100 * frame["uptake_low"],
        share_high=100 * frame["uptake_high"],
    )
    columns = (
        column("label", language),
        column("insurer", language),
        column("start_as_published", language),
        column("first_full_year", language),
        column("last", language),
        column("municipalities", language, "number"),
        column("insured_years", language, "number"),
        column("practices", language),
        column("share", language, "interval", unit="%", low="share_low", high="share_high"),
        column("share_mean", language, "number", unit="%"),
    )
    return table("projects", frame, columns, ("project",), language)


def reasons(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return why each first full year and each exposed share was taken."""
    frame = inputs.frames["projects"]
    frame = frame.assign(
        label=frame[words("label", language)],
        timing=frame[words("timing_reason", language)],
        uptake=frame[words("uptake_reason", language)],
    )
    columns = (column("label", language), column("timing", language), column("uptake", language))
    return table("reasons", frame, columns, ("project",), language)


def municipalities(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return which municipalities each project reached or may have reached, on what ground."""
    reason, shown = words("reason", language), words("shown", language)
    groups = inputs.frames["municipalities"].groupby(["project", "status", "basis", reason], sort=False)
    rows = groups[shown].agg(lambda names: joined(list(names), language)).reset_index()
    rows = rows.assign(
        part=[str(i) for i in range(len(rows))],
        label=[inputs.label(str(name), language) for name in rows["project"]],
        names=rows[shown],
        status_text=[term("open_data_status", str(s), language) for s in rows["status"]],
        basis_text=[term("open_data_basis", str(b), language) for b in rows["basis"]],
        reason_text=rows[reason],
    )
    columns = tuple(column(name, language) for name in ("label", "status_text", "names", "basis_text", "reason_text"))
    return table("municipalities", rows, columns, ("project", "part"), language)


def places(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return where the map puts each project."""
    frame = inputs.frames["places"]
    frame = frame.assign(
        label=[inputs.label(str(name), language) for name in frame["project"]], town=frame[words("place", language)]
    )
    columns = (
        column("label", language),
        column("town", language),
        column("lon", language, "number", unit="°", decimals=2),
        column("lat", language, "number", unit="°", decimals=2),
    )
    return table("places", frame, columns, ("project", "place"), language)


def account(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return rows, insured years and euro of every file, and what stands in its rest row."""
    frame = inputs.frames["account"]
    whole, rest, towns, panel = (
        frame[frame["what"] == what].set_index("year") for what in ("file", "rest", "municipalities", "panel")
    )
    made = whole[["rows"]].assign(
        insured=whole["insured_years"],
        euro=whole["cost_eur"] / MILLION,
        rest_insured=100 * rest["insured_years"] / whole["insured_years"],
        rest_euro=100 * rest["cost_eur"] / whole["cost_eur"],
        suppressed=towns["count"],
        joined=panel["count"],
        panel_euro=panel["cost_eur"] / MILLION,
    )
    columns = (
        column("year", language),
        column("rows", language, "number"),
        column("insured", language, "number"),
        column("euro", language, "number"),
        column("rest_insured", language, "number", unit="%", decimals=2),
        column("rest_euro", language, "number", unit="%", decimals=2),
        column("suppressed", language, "number"),
        column("joined", language, "number"),
        column("panel_euro", language, "number"),
    )
    return table("account", made.reset_index(), columns, ("year",), language)


def lineage(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the account of municipalities: who may not compare, and why."""
    frame = inputs.frames["lineage"]
    left_out = joined([str(name) for name in inputs.frames["left_out"]["municipality"]], language)
    limit = number(100 * inputs.choices["jump_limit"], language)
    key = [str(step).replace(" ", "_") for step in frame["step"]]
    frame = frame.assign(
        step_text=[text(f"open_data.step.{k}", language) for k in key],
        reason=[text(f"open_data.step.{k}_reason", language, names=left_out, limit=limit) for k in key],
    )
    columns = (
        column("step_text", language),
        column("reason", language, label="reason_text"),
        column("units", language, "number"),
        column("lost", language, "number"),
    )
    return table("lineage", frame, columns, ("step",), language)


def sectors(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the crosswalk from published columns to stable sectors."""
    frame = inputs.frames["sectors"]
    frame = frame.assign(
        sector_text=[term("open_data_outcome", str(s), language) for s in frame["sector"]],
        total=[term("yes_no", str(t), language) for t in frame["in_total"]],
        remark=frame[words("note", language)],
    )
    columns = tuple(
        column(name, language) for name in ("column", "sector_text", "first_year", "last_year", "total", "remark")
    )
    return table("sectors", frame, columns, ("column",), language)


def breaks(inputs: OpenDataInputs, language: str) -> ReportTable:
    """Return the known breaks inside the window, in the sectors of the question."""
    frame = inputs.frames["breaks"]
    year = frame["year"].astype(int)
    asked = frame["sector"].isin([*inputs.outcomes, *inputs.gp_columns, "all"])
    frame = frame[asked & (year > inputs.first_year) & (year <= inputs.last_year)]
    frame = frame.assign(
        sector_text=[term("open_data_outcome", str(s), language) for s in frame["sector"]],
        kind_text=[term("open_data_break", str(k), language) for k in frame["kind"]],
        what_text=frame[words("what", language)],
    )
    columns = tuple(column(name, language) for name in ("sector_text", "year", "kind_text", "what_text"))
    return table("breaks", frame, columns, ("sector", "year"), language)
