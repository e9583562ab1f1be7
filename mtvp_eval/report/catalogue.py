"""Every table of a report by its id: what the notebooks show, the workbook holds and the results publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtvp_eval.errors import MtvpError
from mtvp_eval.report.inputs import MoneyInputs, ReportInputs
from mtvp_eval.report.table import ReportTable
from mtvp_eval.report.tables import data, design, effects, money, sensitivity

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
    "trend_sensitivity": sensitivity.trend_sensitivity,
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


def report_table(name: str, inputs: ReportInputs, language: str) -> ReportTable | None:
    """Return one table by its id, or None for a table of money where no net benefit was computed.

    Raises
    ------
    MtvpError
        If there is no such table.
    """
    if name in EVALUATION:
        return EVALUATION[name](inputs, language)
    if name not in MONEY and name not in MONEY_WITH_LEVEL:
        raise MtvpError(
            f"There is no table {name!r}; tables are {', '.join([*EVALUATION, *MONEY_WITH_LEVEL, *MONEY])}."
        )
    if inputs.money is None:
        return None
    if name in MONEY:
        return MONEY[name](inputs.money, language)
    return MONEY_WITH_LEVEL[name](inputs.money, language, inputs.level)


def all_tables(inputs: ReportInputs, language: str) -> tuple[ReportTable, ...]:
    """Return every table that holds at least one row, in the order of the report."""
    tables = (report_table(name, inputs, language) for name in [*EVALUATION, *MONEY_WITH_LEVEL, *MONEY])
    return tuple(table for table in tables if table is not None and len(table.frame))
