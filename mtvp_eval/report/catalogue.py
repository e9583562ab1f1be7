"""Every table of a report by its id: what the notebooks show, the workbook holds and the results publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtvp_eval.errors import MtvpError
from mtvp_eval.report.inputs import MoneyInputs, ReportInputs
from mtvp_eval.report.table import ReportTable
from mtvp_eval.report.tables import (
    brought,
    data,
    design,
    effects,
    inference,
    insurer_page,
    lottery,
    money,
    plane,
    returns,
    sensitivity,
    uptake,
)
from mtvp_eval.report.tables.checklist import checklist

EVALUATION: Mapping[str, Callable[[ReportInputs, str], ReportTable]] = {
    "headline": effects.headline,
    "lineage": data.lineage,
    "not_supplied": data.not_supplied,
    "findings": data.findings,
    "missing": data.missing,
    "known_breaks": data.known_breaks,
    "cohorts": design.cohorts,
    "estimability": design.estimability,
    "draw": design.draw,
    "trends": effects.trends,
    "event_study": effects.event_study,
    "by_cohort": effects.by_cohort,
    "calendar": effects.calendar,
    "att_gt": effects.att_gt,
    "placebo": effects.placebo,
    "robustness": effects.robustness,
    "intervals": inference.intervals,
    "trend_sensitivity": sensitivity.trend_sensitivity,
    "pretrend_power": inference.pretrend_power,
    "multiplicity": sensitivity.multiplicity,
}
MONEY: Mapping[str, Callable[[MoneyInputs, str], ReportTable]] = {
    "budget": money.budget,
    "party_years": money.party_years,
    "ledger": money.ledger,
    "assumptions": money.assumptions,
    "not_computed": money.not_computed,
}
MONEY_WITH_LEVEL: Mapping[str, Callable[[MoneyInputs, str, float], ReportTable]] = {
    "perspectives": money.perspectives,
    "break_even": money.break_even,
    "parties": money.parties,
}
PAGE: Mapping[str, Callable[[ReportInputs, str], ReportTable]] = {
    "stranded": insurer_page.stranded,
    "tornado": insurer_page.tornado,
    "contract": insurer_page.contract,
    "measure_next": insurer_page.measure_next,
    "break_even_effects": returns.break_even_effects,
    "saving": insurer_page.saving,
    "placebo_year": insurer_page.placebo_year,
    "scenarios": insurer_page.scenarios,
    "extrapolations": insurer_page.extrapolations,
    "capacity": insurer_page.capacity,
    "returns": returns.returns,
    "budget_impact": returns.budget_impact,
    "funding": returns.funding,
    "spread": returns.spread,
    "plane": plane.plane,
    "acceptability": plane.acceptability,
}
NAMES = (
    *EVALUATION,
    *lottery.TABLES,
    *uptake.TABLES,
    *brought.TABLES,
    *MONEY_WITH_LEVEL,
    *MONEY,
    *PAGE,
    "consequences",
    "checklist",
)
"""Every table, in the order of the report."""
OF_MONEY = (*MONEY_WITH_LEVEL, *MONEY, *PAGE, "consequences")
"""Tables that need a net benefit."""


def report_table(name: str, inputs: ReportInputs, language: str) -> ReportTable | None:
    """Return one table by its id, or None where what it shows was not computed.

    Raises
    ------
    MtvpError
        If there is no such table.
    """
    if name not in NAMES:
        raise MtvpError(f"There is no table {name!r}; tables are {', '.join(NAMES)}.")
    if name in EVALUATION:
        return EVALUATION[name](inputs, language)
    if name in lottery.TABLES:
        return lottery.TABLES[name](inputs, language) if name in inputs.lottery else None
    if name in uptake.TABLES:
        return uptake.TABLES[name](inputs, language) if name in inputs.participation else None
    if name in brought.TABLES:
        return brought.TABLES[name](inputs, language) if name in inputs.pooling else None
    if name == "checklist":
        return checklist(inputs, language)
    if inputs.money is None:
        return None
    if name in MONEY:
        return MONEY[name](inputs.money, language)
    if name in MONEY_WITH_LEVEL:
        return MONEY_WITH_LEVEL[name](inputs.money, language, inputs.level)
    if name == "consequences":
        return insurer_page.consequences(inputs.money, inputs, language)
    return None if inputs.money.page is None else PAGE[name](inputs, language)


def all_tables(inputs: ReportInputs, language: str) -> tuple[ReportTable, ...]:
    """Return every table that holds at least one row, in the order of the report."""
    tables = (report_table(name, inputs, language) for name in NAMES)
    return tuple(table for table in tables if table is not None and len(table.frame))
