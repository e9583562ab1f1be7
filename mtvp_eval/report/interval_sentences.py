"""Which interval was used and why, what several looks cost, and what a test of pre-trends can see, in words."""

from __future__ import annotations

import numpy as np

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import interval, joined, number, text
from mtvp_eval.report.small_groups import shown_effects
from mtvp_eval.report.tables.effects import decimals
from mtvp_eval.report.tables.inference import hidden_choices
from mtvp_eval.report.tables.layout import percent


def why(inputs: ReportInputs, language: str) -> list[str]:
    """Say which interval the primary outcome has and why, which rest on too few, and what the bootstrap says."""
    frame = inputs.intervals
    if frame.empty:
        return []
    title = {o.id: o.title[language] for o in inputs.outcomes}
    said = []
    first = frame[(frame["outcome"] == inputs.primary_outcome) & ~hidden_choices(inputs)]
    for row in first.itertuples():
        words = {"outcome": title[row.outcome], "treated": row.treated, "comparison": row.comparison}
        said.append(_say(f"why_{row.recommended}", language, **words))
    few = frame[frame["recommended"] == "randomization"]
    if len(few):
        said.append(_say("few_sides", language, titles=joined([title[o] for o in few["outcome"]], language)))
    return [*said, _bootstrap(inputs, title, language)]


def _bootstrap(inputs: ReportInputs, title: dict[str, str], language: str) -> str:
    """Say for how many outcomes the wild bootstrap and the interval shown agree about zero."""
    overall = shown_effects(inputs)
    overall = overall[(overall["estimand"] == "overall") & ~overall["withheld"]]
    both = inputs.intervals.merge(
        overall[["outcome", "estimand", "weighting", "ci_low", "ci_high"]], on=["outcome", "estimand", "weighting"]
    )
    both = both[np.isfinite(both["wild_low"].astype(float)) & np.isfinite(both["ci_low"].astype(float))]
    if both.empty:
        return _say("wild_none", language)
    wild = (both["wild_low"] <= 0) & (both["wild_high"] >= 0)
    shown = (both["ci_low"] <= 0) & (both["ci_high"] >= 0)
    other = [title[o] for o in both["outcome"][wild != shown]]
    if not other:
        return _say("wild_agrees", language, n=len(both))
    return _say("wild_differs", language, k=len(other), n=len(both), titles=joined(other, language))


def looks(inputs: ReportInputs, language: str) -> str:
    """Say how many looks were taken, and whether the intervals are adjusted for them."""
    taken, planned = inputs.looks
    if taken is None:
        return _say("looks_unknown", language)
    if planned is None or planned < 2:
        return _say("looks_one" if taken == 1 and planned == 1 else "looks_taken", language, taken=taken)
    own = number(100 * inputs.look_level, language, 2 if inputs.look_level < 0.9999 else 4)
    words = {"taken": taken, "planned": planned, "level": percent(inputs.level), "own": own}
    info, shown = inputs.outcome(inputs.primary_outcome), inputs.intervals[~hidden_choices(inputs)]
    ends = shown.loc[shown["outcome"] == info.id, ["look_low", "look_high"]].to_numpy(float)
    if len(ends) and np.isfinite(ends).all():
        low, high = ends[0]
        words |= {"outcome": info.title[language], "unit": info.unit[language]}
        words["range"] = interval(low, high, language, decimals(inputs)[info.id])
    said = _say("looks_planned" if "range" in words else "looks_planned_alone", language, **words)
    return said if inputs.money is None else f"{said} {_say('looks_money', language)}"


def pretrends(inputs: ReportInputs, language: str) -> list[str]:
    """Say which drift the test before the start would probably have found, and what one of that size would do."""
    frame = inputs.pretrend_power
    info = inputs.outcome(inputs.primary_outcome)
    if frame.empty:
        return []
    row = frame.iloc[-1]
    places = decimals(inputs)[info.id]
    return [
        _say(
            "pretrend", language, outcome=info.title[language], unit=info.unit[language], n=int(row["quarters"]),
            power=number(100 * row["power"], language), drift=number(row["drift"], language, places),
            bias=number(row["bias"], language, places), passed=number(row["bias_if_passed"], language, places),
        )
    ]  # fmt: skip


def _say(key: str, language: str, **values: object) -> str:
    return text(f"sentence.{key}", language, **values)
