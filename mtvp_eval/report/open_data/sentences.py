"""Sentences of the open-data report: they follow the numbers, say a rise as plainly as a fall, and claim no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mtvp_eval.report.labels import joined, number, term
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.open_data.phrases import blanks, direction, ends, say, signed
from mtvp_eval.report.open_data.sentences_beside import (
    euros,
    exposed,
    methods,
    placebo,
    pooling,
    robust,
    smallest_saving,
    synthetic,
)
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
        return [say("decision_absent", language)]
    said = [say(f"decision_{direction(rows[0])}", language, **blanks(rows[0], inputs, language))]
    said += [say(f"beside_{direction(row)}", language, **blanks(row, inputs, language)) for row in rows[1:]]
    if rows[0].size_ratio < COMPARABLE_SIZE:
        said.append(say("decision_size", language, ratio=number(rows[0].size_ratio, language, 2)))
    return said


def asked(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the question, the pooled sets and what is never pooled."""
    said = [say("asked", language)]
    for name, members in inputs.pooled.items():
        named = joined([inputs.label(member, language) for member in members], language)
        said.append(say("members", language, name=inputs.label(name, language), members=named))
    if inputs.carry_over:
        named = joined([inputs.label(name, language) for name in inputs.carry_over], language)
        said.append(say("alone", language, names=named))
    return said


def findings(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return how many estimates lie outside the untouched groups, each of them, and what speaks against it."""
    frame = inputs.overall(*inputs.outcomes)
    frame = frame[(frame["kind"] == "project") & frame["per_cent"].notna()]
    clear = frame[frame["p_value"] <= P_LEVEL]
    counts = {"n": len(frame), "found": len(clear), "chance": number(P_LEVEL * len(frame), language)}
    said = [say("counted", language, level=percent(inputs.level), **counts)]
    said += [_clear(row, inputs, language) for row in clear.itertuples()]
    pooled = inputs.overall(*inputs.secondary)
    pooled = pooled[(pooled["kind"] == "set") & (pooled["p_value"] <= P_LEVEL)]
    for row in pooled.itertuples():
        others = [inputs.row(name, row.outcome) for name in inputs.pooled if name != row.project]
        beside = joined([_short(other, inputs, language) for other in others], language)
        said.append(say("clear_set", language, beside=beside, **blanks(row, inputs, language)))
    return said


def detectable(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the smallest effects these data could have shown, by project and per exposed patient."""
    frame = inputs.overall(inputs.primary)
    frame = frame[(frame["kind"] == "project") & frame["detectable"].notna()].sort_values("detectable")
    unlike = frame[frame["size_ratio"] < COMPARABLE_SIZE]
    frame = frame.drop(unlike.index) if len(unlike) < len(frame) else frame
    worst, best = frame.iloc[0], frame.iloc[-1]
    said = [
        say(
            "detectable", language, n=len(frame),
            least=number(-best["detectable"], language, 1), least_name=inputs.label(best["project"], language),
            most=number(-worst["detectable"], language, 1), most_name=inputs.label(worst["project"], language),
        )
    ]  # fmt: skip
    if len(unlike):
        names = joined([inputs.label(str(name), language) for name in unlike["project"]], language)
        said.append(say("detectable_size", language, names=names))
    return [*said, *smallest_saving(inputs, language)]


def reading(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return what every reader must know of how the effects were made."""
    names = [term("covariate", name, language) for name in inputs.covariates]
    words = {
        "groups": int(inputs.choices["groups"]), "fewer": int(inputs.choices["fewer_than"]),
        "level": percent(inputs.level), "first": inputs.first_year, "last": inputs.last_year,
    }  # fmt: skip
    said = [say("outcome", language, **words), say("compared", language, **words)]
    if names:
        said.append(say("adjusted", language, covariates=joined(names, language)))
    return [
        *said,
        say("base", language),
        *(say(key, language, **words) for key in ("interval", "error", "everybody")),
    ]


def overvecht(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return what city totals can say of the published claim on Overvecht (Krachtige Basiszorg)."""
    said = [say("claim", language)]
    outcomes = [o for o in (inputs.primary, "mental_health") if o in inputs.outcomes]
    for name in [n for n in ("kb_utrecht", "kb_other_cities") if n in set(inputs.frames["projects"]["project"])]:
        rows = [inputs.row(name, outcome) for outcome in outcomes]
        said += [
            say(f"effect_{direction(row)}", language, **blanks(row, inputs, language))
            for row in rows
            if row.per_cent == row.per_cent
        ]
        shares = inputs.frames["projects"].set_index("project").loc[name]
        found = [
            f"{number(-row.detectable, language, 1)}% ({term('open_data_outcome', row.outcome, language)})"
            for row in rows
            if row.per_cent == row.per_cent
        ]
        fall = {"low": WHAT_IF * shares["uptake_low"], "high": WHAT_IF * shares["uptake_high"]}
        said.append(
            say(
                "diluted", language, name=inputs.label(name, language), fall=number(WHAT_IF, language),
                share_low=number(100 * shares["uptake_low"], language, 1),
                share_high=number(100 * shares["uptake_high"], language, 1),
                low=number(fall["low"], language, 1), high=number(fall["high"], language, 1),
                detectable=joined(found, language),
            )
        )  # fmt: skip
    return [*said, say("claim_verdict", language)]


def gp(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return what moves in the published GP columns: the form of payment, never an effect on use."""
    frame = inputs.overall(*inputs.gp_columns)
    frame = frame[(frame["kind"] == "project") & (frame["per_cent"].abs() > LARGE_MOVE)]
    frame = frame[(frame["ci_low"] > 0) | (frame["ci_high"] < 0)]
    said = [say("gp", language, n=int(inputs.choices["payment_units"]))]
    for name, rows in frame.groupby("project", sort=False):
        moves = [
            f"{term('open_data_outcome', row.outcome, language)} {signed(row.per_cent, language)}"
            for row in rows.itertuples()
        ]
        said.append(say("gp_move", language, name=inputs.label(str(name), language), moves=joined(moves, language)))
    return said


def sensitivity(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return which effects on the primary outcome leave the untouched groups when one choice changes."""
    frame = inputs.frames["sensitivity"]
    frame = frame[(frame["outcome"] == inputs.primary) & (frame["sensitivity"] != "declared") & (frame["gap"] == "")]
    clear = frame[frame["p_value"] <= P_LEVEL]
    named = [
        f"{inputs.label(r.project, language)}, {term('open_data_change', r.sensitivity, language)} "
        f"{signed(r.per_cent, language)} ({ends(r.ci_low, r.ci_high, language)})"
        for r in clear.itertuples()
    ]
    names = "; ".join(named) if named else say("nothing", language)
    chance = number(P_LEVEL * len(frame), language)
    return [say("sensitivity", language, n=len(frame), found=len(clear), chance=chance, names=names)]


def limits(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return what the evaluation does not show, and why."""
    keys = ("assumed", "trends", "size", "covid", "care", "fund", "window")
    return [say(f"limit_{key}", language, last=inputs.last_year) for key in keys]


def conclusion(inputs: OpenDataInputs, language: str) -> list[str]:
    """Return the sober conclusion: what is shown, what is not, and what would be needed."""
    rows = [inputs.row(name, inputs.primary) for name in inputs.pooled]
    shown = any(direction(row) != "none" for row in rows if row.per_cent == row.per_cent)
    first = "conclusion_shown" if shown else "conclusion_none"
    return [say(first, language), *(say(f"conclusion_{key}", language) for key in ("neither", "needed"))]


SENTENCES: Mapping[str, Callable[[OpenDataInputs, str], list[str]]] = {
    "decision": decision,
    "asked": asked,
    "findings": findings,
    "detectable": detectable,
    "reading": reading,
    "overvecht": overvecht,
    "gp": gp,
    "exposed": exposed,
    "euros": euros,
    "placebo": placebo,
    "pooling": pooling,
    "robust": robust,
    "synthetic": synthetic,
    "sensitivity": sensitivity,
    "methods": methods,
    "limits": limits,
    "conclusion": conclusion,
}


def _clear(row: Any, inputs: OpenDataInputs, language: str) -> str:
    """Say one estimate outside the untouched groups, with what speaks against calling it an effect."""
    found, of = significant_leads(inputs, row.project, row.outcome)
    against = [say("against_before", language, found=found, of=of)] if found else []
    if row.size_ratio < COMPARABLE_SIZE:
        against.append(say("against_size", language, ratio=number(row.size_ratio, language, 2)))
    reason = joined(against, language) if against else say("against_many", language)
    return say("clear", language, reason=reason, **blanks(row, inputs, language))


def _short(row: Any, inputs: OpenDataInputs, language: str) -> str:
    words = blanks(row, inputs, language)
    return f"{words['name']} {words['estimate']} ({words['range']})"
