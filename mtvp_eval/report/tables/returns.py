"""Tables of what the money came to: return and payback, practice income by form of payment, what was let vary."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import number, term, text
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.insurer_page import page_of
from mtvp_eval.report.tables.layout import column, table
from mtvp_eval.report.tables.money import assumption


def returns(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the insurer's outlay, what came of it per euro, and when it was earned back."""
    frame = page_of(inputs).returns.reset_index(drop=True)
    frame = frame.assign(
        scenario_text=[term("part", str(name), language) for name in frame["scenario"]],
        years=[
            first if first == last else f"{first}-{last}"
            for first, last in zip(frame["first_year"], frame["last_year"], strict=True)
        ],
        reading_text=[term("payback", str(word), language) for word in frame["reading"]],
    )
    euro = text("unit.eur", language)
    columns = (
        Column("scenario_text", column("scenario", language).label),
        column("years", language, label="year"),
        *(column(name, language, "number", unit=euro) for name in ("programme", "induced", "savings")),
        *(column(name, language, "number", decimals=2) for name in ("net_ratio", "gross_ratio")),
        column("payback", language, "number", decimals=1),
        Column("reading_text", column("note", language).label),
        column("probability", language, "number", unit="%"),
    )
    return table("returns", frame, columns, ("scenario", "part"), language)


def break_even_effects(inputs: ReportInputs, language: str) -> ReportTable:
    """Return each effect on cost beside the one at which the insurer neither gains nor loses, all else as it is."""
    frame = page_of(inputs).break_even_effects.reset_index(drop=True)
    frame = frame.assign(title=[inputs.outcome(str(outcome)).title[language] for outcome in frame["outcome"]])
    money: dict[str, Any] = {"decimals": 2, "signed": True, "unit": text("unit.eur_patient_year", language)}
    columns = (
        Column("title", column("outcome", language).label),
        column("estimate", language, "number", low="low", high="high", **money),
        column("interval", language, "interval", level=inputs.level, decimals=2, low="low", high="high"),
        Column("break_even", text("column.break_even_effect", language), "number", **money),
    )
    return table("break_even_effects", frame, columns, ("outcome",), language)


def budget_impact(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the insurer's undiscounted budget by year: programme, rises, falls that are cash, and their sum."""
    frame = page_of(inputs).budget_impact.reset_index(drop=True)
    frame = frame.assign(scenario_text=[term("part", str(name), language) for name in frame["scenario"]])
    euro = text("unit.eur", language)
    columns = (
        column("year", language),
        Column("scenario_text", column("part", language).label),
        *(column(name, language, "number", unit=euro) for name in ("programme", "induced", "savings")),
        column("net_cost", language, "number", unit=euro, low="low", high="high", signed=True),
        column("interval", language, "interval", level=inputs.level, low="low", high="high"),
        column("freed", language, "number", unit=euro, label="not_cash"),
    )
    return table("budget_impact", frame, columns, ("scenario", "year"), language)


def funding(inputs: ReportInputs, language: str) -> ReportTable:
    """Return what practices and the insurer keep under each form of payment, per enrolled patient per year."""
    frame = page_of(inputs).funding.reset_index(drop=True)
    frame = frame.assign(
        scenario_text=[
            term("scenario", str(form), language) + (f": {name}" if group == "funding_own" else "")
            for name, form, group in zip(frame["scenario"], frame["form"], frame["group"], strict=True)
        ]
    )
    money: dict[str, Any] = {"decimals": 2, "signed": True, "unit": text("unit.eur", language)}
    bought = [name for name in ("fte", "minutes") if np.isfinite(frame[name].to_numpy(dtype=float)).any()]
    columns = (
        Column("scenario_text", column("form", language).label),
        *(column(name, language, "number", **money) for name in ("payment", "claims", "outlay")),
        column("gp_practice", language, "number", low="low", high="high", **money),
        column("interval", language, "interval", level=inputs.level, decimals=2, low="low", high="high"),
        column("insurer", language, "number", **money),
        *(column(name, language, "number", decimals=2) for name in bought),
    )
    return table("funding", frame, columns, ("group", "scenario"), language)


def spread(inputs: ReportInputs, language: str) -> ReportTable:
    """Return every input that the intervals let vary beside the effects, how much, and who declared it."""
    frame = page_of(inputs).spread.reset_index(drop=True)
    frame = frame.assign(
        line_text=[assumption(str(line), language, inputs.money) for line in frame["line"]],
        kind_text=[term("spread_kind", str(kind), language) for kind in frame["kind"]],
        size_text=[
            text(f"spread.{kind}", language, size=number(100 * float(size), language))
            for kind, size in zip(frame["kind"], frame["size"], strict=True)
        ],
        origin_text=[term("spread_origin", str(origin), language) for origin in frame["origin"]],
        note=["" if now else text("spread.later", language) for now in frame["observed"]],
    )
    columns = (
        Column("line_text", column("item", language).label),
        Column("kind_text", column("uncertain", language).label),
        Column("size_text", column("spread", language).label),
        Column("origin_text", column("range_origin", language).label),
        column("note", language),
    )
    return table("spread", frame, columns, ("kind", "line"), language)
