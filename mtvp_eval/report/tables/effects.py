"""Tables of effects: per outcome, by time since the start, by cohort and quarter, by estimator; and raw means."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import joined, term, text
from mtvp_eval.report.small_groups import shown_effects, withheld_cohorts
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.layout import column, table

if TYPE_CHECKING:
    import pandas as pd

REPLAY_TOLERANCE = 1e-4
"""Detectable effects lie between order statistics of replays, which sums in another order move less than this."""
BAND_TOLERANCE = 1e-4
"""Bands rest on simulated quantiles: the same seed and stream give the same draws, sorted sums differ in the last bits,
and an order statistic may then change place with its neighbour."""

_SCALES = {"log": "unit.log", "rate ratio - 1": "unit.ratio"}
"""Units of measure that are not the outcome's own -> text."""


def headline(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the average effect of each outcome, in the other weighting too where the two differ."""
    frame = _words(_of(inputs, "overall"), inputs, language)
    main = inputs.headline_weighting
    frame = frame[(frame["weighting"] == main) | frame["outcome"].isin(differing(inputs))]
    baseline = np.array([inputs.outcome(str(o)).baseline or np.nan for o in frame["outcome"]], dtype=float)
    for name in ("estimate", "ci_low", "ci_high"):
        values = frame[name].to_numpy(float)
        relative, logs = 100 * values / baseline, (frame["unit"] == "log").to_numpy()
        relative[logs] = 100 * np.expm1(values[logs])
        frame = frame.assign(**{f"relative_{name}": relative})
    crossed = _breaks_of(inputs, language)
    frame["note"] = [
        "; ".join(part for part in (str(note or ""), crossed.get(str(outcome), "")) if part)
        for note, outcome in zip(frame["note"], frame["outcome"], strict=True)
    ]
    columns = (
        *_effect_columns(inputs, language)[:4],
        column(
            "relative_estimate",
            language,
            "number",
            "relative",
            unit="%",
            decimals=1,
            low="relative_ci_low",
            high="relative_ci_high",
            signed=True,
        ),
        *_detectable_columns(inputs, language),
        column("aim", language, label="direction"),
        *_effect_columns(inputs, language)[4:],
    )
    if inputs.detectable is not None:
        shares = inputs.detectable[inputs.detectable["estimand"] == "overall"]
        shares = shares.rename(columns={"share": "detectable", "share_ramp": "detectable_ramp"})
        keys, added = ["outcome", "weighting"], ["detectable", "detectable_ramp"]
        frame = frame.merge(shares[[*keys, *added]], on=keys, how="left").astype(dict.fromkeys(added, float))
    return _effect_table("headline", frame, columns, ("outcome", "weighting"), language)


def _detectable_columns(inputs: ReportInputs, language: str) -> tuple[Column, ...]:
    """The smallest effects that the draw was expected to show, where they were computed."""
    names = () if inputs.detectable is None else ("detectable", "detectable_ramp")
    return tuple(column(name, language, "number", unit="%", decimals=1, tolerance=REPLAY_TOLERANCE) for name in names)


def _breaks_of(inputs: ReportInputs, language: str) -> dict[str, str]:
    """Name the known breaks in the pre-period of single outcomes; one that touches most is said once, under limits."""
    found: dict[str, list[str]] = {}
    estimated = set(inputs.effects["outcome"])
    for row in inputs.known_breaks.to_dict("records"):
        touched = set(str(row["outcomes"]).split(", ")) & estimated
        for outcome in touched if 2 * len(touched) <= len(estimated) else ():
            found.setdefault(outcome, []).append(term("break", str(row["break"]), language))
    return {outcome: text("crosses", language, breaks=joined(names, language)) for outcome, names in found.items()}


def differing(inputs: ReportInputs) -> frozenset[str]:
    """Return the outcomes whose average effect per practice and per patient differ by more than a standard error."""
    frame = _of(inputs, "overall").set_index(["outcome", "weighting"])
    found = set()
    for outcome in frame.index.get_level_values(0).unique():
        rows = frame.loc[outcome]
        if {"practice", "patient"} <= set(rows.index):
            gap = abs(float(rows.loc["practice", "estimate"]) - float(rows.loc["patient", "estimate"]))
            if gap > float(rows.loc[inputs.headline_weighting, "std_error"]):
                found.add(str(outcome))
    return frozenset(found)


def event_study(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the effect by periods since the start, leads included, with interval and simultaneous band."""
    frame = shown_effects(inputs)
    frame = frame[frame["estimand"].isin(["placebo", "event_study"])]
    frame = frame.sort_values("estimand", kind="stable").drop_duplicates(["outcome", "weighting", "event_time"])
    frame = _words(frame.sort_values(["outcome", "weighting", "event_time"], kind="stable"), inputs, language)
    frame["event_time"] = frame["event_time"].astype(int)
    frame, detectable = _beside_event_times(frame, inputs, language)
    *shown, unit, df, note = _by(inputs, language, "event_time", band=True)
    columns = (*shown, *detectable, unit, df, note)
    return _effect_table("event_study", frame, columns, ("outcome", "weighting", "event_time"), language)


def _beside_event_times(
    frame: pd.DataFrame, inputs: ReportInputs, language: str
) -> tuple[pd.DataFrame, tuple[Column, ...]]:
    """Add the smallest effects that the draw was expected to show, and a note where it compares nobody any more."""
    if inputs.detectable is None or inputs.detectable["event_time"].isna().all():
        return frame, ()
    here = inputs.detectable[inputs.detectable["estimand"] == "event_study"]
    here = here.rename(columns={"mde_immediate": "detectable", "mde_ramp": "detectable_ramp"})
    here = here[["outcome", "weighting", "event_time", "detectable", "detectable_ramp"]].astype({"event_time": int})
    frame = frame.merge(here, on=["outcome", "weighting", "event_time"], how="left")
    frame = frame.astype({"detectable": float, "detectable_ramp": float})
    beyond = frame["event_time"] > int(here["event_time"].max())
    said = text("beyond_window", language)
    frame["note"] = [
        f"{n}; {said}" if n and b else said if b else n for n, b in zip(frame["note"], beyond, strict=True)
    ]
    frame.loc[frame["withheld"].to_numpy(np.bool_), ["detectable", "detectable_ramp"]] = np.nan
    columns = (
        column(name, language, "number", "event_" + name, unit="=unit_text", decimals="decimals",
               tolerance=REPLAY_TOLERANCE)
        for name in ("detectable", "detectable_ramp")
    )  # fmt: skip
    return frame, tuple(columns)


def placebo(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the placebo leads of the primary outcome and all others."""
    frame = shown_effects(inputs)
    leads = frame[(frame["estimand"] == "placebo")]
    if leads.empty:
        leads = frame[(frame["estimand"] == "event_study") & (frame["event_time"] < 0)]
    leads = _words(leads, inputs, language)
    leads["event_time"] = leads["event_time"].astype(int)
    return _effect_table(
        "placebo",
        leads,
        _by(inputs, language, "event_time", band=True),
        ("outcome", "weighting", "event_time"),
        language,
    )


def by_cohort(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the effect by cohort; a cohort of one has an estimate without error, and the reason."""
    frame = _words(_of(inputs, "cohort"), inputs, language)
    return _effect_table(
        "by_cohort", frame, _by(inputs, language, "cohort"), ("outcome", "weighting", "cohort"), language
    )


def calendar(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the effect by calendar period."""
    frame = _words(_of(inputs, "calendar"), inputs, language)
    return _effect_table(
        "calendar", frame, _by(inputs, language, "period"), ("outcome", "weighting", "period"), language
    )


def att_gt(inputs: ReportInputs, language: str) -> ReportTable:
    """Return every estimated effect by cohort and period from entry on."""
    frame = _of(inputs, "att_gt")
    frame = _words(frame[frame["event_time"] >= 0], inputs, language)
    columns = _by(inputs, language, "cohort")
    columns = (*columns[:3], column("period", language), *columns[3:])
    return _effect_table("att_gt", frame, columns, ("outcome", "weighting", "cohort", "period"), language)


def robustness(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the average effect of each outcome by estimator."""
    given = inputs.robustness
    more = {"unit": given.get("unit", ""), "estimand": given.get("estimand", "overall"), "withheld": False}
    frame = given.assign(**more)
    overall = shown_effects(inputs)
    gone = overall[(overall["estimand"] == "overall") & overall["withheld"]]["outcome"]
    frame["withheld"] = frame["outcome"].isin(set(gone))
    frame = _words(frame, inputs, language)
    frame["method_text"] = [term("method", str(m), language) for m in frame["method"]]
    frame["average"] = [
        _average(str(method), str(estimand), language) if value == value else ""
        for method, estimand, value in zip(frame["method"], frame["estimand"], frame["estimate"], strict=True)
    ]
    columns = _by(inputs, language, "method_text", label="method")
    columns = (*columns[:3], column("average", language), *columns[3:])
    return _effect_table("robustness", frame, columns, ("outcome", "method", "weighting"), language)


def _average(method: str, estimand: str, language: str) -> str:
    """Say what a method's average is over: its own words where it weighs in a way of its own."""
    own = term("average", method, language)
    return own if own != method else term("average", estimand, language)


def trends(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the raw means by outcome, period (rows) and cohort (columns)."""
    hidden = withheld_cohorts(inputs)
    few = inputs.trends["units"].between(1, inputs.min_units - 1)
    frame = inputs.trends.assign(mean=inputs.trends["mean"].mask(few | inputs.trends["cohort"].isin(list(hidden))))
    order = [str(c) for c in inputs.cohorts["cohort"]]
    wide = frame.pivot_table(index=["outcome", "period"], columns="cohort", values="mean", sort=False, dropna=False)
    wide = wide.reindex(columns=order).reset_index()
    wide = _words(wide.assign(unit=""), inputs, language)
    columns = (
        Column("title", column("outcome", language).label),
        column("period", language),
        *(Column(c, term("cohort", c, language), "number", unit="=unit_text", decimals="decimals") for c in order),
        Column("unit_text", column("unit", language).label),
    )
    made = table("trends", wide, columns, ("outcome", "period"), language)
    gone = np.tile([False, False, *(c in hidden for c in order), False], (len(wide), 1))
    if not gone.any():
        return made
    from dataclasses import replace

    return replace(made, withheld=gone)


@lru_cache(maxsize=8)
def decimals(inputs: ReportInputs) -> dict[str, int]:
    """Return the decimals of each outcome: those that show its average effect's standard error in two digits."""
    rows = shown_effects(inputs)
    rows = rows[(rows["estimand"] == "overall") & (rows["weighting"] == inputs.headline_weighting)]
    errors = dict(zip(rows["outcome"].astype(str), rows["std_error"].astype(float), strict=True))
    places = {outcome.id: outcome.decimals for outcome in inputs.outcomes}
    for outcome, error in errors.items():
        if 0 < error < np.inf:
            places[outcome] = int(np.clip(1 - np.floor(np.log10(error)), 0, 4))
    return places


def _of(inputs: ReportInputs, estimand: str) -> pd.DataFrame:
    frame = shown_effects(inputs)
    return frame[frame["estimand"] == estimand]


def _words(frame: pd.DataFrame, inputs: ReportInputs, language: str) -> pd.DataFrame:
    """Add what is read: title, unit, average over whom, aim, decimals of the outcome."""
    infos = [inputs.outcome(str(o)) for o in frame["outcome"]]
    places = decimals(inputs)
    scaled = [_SCALES.get(str(unit), "") for unit in frame["unit"]]
    more = {
        "title": [info.title[language] for info in infos],
        "unit_text": [
            text(scale, language) if scale else i.unit[language] for i, scale in zip(infos, scaled, strict=True)
        ],
        "decimals": [places[info.id] for info in infos],
        "aim": [term("direction", info.direction, language) for info in infos],
    }
    if "weighting" in frame:
        more["weighting_text"] = [term("weighting", str(w), language) for w in frame["weighting"]]
    if "note" in frame:
        more["note"] = [term("reason", str(n), language) if n == n else "" for n in frame["note"]]
    if "ci_method" in frame:
        more["ci_text"] = [term("ci_method", str(m), language) if m == m else "" for m in frame["ci_method"]]
    return frame.reset_index(drop=True).assign(**more)


def _effect_columns(inputs: ReportInputs, language: str) -> tuple[Column, ...]:
    return (
        Column("title", column("outcome", language).label),
        Column("weighting_text", column("weighting", language).label),
        column(
            "estimate", language, "number", unit="=unit_text", decimals="decimals",
            low="ci_low", high="ci_high", signed=True,
        ),
        column(
            "interval", language, "interval", level=inputs.level, decimals="decimals", low="ci_low", high="ci_high"
        ),
        Column("unit_text", column("unit", language).label),
        column("ci_text", language, label="ci_method"),
        column("df", language, "number", decimals=1),
        column("note", language),
    )  # fmt: skip


def _by(inputs: ReportInputs, language: str, name: str, band: bool = False, label: str = "") -> tuple[Column, ...]:
    """The columns of effects by one coordinate."""
    title, weighting, estimate, interval, unit, _, df, note = _effect_columns(inputs, language)
    bands: tuple[Column, ...] = ()
    if band:
        bands = (
            column(
                "band", language, "interval", level=inputs.level, decimals="decimals",
                low="band_low", high="band_high", tolerance=BAND_TOLERANCE,
            ),
        )  # fmt: skip
    return (title, weighting, column(name, language, label=label), estimate, interval, *bands, unit, df, note)


def _by_coordinate(id_: str, frame: pd.DataFrame, name: str, inputs: ReportInputs, language: str) -> ReportTable:
    columns = _by(inputs, language, name, band=name == "event_time")
    return _effect_table(id_, _words(frame, inputs, language), columns, ("outcome", "weighting", name), language)


def _effect_table(
    id_: str, frame: pd.DataFrame, columns: tuple[Column, ...], key: tuple[str, ...], language: str
) -> ReportTable:
    gone = frame["withheld"].to_numpy(np.bool_)
    always = (
        "title",
        "weighting_text",
        "aim",
        "unit_text",
        "method_text",
        "ci_method",
        "cohort",
        "period",
        "event_time",
    )
    if not frame["note"].str.strip().any():
        columns = tuple(c for c in columns if c.name != "note")
    return table(id_, frame, columns, key, language, gone, keep=always)
