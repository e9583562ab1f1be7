"""Tables of what stands beside the net benefit: hospital, ranges, contract, next measurement, placebo, scenarios."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtvp_eval.costbenefit.consequence import Consequence, cost_consequence
from mtvp_eval.errors import MtvpError
from mtvp_eval.report.inputs import InsurerPage, MoneyInputs, ReportInputs
from mtvp_eval.report.labels import term, text
from mtvp_eval.report.small_groups import shown_effects
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.layout import column, table
from mtvp_eval.report.tables.money import line_name

NOISY = 0.01
"""Relative tolerance of what rests on drawn numbers: on another processor a penalty may be chosen one step beside."""


def page_of(inputs: ReportInputs) -> InsurerPage:
    """Return what stands beside the net benefit.

    Raises
    ------
    MtvpError
        If there is no net benefit.
    """
    if inputs.money is None or inputs.money.page is None:
        raise MtvpError("There is no net benefit, so nothing stands beside it.")
    return inputs.money.page


def stranded(inputs: ReportInputs, language: str) -> ReportTable:
    """Return what the change in care means for hospitals, by year: value, income lost, cost saved, what stays."""
    page = page_of(inputs)
    euro = text("unit.eur", language)
    names = ("full_value", "revenue_loss", "cost_avoided", "stranded", "not_cash")
    columns = (
        column("year", language),
        *(column(name, language, "number", unit=euro, signed=True) for name in names),
    )
    return table("stranded", page.stranded, columns, ("year",), language)


def tornado(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the inputs that move the insurer's net benefit most, with the origin of each range."""
    page = page_of(inputs)
    frame = page.tornado.reset_index(drop=True)
    frame = frame.assign(
        input_text=[
            text(f"tornado.{kind}", language, name=_name(str(name), inputs, language))
            for kind, name in zip(frame["input"], frame["name"], strict=True)
        ],
        origin_text=[term("origin", str(origin), language) for origin in frame["origin"]],
        decimals=[0 if kind == "effect" else 3 if kind == "discount" else 2 for kind in frame["input"]],
    )
    euro = text("unit.eur", language)
    columns = (
        Column("input_text", column("item", language).label),
        column("range", language, "interval", low="low_value", high="high_value", decimals="decimals"),
        column("at_low", language, "number", unit=euro, signed=True),
        column("at_high", language, "number", unit=euro, signed=True),
        Column("origin_text", column("range_origin", language).label),
    )
    return table("tornado", frame, columns, ("input", "name"), language)


def contract(inputs: ReportInputs, language: str) -> ReportTable:
    """Return what minimum savings rates do under the programme's own uncertainty."""
    page = page_of(inputs)
    frame = page.contract.assign(rule_text=[term("contract", str(rule), language) for rule in page.contract["rule"]])
    percent = text("unit.percent", language)
    columns = (
        Column("rule_text", column("rule", language).label),
        column("minimum_rate", language, "number", unit=percent, decimals=2),
        column("paid_without_effect", language, "number", unit=percent),
        column("unpaid_with_effect", language, "number", unit=percent),
    )
    return table("contract", frame, columns, ("rule",), language)


def measure_next(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the value of knowing more before deciding; a value below its floor is called indistinguishable from 0."""
    page = page_of(inputs)
    frame = page.measure_next.reset_index(drop=True)
    noise = frame["value"] <= frame["floor"].fillna(-np.inf)
    frame = frame.assign(
        name_text=[
            _measured(str(kind), str(name), inputs, language)
            for kind, name in zip(frame["kind"], frame["name"], strict=True)
        ],
        reading=[text("measure.noise", language) if low else "" for low in noise],
    )
    euro = text("unit.eur", language)
    columns = (
        Column("name_text", column("item", language).label),
        column("value", language, "number", label="information", unit=euro),
        column("check", language, "number", unit=euro, tolerance=NOISY),
        column("floor", language, "number", unit=euro, tolerance=NOISY),
        column("reading", language, label="note"),
    )
    return table("measure_next", frame, columns, ("kind", "name"), language)


def _measured(kind: str, name: str, inputs: ReportInputs, language: str) -> str:
    """Words for what could be known better: an effect, more data, or an input (``all`` of its kind where together)."""
    if kind == "effect":
        return _name(name, inputs, language)
    if kind in ("all", "data"):
        return term("measure", name, language)
    line = text("measure.together", language) if name == "all" else _name(name, inputs, language)
    return text(f"tornado.{kind}", language, name=line)


def saving(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the net cash saving as a share of total cost beside the best Dutch estimate."""
    page = page_of(inputs)
    percent = text("unit.percent", language)
    frame = page.saving.assign(evidence_text=[term("evidence", str(e), language) for e in page.saving["evidence"]])
    columns = (
        column("saving", language, "number", unit=percent, decimals=2, low="ci_low", high="ci_high", signed=True),
        column("interval", language, "interval", level=inputs.level, decimals=2, low="ci_low", high="ci_high"),
        column("benchmark", language, "number", unit=percent, decimals=1),
        column("baseline", language, "number", unit=text("unit.eur_patient_year", language)),
        Column("evidence_text", column("evidence", language).label),
        column("source", language),
    )
    return table("saving", frame, columns, ("benchmark",), language)


def placebo_year(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the net benefit of the same window before the programme, when it can have done nothing."""
    page = page_of(inputs)
    frame = page.placebo_year.assign(
        perspective_text=[term("perspective", str(p), language) for p in page.placebo_year["perspective"]]
    )
    euro, low, high = text("unit.eur", language), "low_per_patient_year", "high_per_patient_year"
    columns = (
        Column("perspective_text", column("perspective", language).label),
        column("total", language, "number", unit=euro, low="ci_low", high="ci_high", signed=True),
        column("per_patient_year", language, "number", unit=euro, decimals=2, low=low, high=high, signed=True),
        column("interval", language, "interval", level=inputs.level, decimals=2, low=low, high=high),
    )
    return table("placebo_year", frame, columns, ("perspective",), language)


def scenarios(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the net benefit per patient-year with one choice changed; none is averaged with another."""
    page = page_of(inputs)
    frame = page.scenarios.reset_index(drop=True)
    frame = frame.assign(
        group_text=[term("scenario_group", str(group), language) for group in frame["group"]],
        scenario_text=[
            str(name)
            if group == "funding_own"
            else term("method" if group == "method" else "scenario", str(name), language)
            for group, name in zip(frame["group"], frame["scenario"], strict=True)
        ],
    )
    euro = text("unit.eur_patient_year", language)
    money: dict[str, Any] = {"decimals": 2, "signed": True, "unit": euro}
    columns = (
        Column("scenario_text", column("scenario", language).label),
        Column("group_text", column("changed", language).label),
        column("insurer", language, "number", low="low", high="high", **money),
        column("interval", language, "interval", level=inputs.level, decimals=2, low="low", high="high"),
        column("difference", language, "number", **money),
        column("gp_practice", language, "number", **money),
        column("society", language, "number", **money),
        column("note", language),
    )
    return table("scenarios", frame, columns, ("group", "scenario"), language)


def extrapolations(inputs: ReportInputs, language: str) -> ReportTable:
    """Return declared extrapolations: observed years, later years, both; only the first is the headline."""
    page = page_of(inputs)
    frame = page.extrapolations.reset_index(drop=True)
    frame = frame.assign(
        part_text=[term("part", str(part), language) for part in frame["part"]],
        years=[
            first if first == last else f"{first}-{last}"
            for first, last in zip(frame["first_year"], frame["last_year"], strict=True)
        ],
    )
    euro = text("unit.eur", language)
    columns = (
        column("scenario", language),
        Column("part_text", column("part", language).label),
        column("years", language, label="year"),
        column("insurer", language, "number", unit=euro, low="ci_low", high="ci_high", signed=True),
        column("interval", language, "interval", level=inputs.level, low="ci_low", high="ci_high"),
        column("society", language, "number", unit=euro, signed=True),
    )
    return table("extrapolations", frame, columns, ("scenario", "part"), language)


def capacity(inputs: ReportInputs, language: str) -> ReportTable:
    """Return what the fee buys on the list of one full-time practitioner."""
    page = page_of(inputs)
    frame = page.capacity.assign(
        item_text=[term("capacity", str(item), language) for item in page.capacity["item"]],
        unit_text=[term("unit", str(unit), language) for unit in page.capacity["unit"]],
    )
    columns = (
        Column("item_text", column("item", language).label),
        column("value", language, "number", decimals=2, unit="=unit_text"),
        Column("unit_text", column("unit", language).label),
        column("source", language),
    )
    return table("capacity", frame, columns, ("item",), language)


def consequences(money: MoneyInputs, inputs: ReportInputs, language: str) -> ReportTable | None:
    """Return net cost beside every outcome without a price; no ratio is made of them."""
    if money.result is None:
        return None
    effects = shown_effects(inputs)
    effects = effects[
        (effects["estimand"] == "overall")
        & (effects["weighting"] == inputs.headline_weighting)
        & ~effects["withheld"].astype(bool)
        & ~effects["outcome"].isin(money.result.effects.outcomes())
    ]
    unpriced = [
        Consequence(str(row.outcome), str(row.unit), float(row.estimate), float(row.ci_low), float(row.ci_high))
        for row in effects.itertuples()
    ]
    frame = cost_consequence(money.result, unpriced)
    known = {outcome.id: outcome for outcome in inputs.outcomes}
    frame = frame.assign(
        what_text=[known[w].title[language] if w in known else term("consequence", w, language) for w in frame["what"]],
        unit_text=[
            known[w].unit[language] if w in known else text("unit.eur_patient_year", language) for w in frame["what"]
        ],
        decimals=[known[w].decimals if w in known else 2 for w in frame["what"]],
    )
    columns = (
        Column("what_text", column("outcome", language).label),
        column(
            "estimate", language, "number", label="consequence", unit="=unit_text", decimals="decimals", low="low",
            high="high", signed=True,
        ),
        column("interval", language, "interval", level=inputs.level, decimals="decimals", low="low", high="high"),
        Column("unit_text", column("unit", language).label),
    )  # fmt: skip
    return table("consequences", frame, columns, ("what",), language)


def _name(name: str, inputs: ReportInputs, language: str) -> str:
    """Words for an effect (``cost_gp 2023``) or a line of the ledger."""
    outcome, _, year = name.rpartition(" ")
    titles = {info.id: info.title[language] for info in inputs.outcomes}
    return f"{titles[outcome]} ({year})" if outcome in titles else line_name(name, inputs.money, language)
