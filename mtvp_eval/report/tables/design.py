"""Tables about the design: cohorts, what can be compared, how the draw was declared."""

from __future__ import annotations

import numpy as np

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import term
from mtvp_eval.report.small_groups import withheld_cohorts, withheld_comparison
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.layout import column, table


def cohorts(inputs: ReportInputs, language: str) -> ReportTable:
    """Return practices and patients by cohort, with their total."""
    import pandas as pd

    total = {"cohort": "all", "units": inputs.cohorts["units"].sum(), "patients": inputs.cohorts["patients"].sum()}
    frame = pd.concat([inputs.cohorts, pd.DataFrame([total])], ignore_index=True)
    frame["label"] = [term("cohort", str(c), language) for c in frame["cohort"]]
    columns = (
        Column("label", column("cohort", language).label),
        column("units", language, "number"),
        column("patients", language, "number"),
    )
    gone = frame["cohort"].isin(list(withheld_cohorts(inputs))).to_numpy(np.bool_)
    return table("cohorts", frame, columns, ("cohort",), language, gone, keep=("label",))


def estimability(inputs: ReportInputs, language: str) -> ReportTable:
    """Return, for each cohort and period from entry on, who compares and what identifies the effect."""
    after = (inputs.estimability["event_time"] >= 0).to_numpy(np.bool_)
    frame = inputs.estimability[after]
    frame = frame.assign(
        reason_text=[term("reason", str(r), language) for r in frame["reason"]],
        identified=[term("identified_by", str(b), language) for b in frame["identified_by"]],
        practices=frame["practices"].astype(float),
        practices_comparing=frame["practices_comparing"].astype(float),
    ).reset_index(drop=True)
    columns = (
        column("cohort", language),
        column("period", language),
        column("event_time", language),
        column("practices", language, "number"),
        column("practices_comparing", language, "number"),
        column("identified", language, label="identified_by"),
        Column("reason_text", column("reason", language).label),
    )
    own = frame["cohort"].isin(list(withheld_cohorts(inputs))).to_numpy(np.bool_)
    other = withheld_comparison(inputs)[0][after]
    frame["practices"] = frame["practices"].mask(own)
    frame["practices_comparing"] = frame["practices_comparing"].mask(other)
    made = table("estimability", frame, columns, ("cohort", "period"), language)
    if not (own | other).any():
        return made
    from dataclasses import replace

    hidden = np.zeros((len(frame), len(columns)), dtype=np.bool_)
    hidden[:, 3], hidden[:, 4] = own, other
    return replace(made, withheld=hidden)


def draw(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the declared rules of the draw."""
    import pandas as pd

    frame = pd.DataFrame(
        {
            "rule": list(inputs.draw),
            "label": [term("draw", rule, language) for rule in inputs.draw],
            "value": [str(value) for value in inputs.draw.values()],
        }
    )
    columns = (Column("label", column("rule", language).label), column("value", language))
    return table("draw", frame, columns, ("rule",), language)
