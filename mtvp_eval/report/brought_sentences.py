"""For whom the effect on the primary outcome differs, in words."""

from __future__ import annotations

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import interval, number, term, text
from mtvp_eval.report.tables.brought import heterogeneity as table_of
from mtvp_eval.report.tables.effects import decimals
from mtvp_eval.report.tables.layout import percent


def heterogeneity(inputs: ReportInputs, language: str) -> list[str]:
    """Say for each declared moderator whether the effect on the primary outcome changes with it, or why not known."""
    frame = inputs.pooling.get("heterogeneity")
    if frame is None or frame.empty:
        return [text("sentence.heterogeneity_none", language)]
    info, said = inputs.outcome(inputs.primary_outcome), []
    places = decimals(inputs)[info.id]
    shown = table_of(inputs, language).frame
    for row in shown[shown["outcome"] == inputs.primary_outcome].itertuples():
        words = {"moderator": term("moderator", str(row.moderator), language), "outcome": info.title[language]}
        if not row.ci_low <= row.ci_high:
            reason = row.note or text("withheld", language)
            said.append(text("sentence.heterogeneity_refused", language, reason=reason, **words))
            continue
        key = "zero" if row.ci_low <= 0 <= row.ci_high else "apart"
        ends = interval(row.ci_low, row.ci_high, language, places)
        words |= {"level": percent(inputs.level), "range": ends, "unit": info.unit[language]}
        slope = number(row.estimate, language, places, signed=True)
        said.append(text(f"sentence.heterogeneity_{key}", language, slope=slope, **words))
    known = shown[shown["ci_low"].notna()]
    if len(known):
        apart, expected = int((known["ci_low"] * known["ci_high"] > 0).sum()), (1 - inputs.level) * len(known)
        words = {"n": str(len(known)), "apart": str(apart), "expected": number(expected, language, 1)}
        said.append(text("sentence.heterogeneity_chance", language, **words))
    return said
