"""Tables about the data: who is in, what was not supplied, what is missing, what broke."""

from __future__ import annotations

import numpy as np

from mtvp_eval.report.disclosure import withhold
from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import joined, term, text
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
    """Return the share of values missing by outcome, cohort and stretch of event times with the same share."""
    hidden = withheld_cohorts(inputs)
    frame = inputs.missing[(inputs.missing["share"] > 0) & inputs.missing["event_time"].notna()]
    frame = frame.sort_values(["outcome", "cohort", "event_time"]).reset_index(drop=True)
    same = (frame[["outcome", "cohort", "share"]] == frame[["outcome", "cohort", "share"]].shift()).all(axis=1)
    stretch = (~(same & (frame["event_time"].astype(float).diff() == 1))).cumsum()
    ranges = frame.groupby(stretch, sort=False).agg(
        outcome=("outcome", "first"),
        cohort=("cohort", "first"),
        first=("event_time", "first"),
        last=("event_time", "last"),
        share=("share", "first"),
    )
    ranges = ranges.assign(
        title=[inputs.outcome(str(o)).title[language] for o in ranges["outcome"]],
        cohort_text=[term("cohort", str(c), language) for c in ranges["cohort"]],
        when=[
            str(int(a)) if a == b else text("range", language, low=int(a), high=int(b))
            for a, b in zip(ranges["first"], ranges["last"], strict=True)
        ],
        percent=100 * ranges["share"].astype(float),
    )
    columns = (
        Column("title", column("outcome", language).label),
        Column("cohort_text", column("cohort", language).label),
        Column("when", column("event_time", language).label),
        column("percent", language, "number", "share", unit="%", decimals=1),
    )
    gone = ranges["cohort"].isin(list(hidden)).to_numpy(np.bool_)
    keep = ("title", "cohort_text")
    return table("missing", ranges, columns, ("outcome", "cohort", "first"), language, gone, keep=keep)


def known_breaks(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the known breaks that fall within the observed period."""
    frame = inputs.known_breaks
    titles = {outcome.id: outcome.title[language] for outcome in inputs.outcomes}
    affected = [[titles.get(o, o) for o in str(names).split(", ")] for names in frame["outcomes"]]
    frame = frame.assign(what=break_words(inputs, language), outcomes=[joined(names, language) for names in affected])
    names = ("what", "first_period", "last_period", "outcomes", "source")
    columns = tuple(Column(n, column("outcome" if n == "outcomes" else n, language).label) for n in names)
    return table("known_breaks", frame, columns, ("break",), language)


def break_words(inputs: ReportInputs, language: str) -> list[str]:
    """Return what each known break was: from ``what_nl`` or ``what_en`` where the frame has them."""
    frame = inputs.known_breaks
    return [str(what) for what in frame[f"what_{language}" if f"what_{language}" in frame else "what"]]
