"""Sentences of the open-data report on what stands beside the effects: patients, euros, trends, other estimators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.report.labels import euro, joined, number, term, text
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.open_data.phrases import ends, say, signed
from mtvp_eval.report.tables.layout import percent

UNBROKEN, TOGETHER = "unbroken", "together"
CLOSE_FIT = 0.1
"""Error before the start, in per cent of cost, under which a synthetic control is called close."""
AS_MUCH = 1.0
"""Multiple of the largest change before the start that is put into words."""


def exposed(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return how often an effect per exposed patient can be given, and what dilutes the rest."""
    frame = inputs.frames["exposed"]
    frame = frame[frame["outcome"].isin(inputs.outcomes)]
    given = int((frame["shape"] == "interval").sum())
    limit = number(100 * inputs.choices["largest_detectable"], language)
    return [say("exposed", language, limit=limit, given=given, n=len(frame)), say("dose", language)]


def smallest_saving(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the smallest saving per exposed patient that would have been found, by project, beside the fee."""
    frame = inputs.frames["euros"]
    frame = frame[(frame["outcome"] == inputs.primary) & ~frame["project"].isin(inputs.pooled)]
    if frame.empty:
        return []
    fee, own = euro(float(frame["fee"].iloc[0]), language, 2), frame.sort_values("detectable")
    least, most = own.iloc[0], own.iloc[-1]
    return [
        say(
            "euro_found", language, least=euro(float(least["detectable"]), language), fee=fee,
            least_name=inputs.label(str(least["project"]), language), year=int(inputs.choices["price_year"]),
            times=number(float(least["detectable"] / least["fee"]), language),
            most=euro(float(most["detectable"]), language), most_name=inputs.label(str(most["project"]), language),
        )
    ]  # fmt: skip


def euros(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return what changed in euros beside what would have paid back the fee, for the first set and by project."""
    frame = inputs.frames["euros"]
    frame = frame[frame["outcome"] == inputs.primary]
    if frame.empty:
        return [say("decision_absent", language)]
    fee, year = euro(float(frame["fee"].iloc[0]), language, 2), int(inputs.choices["price_year"])
    said = [
        say(
            "fee", language, fee=fee, year=year, paid=euro(inputs.choices["fee"], language, 2),
            paid_year=int(inputs.choices["fee_year"]),
            low=number(100 * float(frame["needed_share"].min()), language, 1),
            high=number(100 * float(frame["needed_share"].max()), language, 1),
        )
    ]  # fmt: skip
    for row in frame[frame["project"].isin(list(inputs.pooled)[:1])].itertuples():
        kind = "none" if row.saving_low <= 0 <= row.saving_high else "saving" if row.saving > 0 else "rise"
        low, high = (euro(end, language) for end in (row.saving_low, row.saving_high))
        saving = row.saving if kind == "none" else abs(row.saving)
        said.append(
            say(
                f"euro_{kind}", language, name=inputs.label(row.project, language), year=year,
                cost=euro(row.cost, language), saving=euro(saving, language, signed=kind == "none"),
                range=text("range", language, low=low, high=high), level=percent(inputs.level),
                needed=ends(row.needed_low, row.needed_high, language, ""),
            )
        )  # fmt: skip
    return [*said, say("euro_inside", language)]


def robust(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return for which projects trends can be bounded, and what the bound does to their intervals."""
    frame = inputs.frames["robust"]
    frame = frame[(frame["outcome"] == inputs.primary) & (frame["window"] == UNBROKEN)]
    refused = [inputs.label(str(name), language) for name in frame.loc[frame["refused"] != "", "project"]]
    mine = frame[(frame["restriction"] == "relative_magnitudes") & (frame["bound"] == AS_MUCH)]
    said = [say("robust", language)]
    said += [
        say(
            "robust_open" if row.open_end else "robust_one", language, name=inputs.label(row.project, language),
            range=ends(row.low, row.high, language),
        )
        for row in mine.itertuples()
    ]  # fmt: skip
    kept = _kept(inputs, (inputs.primary,), language)
    said += kept if kept or not len(mine) else [say("robust_none", language)]
    if refused:
        said.append(say("robust_refused", language, names=joined(refused, language)))
    said += _kept(inputs, inputs.secondary, language) or [say("robust_none_sectors", language)]
    return [*said, say("robust_sets", language)]


def _kept(inputs: OpenDataInputs, outcomes: Sequence[str], language: str) -> list[str]:
    """Say of each interval that excludes zero how far trends may change until it holds it."""
    frame = inputs.frames["robust"]
    frame = frame[(frame["window"] == UNBROKEN) & frame["outcome"].isin(outcomes) & (frame["breakdown"] > 0)]
    return [
        say(
            "robust_kept", language, name=inputs.label(row.project, language),
            outcome=term("open_data_outcome", row.outcome, language),
            times=number(float(row.breakdown), language, 2) if np.isfinite(row.breakdown) else "\N{INFINITY}",
        )
        for row in frame.drop_duplicates(["project", "outcome"]).itertuples()
    ]  # fmt: skip


def placebo(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return how often the placebo test finds an effect where none was, beside how often it should."""
    frame = inputs.frames["size"]
    frame = frame[frame["project"] == TOGETHER].set_index("outcome")
    if inputs.primary not in frame.index:
        return [say("size_absent", language)]
    own, wanted = frame.loc[inputs.primary], 100 * (1 - inputs.level)
    apart = abs(own["found"] - wanted) > 2 * own["error"]
    verdict = "size_right" if not apart else "size_often" if own["found"] > wanted else "size_seldom"
    words = {
        "wanted": number(wanted, language), "found": number(own["found"], language, 1), "n": int(own["trials"]),
        "error": number(own["error"], language, 1), "low": number(frame["found"].min(), language, 1),
        "high": number(frame["found"].max(), language, 1),
    }  # fmt: skip
    return [f"{say('size', language, **words)} {say(verdict, language)}", say("size_regions", language)]


def synthetic(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return how many synthetic controls can be made and what to look for in them."""
    frame = inputs.frames["synthetic"]
    made = int((frame["refused"] == "").sum())
    worse = frame[(frame["refused"] == "") & (frame["pre_rmspe"] > np.maximum(2 * frame["placebo_rmspe"], CLOSE_FIT))]
    said = [
        say(
            "synthetic", language, n=len(frame), made=made, few=int((frame["refused"] == "few_years").sum()),
            many=int((frame["refused"] == "not_unique").sum()),
        )
    ]  # fmt: skip
    if len(worse):
        names = list(dict.fromkeys(inputs.label(str(name), language) for name in worse["project"]))
        said.append(say("synthetic_fit", language, names=joined(names, language)))
    return [*said, _did(inputs, language)] if frame["did_estimate"].notna().any() else said


def _did(inputs: OpenDataInputs, language: str) -> str:
    """Say how many synthetic DiDs can be made and how many lie outside the declared placebo interval."""
    own = inputs.overall(*inputs.outcomes)[["project", "outcome", "ci_low", "ci_high"]]
    frame = inputs.frames["synthetic"].merge(own, on=["project", "outcome"]).dropna(subset=["did_estimate"])
    outside = frame[(frame["did_estimate"] < frame["ci_low"]) | (frame["did_estimate"] > frame["ci_high"])]
    names = [
        f"{inputs.label(row.project, language)}, {term('open_data_outcome', row.outcome, language)} "
        f"{signed(row.did_estimate, language)}"
        for row in outside.itertuples()
    ]
    named = "; ".join(names) if names else say("nothing", language)
    return say("synthetic_did", language, made=len(frame), outside=len(outside), names=named)


def pooling(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the mean over projects on the primary outcome and how far projects differ."""
    frame = inputs.frames["partial"]
    mean = frame[(frame["outcome"] == inputs.primary) & (frame["project"] == "mean")]
    if mean.empty:
        return []
    row = mean.iloc[0]
    mid, low, high = (100 * float(np.expm1(row[name])) for name in ("log_points", "ci_low", "ci_high"))
    spread = number(100 * row["between_sd"], language, 1)
    words = {"mean": signed(mid, language), "low": signed(low, language), "high": signed(high, language)}
    return [say("pooling", language, level=percent(inputs.level), spread=spread, **words)]


def methods(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return how far the estimators lie apart, for the first pooled set and for the project where they differ most."""
    frame = inputs.frames["methods"].dropna(subset=["per_cent"])
    ends = frame.groupby("project")["per_cent"].agg(["min", "max"])
    own = inputs.overall(inputs.primary).set_index("project")["per_cent"]
    ends = ends.assign(low=np.fmin(ends["min"], own[ends.index]), high=np.fmax(ends["max"], own[ends.index]))
    widest = str((ends["high"] - ends["low"]).idxmax())
    shown = [name for name in (*list(inputs.pooled)[:1], widest) if name in ends.index]
    said = [
        say(
            "methods_range", language, name=inputs.label(name, language),
            low=signed(ends.loc[name, "low"], language), high=signed(ends.loc[name, "high"], language),
        )
        for name in dict.fromkeys(shown)
    ]  # fmt: skip
    return [*said, say("methods", language)]
