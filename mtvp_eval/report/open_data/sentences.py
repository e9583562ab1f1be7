"""Sentences of the open-data report: they follow the numbers, say a rise as plainly as a fall, and claim no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mtvp_eval.report.labels import euro, joined, number, term, text
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.open_data.tables import P_LEVEL, significant_leads
from mtvp_eval.report.tables.layout import percent

COMPARABLE_SIZE = 0.5
"""Untouched groups of less than half the project's insured years are said not to be of its size."""

LARGE_MOVE = 20.0
"""A move of a GP column, in per cent, that is named in the text."""

WHAT_IF = 10.0
"""Fall of cost per exposed patient, in per cent, by which dilution is shown."""


def decision(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the answer: the pooled sets on the primary outcome, the first one first."""
    rows = [inputs.row(name, inputs.primary) for name in inputs.pooled]
    rows = [row for row in rows if row.per_cent == row.per_cent]
    if not rows:
        return [_say("decision_absent", language)]
    said = [_say(f"decision_{_direction(rows[0])}", language, **_numbers(rows[0], inputs, language))]
    said += [_say(f"beside_{_direction(row)}", language, **_numbers(row, inputs, language)) for row in rows[1:]]
    if rows[0].size_ratio < COMPARABLE_SIZE:
        said.append(_say("decision_size", language, ratio=number(rows[0].size_ratio, language, 2)))
    return said


def asked(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the question, the pooled sets and what is never pooled."""
    said = [_say("asked", language)]
    for name, members in inputs.pooled.items():
        named = joined([inputs.label(member, language) for member in members], language)
        said.append(_say("members", language, name=inputs.label(name, language), members=named))
    if inputs.carry_over:
        named = joined([inputs.label(name, language) for name in inputs.carry_over], language)
        said.append(_say("alone", language, names=named))
    return said


def findings(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return how many estimates lie outside the untouched groups, each of them, and what speaks against it."""
    frame = inputs.overall(*inputs.outcomes)
    frame = frame[(frame["kind"] == "project") & frame["per_cent"].notna()]
    clear = frame[frame["p_value"] <= P_LEVEL]
    counts = {"n": len(frame), "found": len(clear), "chance": number(P_LEVEL * len(frame), language)}
    said = [_say("counted", language, level=percent(inputs.level), **counts)]
    said += [_clear(row, inputs, language) for row in clear.itertuples()]
    pooled = inputs.overall(*inputs.secondary)
    pooled = pooled[(pooled["kind"] == "set") & (pooled["p_value"] <= P_LEVEL)]
    for row in pooled.itertuples():
        others = [inputs.row(name, row.outcome) for name in inputs.pooled if name != row.project]
        beside = joined([_short(other, inputs, language) for other in others], language)
        said.append(_say("clear_set", language, beside=beside, **_numbers(row, inputs, language)))
    return said


def detectable(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the smallest effects these data could have shown, by project and per exposed patient."""
    frame = inputs.overall(inputs.primary)
    frame = frame[(frame["kind"] == "project") & frame["detectable"].notna()].sort_values("detectable")
    unlike = frame[frame["size_ratio"] < COMPARABLE_SIZE]
    frame = frame.drop(unlike.index) if len(unlike) < len(frame) else frame
    worst, best = frame.iloc[0], frame.iloc[-1]
    said = [
        _say(
            "detectable", language, n=len(frame),
            least=number(-best["detectable"], language, 1), least_name=inputs.label(best["project"], language),
            most=number(-worst["detectable"], language, 1), most_name=inputs.label(worst["project"], language),
        )
    ]  # fmt: skip
    if len(unlike):
        names = joined([inputs.label(str(name), language) for name in unlike["project"]], language)
        said.append(_say("detectable_size", language, names=names))
    per_patient = inputs.frames["exposed"]
    per_patient = per_patient[(per_patient["outcome"] == inputs.primary) & ~per_patient["project"].isin(inputs.pooled)]
    if len(per_patient):
        top = per_patient.loc[per_patient["detectable_low"].astype(float).idxmin()]
        low, high = 100 * float(per_patient["needed"].min()), 100 * float(per_patient["needed"].max())
        found = -100 * float(np.expm1(-top["detectable_low"]))
        said.append(
            _say(
                "fee", language, fee=euro(inputs.choices["fee"], language, 2), low=number(low, language, 1),
                high=number(high, language, 1), found=number(found, language, 1),
                name=inputs.label(top["project"], language), share=number(100 * top["uptake_high"], language),
            )
        )  # fmt: skip
    return said


def reading(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return what every reader must know of how the effects were made."""
    names = [term("covariate", name, language) for name in inputs.covariates]
    words = {
        "groups": int(inputs.choices["groups"]), "fewer": int(inputs.choices["fewer_than"]),
        "level": percent(inputs.level), "first": inputs.first_year, "last": inputs.last_year,
    }  # fmt: skip
    said = [_say("outcome", language, **words), _say("compared", language, **words)]
    if names:
        said.append(_say("adjusted", language, covariates=joined(names, language)))
    return [
        *said,
        _say("base", language),
        *(_say(key, language, **words) for key in ("interval", "error", "everybody")),
    ]


def overvecht(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return what city totals can say of the published claim on Overvecht (Krachtige Basiszorg)."""
    said = [_say("claim", language)]
    outcomes = [o for o in (inputs.primary, "mental_health") if o in inputs.outcomes]
    for name in [n for n in ("kb_utrecht", "kb_other_cities") if n in set(inputs.frames["projects"]["project"])]:
        rows = [inputs.row(name, outcome) for outcome in outcomes]
        said += [
            _say(f"effect_{_direction(row)}", language, **_numbers(row, inputs, language))
            for row in rows
            if row.per_cent == row.per_cent
        ]
        shares = inputs.frames["projects"].set_index("project").loc[name]
        fall = {"low": WHAT_IF * shares["uptake_low"], "high": WHAT_IF * shares["uptake_high"]}
        said.append(
            _say(
                "diluted", language, name=inputs.label(name, language), fall=number(WHAT_IF, language),
                share_low=number(100 * shares["uptake_low"], language, 1),
                share_high=number(100 * shares["uptake_high"], language, 1),
                low=number(fall["low"], language, 1), high=number(fall["high"], language, 1),
                detectable=number(-rows[0].detectable, language, 1),
            )
        )  # fmt: skip
    return [*said, _say("claim_verdict", language)]


def gp(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return what moves in the published GP columns: the form of payment, never an effect on use."""
    frame = inputs.overall(*inputs.gp_columns)
    frame = frame[(frame["kind"] == "project") & (frame["per_cent"].abs() > LARGE_MOVE)]
    frame = frame[(frame["ci_low"] > 0) | (frame["ci_high"] < 0)]
    said = [_say("gp", language, n=int(inputs.choices["payment_units"]))]
    for name, rows in frame.groupby("project", sort=False):
        moves = [
            f"{term('open_data_outcome', row.outcome, language)} {_pc(row.per_cent, language)}"
            for row in rows.itertuples()
        ]
        said.append(_say("gp_move", language, name=inputs.label(str(name), language), moves=joined(moves, language)))
    return said


def exposed(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return how often an effect per exposed patient can be given, and what dilutes the rest."""
    frame = inputs.frames["exposed"]
    frame = frame[frame["outcome"].isin(inputs.outcomes)]
    given = int((frame["shape"] == "interval").sum())
    limit = number(100 * inputs.choices["largest_detectable"], language)
    return [_say("exposed", language, limit=limit, given=given, n=len(frame)), _say("dose", language)]


def pooling(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the mean over projects on the primary outcome and how far projects differ."""
    frame = inputs.frames["partial"]
    mean = frame[(frame["outcome"] == inputs.primary) & (frame["project"] == "mean")]
    if mean.empty:
        return []
    row = mean.iloc[0]
    mid, low, high = (100 * float(np.expm1(row[name])) for name in ("log_points", "ci_low", "ci_high"))
    spread = number(100 * row["between_sd"], language, 1)
    words = {"mean": _pc(mid, language), "low": _pc(low, language), "high": _pc(high, language)}
    return [_say("pooling", language, level=percent(inputs.level), spread=spread, **words)]


def sensitivity(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return which effects on the primary outcome leave the untouched groups when one choice changes."""
    frame = inputs.frames["sensitivity"]
    frame = frame[(frame["outcome"] == inputs.primary) & (frame["sensitivity"] != "declared") & (frame["gap"] == "")]
    clear = frame[frame["p_value"] <= P_LEVEL]
    named = [
        f"{inputs.label(r.project, language)}, {term('open_data_change', r.sensitivity, language)} "
        f"{_pc(r.per_cent, language)} ({_range(r, language)})"
        for r in clear.itertuples()
    ]
    names = "; ".join(named) if named else _say("nothing", language)
    chance = number(P_LEVEL * len(frame), language)
    return [_say("sensitivity", language, n=len(frame), found=len(clear), chance=chance, names=names)]


def methods(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return how far the estimators lie apart, for the first pooled set and for the project where they differ most."""
    frame = inputs.frames["methods"].dropna(subset=["per_cent"])
    ends = frame.groupby("project")["per_cent"].agg(["min", "max"])
    own = inputs.overall(inputs.primary).set_index("project")["per_cent"]
    ends = ends.assign(low=np.fmin(ends["min"], own[ends.index]), high=np.fmax(ends["max"], own[ends.index]))
    widest = str((ends["high"] - ends["low"]).idxmax())
    shown = [name for name in (*list(inputs.pooled)[:1], widest) if name in ends.index]
    said = [
        _say(
            "methods_range", language, name=inputs.label(name, language),
            low=_pc(ends.loc[name, "low"], language), high=_pc(ends.loc[name, "high"], language),
        )
        for name in dict.fromkeys(shown)
    ]  # fmt: skip
    return [*said, _say("methods", language)]


def limits(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return what the evaluation does not show, and why."""
    keys = ("assumed", "trends", "size", "covid", "care", "fund", "window")
    return [_say(f"limit_{key}", language, last=inputs.last_year) for key in keys]


def conclusion(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the sober conclusion: what is shown, what is not, and what would be needed."""
    rows = [inputs.row(name, inputs.primary) for name in inputs.pooled]
    shown = any(_direction(row) != "none" for row in rows if row.per_cent == row.per_cent)
    first = "conclusion_shown" if shown else "conclusion_none"
    return [_say(first, language), *(_say(f"conclusion_{key}", language) for key in ("neither", "needed"))]


SENTENCES: Mapping[str, Callable[[OpenDataInputs, str], list[str]]] = {
    "decision": decision,
    "asked": asked,
    "findings": findings,
    "detectable": detectable,
    "reading": reading,
    "overvecht": overvecht,
    "gp": gp,
    "exposed": exposed,
    "pooling": pooling,
    "sensitivity": sensitivity,
    "methods": methods,
    "limits": limits,
    "conclusion": conclusion,
}


def _clear(row: Any, inputs: OpenDataInputs, language: str) -> str:
    """Say one estimate outside the untouched groups, with what speaks against calling it an effect."""
    found, of = significant_leads(inputs, row.project, row.outcome)
    against = [_say("against_before", language, found=found, of=of)] if found else []
    if row.size_ratio < COMPARABLE_SIZE:
        against.append(_say("against_size", language, ratio=number(row.size_ratio, language, 2)))
    reason = joined(against, language) if against else _say("against_many", language)
    return _say("clear", language, reason=reason, **_numbers(row, inputs, language))


def _direction(row: Any) -> str:
    if row.ci_low <= 0 <= row.ci_high:
        return "none"
    return "rise" if row.per_cent > 0 else "fall"


def _numbers(row: Any, inputs: OpenDataInputs, language: str) -> dict[str, str]:
    """Return the blanks of a sentence on one effect."""
    return {
        "name": inputs.label(row.project, language),
        "outcome": term("open_data_outcome", row.outcome, language),
        "estimate": _pc(row.per_cent, language),
        "size": number(abs(row.per_cent), language, 1),
        "range": _range(row, language),
        "fall": number(max(0.0, -row.ci_low), language, 1),
        "rise": number(max(0.0, row.ci_high), language, 1),
        "level": percent(inputs.level),
    }


def _short(row: Any, inputs: OpenDataInputs, language: str) -> str:
    return f"{inputs.label(row.project, language)} {_pc(row.per_cent, language)} ({_range(row, language)})"


def _range(row: Any, language: str) -> str:
    low, high = (number(end, language, 1) for end in (row.ci_low, row.ci_high))
    return text("range", language, low=low, high=f"{high}%")


def _pc(value: float, language: str) -> str:
    return f"{number(value, language, 1, signed=True)}%"


def _say(key: str, language: str, **values: object) -> str:
    return text(f"open_data.sentence.{key}", language, **values)
