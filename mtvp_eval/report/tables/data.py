"""Tables about the data: who is in, what was not supplied, what is missing, what broke."""

from __future__ import annotations

import numpy as np

from mtvp_eval.report.disclosure import withhold
from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import term
from mtvp_eval.report.small_groups import withheld_cohorts
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.layout import column, table


def lineage(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the account of practices: how many each step left and lost.

    What is left after a step and what it lost add up to what was left before; the last row is published elsewhere too.
    """
    frame = inputs.lineage.reset_index(drop=True)
    n = len(frame)
    size = np.r_[frame["units"].to_numpy(float), frame["lost"].to_numpy(float)]
    equations = np.zeros((max(n - 1, 0), 2 * n))
    for step in range(1, n):
        equations[step - 1, [step, n + step]] = 1.0
        equations[step - 1, step - 1] = -1.0
    cost = size.copy()
    cost[n - 1 : n] = np.inf
    hidden = withhold(size, equations, inputs.min_units, cost=cost)
    shown = frame.assign(
        step_text=[term("step", str(s), language) for s in frame["step"]],
        units=frame["units"].astype(float).mask(hidden[:n]),
        lost=frame["lost"].astype(float).mask(hidden[n:]),
    )
    columns = (
        Column("step_text", column("step", language).label),
        column("reason", language),
        column("units", language, "number"),
        column("lost", language, "number"),
    )
    made = table("lineage", shown, columns, ("step",), language)
    if not hidden.any():
        return made
    from dataclasses import replace

    plain = np.zeros(n, dtype=np.bool_)
    return replace(made, withheld=np.column_stack([plain, plain, hidden[:n], hidden[n:]]))


def not_supplied(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the outcomes of the programme's goals that the extracts do not hold."""
    titles = {outcome.id: outcome.title[language] for outcome in inputs.outcomes}
    frame = inputs.not_supplied
    if "title" in frame:
        titles |= {str(i): t[language] for i, t in zip(frame["outcome"], frame["title"], strict=True)}
    frame = frame.assign(title=[titles.get(str(o), str(o)) for o in frame["outcome"]])
    columns = (Column("title", column("outcome", language).label), column("reason", language))
    return table("not_supplied", frame, columns, ("outcome",), language)


def findings(inputs: ReportInputs, language: str) -> ReportTable:
    """Return what was found in the extracts that did not stop the evaluation; small counts are withheld."""
    frame = inputs.findings.groupby(["table", "finding"], as_index=False, sort=False)["rows"].sum()
    frame["label"] = [term("finding", str(f), language) for f in frame["finding"]]
    columns = (
        column("table", language),
        Column("label", column("finding", language).label),
        column("rows", language, "number"),
    )
    few = frame["rows"].between(1, inputs.min_patients - 1).to_numpy(np.bool_)
    return table("findings", frame, columns, ("table", "finding"), language, few, keep=("label",))


def missing(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the share of values missing by outcome, cohort and event time, where any is missing."""
    hidden = withheld_cohorts(inputs)
    frame = inputs.missing[(inputs.missing["share"] > 0)]
    frame = frame.assign(
        title=[inputs.outcome(str(o)).title[language] for o in frame["outcome"]], percent=100 * frame["share"]
    )
    columns = (
        Column("title", column("outcome", language).label),
        column("cohort", language),
        column("event_time", language),
        column("percent", language, "number", "share", unit="%", decimals=1),
    )
    gone = frame["cohort"].isin(list(hidden)).to_numpy(np.bool_)
    return table("missing", frame, columns, ("outcome", "cohort", "event_time"), language, gone, keep=("title",))


def known_breaks(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the known breaks that fall within the observed period."""
    names = ("what", "first_period", "last_period", "outcomes", "source")
    columns = tuple(column(name if name != "outcomes" else "outcome", language) for name in names)
    columns = tuple(Column(name, c.label) for name, c in zip(names, columns, strict=True))
    return table("known_breaks", inputs.known_breaks, columns, ("break",), language)
