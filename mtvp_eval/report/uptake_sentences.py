"""Who took part as drawn, who left, who merged and what is not measured, in words; a part that is not there says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import interval, number, term, text
from mtvp_eval.report.small_groups import shown_effects
from mtvp_eval.report.tables.effects import decimals
from mtvp_eval.report.tables.layout import percent

if TYPE_CHECKING:
    import pandas as pd


def uptake(inputs: ReportInputs, language: str) -> list[str]:
    """Say who did not start as drawn, and the effect of a quarter of exposure on the primary outcome."""
    counts = inputs.participation.get("uptake_counts")
    if counts is None or counts.empty:
        return [_say("uptake_no_draw", language)]
    least = inputs.min_units
    others = int(counts[["early", "late", "never"]].to_numpy(int).sum())
    stopped, winners = int(counts["stopped"].sum()), int(counts["winners"].sum())
    if not others:
        said = [_say("uptake_all", language)]
    elif others < least:
        said = [_say("uptake_few", language, least=least)]
    else:
        said = [_say("uptake_some", language, winners=winners, others=others)]
    if stopped:
        key = "uptake_stopped_few" if stopped < least else "uptake_stopped"
        said.append(_say(key, language, least=least, stopped=stopped))
    return [*said, *_per_quarter(inputs, language)]


def _per_quarter(inputs: ReportInputs, language: str) -> list[str]:
    row = _primary(inputs, "uptake")
    if row is None:
        return []
    info = inputs.outcome(inputs.primary_outcome)
    if row["note"]:
        return [
            _say(
                "uptake_refused",
                language,
                outcome=info.title[language],
                reason=term("reason", str(row["note"]), language),
            )
        ]
    places = decimals(inputs)[info.id]
    key = {"interval": "uptake_effect"}.get(str(row["shape"]), f"uptake_effect_{row['shape']}")
    words = {
        "outcome": info.title[language], "unit": info.unit[language], "level": percent(inputs.level),
        "itt": number(float(row["itt"]), language, places, signed=True),
        "itt_range": interval(float(row["itt_low"]), float(row["itt_high"]), language, places),
        "exposure": number(float(row["itt_exposure"]), language, 2),
        "estimate": number(float(row["estimate"]), language, places, signed=True),
        "range": interval(float(row["low"]), float(row["high"]), language, places),
    }  # fmt: skip
    return [_say(key, language, **words)]


def announcement(inputs: ReportInputs, language: str) -> list[str]:
    """Say for how many outcomes winners differed before anybody had started."""
    frame = inputs.participation.get("announcement")
    if frame is None or "estimate" not in frame or frame["estimate"].isna().all():
        return [_say("announcement_none", language)]
    tested = frame[frame["ci_low"].notna()]
    apart = int(((tested["ci_low"] > 0) | (tested["ci_high"] < 0)).sum())
    expected = number((1 - inputs.level) * len(tested), language, 1)
    words = {"apart": apart, "n": len(tested), "expected": expected, "level": percent(inputs.level)}
    return [_say("announcement", language, **words)]


def bounds(inputs: ReportInputs, language: str) -> list[str]:
    """Say how many practices lost their figures after the draw."""
    frame = inputs.participation.get("bounds")
    if frame is None or frame.empty:
        return []
    left = int(frame["left"].max())
    if not left:
        return [_say("bounds_none", language)]
    key = "bounds_few" if left < inputs.min_units else "bounds_some"
    said = [_say(key, language, least=inputs.min_units, left=left)]
    flagged = int((frame["p_left"].astype(float) <= 1 - inputs.level).sum()) if "p_left" in frame else 0
    if flagged:
        said.append(_say("bounds_flagged", language, n=flagged, p=number(1 - inputs.level, language, 2)))
    return said


def lineage_changes(inputs: ReportInputs, language: str) -> list[str]:
    """Say how many practices merged, split or were taken over, and what was done with them."""
    changes = inputs.participation.get("changes")
    if changes is None:
        return [_say("lineage_absent", language)]
    n = int(changes["practices"].sum())
    if not n:
        return [_say("lineage_none", language)]
    key = "lineage_few" if n < inputs.min_units else "lineage_some"
    said = [_say(key, language, n=n, least=inputs.min_units)]
    apart = inputs.lineage[inputs.lineage["step"] == "drawn_apart"]
    if len(apart) and int(apart["lost"].sum()):
        said.append(_say("lineage_apart", language))
    return said


def interference(inputs: ReportInputs, language: str) -> list[str]:
    """Say what no comparison of drawn and waiting practices measures, and what the probe of it shows."""
    said = [_say("interference", language)]
    row = _primary(inputs, "interference")
    if row is None:
        return said
    if row["note"]:
        return [*said, _say("interference_refused", language, reason=term("reason", str(row["note"]), language))]
    info = inputs.outcome(inputs.primary_outcome)
    slope = number(float(row["slope"]), language, decimals(inputs)[info.id], signed=True)
    words = {
        "outcome": info.title[language], "unit": info.unit[language], "slope": slope,
        "group": term("exposure_group", str(row["grouping"]), language),
        "p": number(float(row["p_value"]), language, 3), "share": number(100 * float(row["mean_share"]), language),
    }  # fmt: skip
    return [*said, _say("interference_slope", language, **words)]


def _primary(inputs: ReportInputs, name: str) -> pd.Series | None:
    """Return the row of the primary outcome, None where there is none or its effect stays back."""
    frame = inputs.participation.get(name)
    effects = shown_effects(inputs)
    rows = effects[(effects["outcome"] == inputs.primary_outcome) & (effects["estimand"] == "overall")]
    if frame is None or rows["withheld"].any():
        return None
    own = frame[frame["outcome"] == inputs.primary_outcome]
    return own.iloc[0] if len(own) else None


def _say(key: str, language: str, **values: object) -> str:
    return text(f"sentence.{key}", language, **values)


SENTENCES = {
    "uptake": uptake,
    "announcement": announcement,
    "bounds": bounds,
    "lineage_changes": lineage_changes,
    "interference": interference,
}
"""Sentences by name, as `report.page` shows them."""
