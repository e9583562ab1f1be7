"""Tables about the draw: the record against the declared rule, balance, what it identifies, and its replay tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray
from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import term, text
from mtvp_eval.report.small_groups import shown_effects
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.effects import decimals
from mtvp_eval.report.tables.layout import column, table

if TYPE_CHECKING:
    import pandas as pd

COMBINED = ("fisher", "stouffer")
"""Rows of rounds taken together."""
REPLAY_TOLERANCE = 1e-4
"""Replays repeat exactly from their seed; a last bit that decides a tie moves a p-value by 1 in 10,000."""


def record(inputs: ReportInputs, language: str) -> ReportTable:
    """Return what contradicts the declaration or the record, and what is merely to be known."""
    frame = inputs.lottery["draw_record"]
    frame = frame.assign(
        units=frame["units"].astype(float),
        finding_text=[term("draw_finding", str(f), language) for f in frame["finding"]],
        standing_text=[term("draw_standing", str(s), language) for s in frame["standing"]],
        round_text=[term("draw_round", str(r), language) for r in frame["round"]],
    )
    columns = (
        column("round_text", language, label="round"),
        column("finding_text", language, label="finding"),
        column("standing_text", language, label="standing"),
        column("units", language, "number"),
    )
    few = frame["units"].between(1, inputs.min_units - 1).to_numpy(np.bool_)
    keep = ("round_text", "finding_text", "standing_text")
    return table("draw_record", frame, columns, ("round", "finding"), language, few, keep)


def readings(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the readings of the rule that could have produced the record."""
    frame = inputs.lottery["draw_readings"]
    frame = frame.assign(
        rollover_text=[term("rollover", str(r), language) for r in frame["rollover"]],
        misfit_text=[term("misfit", str(m), language) for m in frame["misfit"]],
        declared_text=[text(f"draw.declared_{'yes' if d else 'no'}", language) for d in frame["declared"]],
    )
    columns = (
        column("rollover_text", language, label="rollover"),
        column("misfit_text", language, label="misfit"),
        column("declared_text", language, label="declared"),
    )
    return table("draw_readings", frame, columns, ("rollover", "misfit"), language)


def rounds(inputs: ReportInputs, language: str) -> ReportTable:
    """Return how far each round filled the cap, against replays; all of it stays back where a round is small."""
    frame = inputs.lottery["draw_rounds"]
    frame = frame.assign(basis_text=[term("draw_basis", str(b), language) for b in frame["basis"]])
    columns = (
        column("round", language),
        column("basis_text", language, label="basis"),
        column("filled", language, "number", decimals=2),
        column("expected", language, "number", decimals=2),
        column("p_value", language, "number", decimals=3, tolerance=REPLAY_TOLERANCE),
    )
    small = bool(frame["started"].between(1, inputs.min_units - 1).any())
    hidden = np.full(len(frame), small, dtype=np.bool_)
    return table("draw_rounds", frame, columns, ("round",), language, hidden, ("basis_text",))


def balance(inputs: ReportInputs, language: str) -> ReportTable:
    """Return how first starters differ from later ones in what was known before, against replays."""
    frame = inputs.lottery["draw_balance"].astype({"difference": float, "expected": float})
    frame = frame.assign(title=[term("covariate_name", str(c), language) for c in frame["covariate"]])
    columns = (
        column("title", language, label="covariate"),
        column("difference", language, "number", decimals=2, signed=True),
        column("expected", language, "number", label="expected_difference", decimals=2, signed=True),
        column("p_value", language, "number", decimals=3, tolerance=REPLAY_TOLERANCE),
    )
    small = bool(inputs.lottery["draw_rounds"]["started"].between(1, inputs.min_units - 1).any())
    hidden = np.full(len(frame), small, dtype=np.bool_) & (frame["covariate"] != "jointly").to_numpy(np.bool_)
    return table("draw_balance", frame, columns, ("covariate",), language, hidden, ("title", "p_value"))


def identification(inputs: ReportInputs, language: str) -> ReportTable:
    """Return for each block and event time what identifies an effect, and how many compare."""
    frame = inputs.lottery["identification"]
    frame = frame.assign(
        practices=frame["practices"].astype(float),
        practices_comparing=frame["practices_comparing"].astype(float),
        identified=[term("identified_by", str(b), language) for b in frame["identified_by"]],
    )
    columns = (
        column("block", language),
        column("event_time", language),
        column("identified", language, label="identified_by"),
        column("practices", language, "number"),
        column("practices_comparing", language, "number"),
    )
    frame["event_time"] = frame["event_time"].astype(str)
    hidden = _small_or_alone(frame, inputs.min_units)
    key = ("block", "priority", "event_time")
    return table("identification", frame, columns, key, language, hidden, ("block", "event_time", "identified"))


def _small_or_alone(frame: pd.DataFrame, least: int) -> BoolArray:
    """Tell which rows stay back.

    Those that count few; a whole block where two of its rows differ by few, which is a cohort; and the next smallest
    where only one row of an event time would be left out.
    """
    counts = frame[["practices", "practices_comparing"]].to_numpy(float)
    hidden = ((counts > 0) & (counts < least)).any(axis=1)
    for _, rows in frame.groupby(["block", "priority", "identified_by"], sort=False).groups.items():
        own = counts[np.asarray(rows)]
        gaps = np.abs(own[:, None] - own[None])
        if ((gaps > 0) & (gaps < least)).any():
            hidden[np.asarray(rows)] = counts[np.asarray(rows), 0] > 0
    for e in frame["event_time"].unique():
        here = (frame["event_time"] == e).to_numpy(np.bool_) & (counts[:, 0] > 0)
        if (hidden & here).sum() == 1 and (here & ~hidden).any():
            left = np.flatnonzero(here & ~hidden)
            hidden[left[np.argmin(counts[left, 0])]] = True
    return np.asarray(hidden, dtype=np.bool_)


def applicants(inputs: ReportInputs, language: str) -> ReportTable:
    """Return how applicants differ from practices that never applied; nothing is claimed of the latter."""
    frame = inputs.lottery["applicants"]
    frame = frame.assign(title=[term("covariate_name", str(c), language) for c in frame["covariate"]])
    columns = (
        column("title", language, label="covariate"),
        column("difference", language, "number", label="applicants_less_others", decimals=2, signed=True),
    )
    return table("applicants", frame, columns, ("covariate",), language)


def replay_tests(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the replay tests of every outcome and horizon; withheld where the effect itself is.

    Where applications reacted to earlier draws, these are the tests of single rounds instead.
    """
    if "round_tests" in inputs.lottery:
        return _round_tests(inputs, language)
    frame = inputs.lottery["replay_tests"]
    infos = [inputs.outcome(str(o)) for o in frame["outcome"]]
    places = decimals(inputs)
    shown = shown_effects(inputs)
    own = shown[shown["weighting"] == "practice"]
    open_ = {
        (str(r.outcome), str(r.estimand), None if r.event_time != r.event_time else int(r.event_time))
        for r in own[~own["withheld"]].itertuples()
    }
    times = [None if t != t else int(t) for t in frame["event_time"].astype(float)]
    hidden = np.array(
        [(str(o), str(e), t) not in open_ for o, e, t in zip(frame["outcome"], frame["estimand"], times, strict=True)],
        dtype=np.bool_,
    )
    frame = frame.assign(
        horizon=["overall" if t is None else str(t) for t in times],
        title=[info.title[language] for info in infos],
        horizon_text=[text("draw.average", language) if t is None else str(t) for t in times],
        family_text=[term("family", str(f), language) for f in frame["family"]],
        unit_text=[info.unit[language] for info in infos],
        decimals=[places[info.id] for info in infos],
    )
    columns = (
        column("title", language, label="outcome"),
        column("unit_text", language, label="unit"),
        column("horizon_text", language, label="event_time"),
        column("family_text", language, label="family"),
        Column(
            "estimate", text("column.estimate", language), "number", "=unit_text", "decimals", "ci_low", "ci_high",
            signed=True, tolerance=REPLAY_TOLERANCE,
        ),
        column(
            "interval", language, "interval", level=inputs.level, decimals="decimals", low="ci_low", high="ci_high",
            tolerance=REPLAY_TOLERANCE,
        ),
        column("p_replay", language, "number", decimals=3, tolerance=REPLAY_TOLERANCE),
        column("p_adjusted", language, "number", decimals=3, tolerance=REPLAY_TOLERANCE),
        column("rejected_share", language, "number", decimals=3, tolerance=REPLAY_TOLERANCE),
    )  # fmt: skip
    keep = ("title", "unit_text", "horizon_text", "family_text")
    readings_ = int(frame["readings"].max()) if len(frame) else 1
    note = text("table.replay_tests.note", language, readings=readings_)
    return table("replay_tests", frame, columns, ("outcome", "horizon"), language, hidden, keep, note)


def _round_tests(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the tests of single rounds and their combinations; a round of few waiting units stays back."""
    frame = inputs.lottery["round_tests"]
    infos = [inputs.outcome(str(o)) for o in frame["outcome"]]
    places = decimals(inputs)
    combined = frame["round"].isin(COMBINED).to_numpy(np.bool_)
    hidden = _round_hidden(inputs, frame)
    frame = frame.assign(
        title=[info.title[language] for info in infos],
        unit_text=[info.unit[language] for info in infos],
        round_text=[
            term("combined", str(r), language) if c else str(r) for r, c in zip(frame["round"], combined, strict=True)
        ],
        family_text=[term("family", str(f), language) for f in frame["family"]],
        decimals=[places[info.id] for info in infos],
    )
    columns = (
        column("title", language, label="outcome"),
        column("unit_text", language, label="unit"),
        column("round_text", language, label="round"),
        column("family_text", language, label="family"),
        Column(
            "estimate", text("column.estimate", language), "number", "=unit_text", "decimals", signed=True,
            tolerance=REPLAY_TOLERANCE,
        ),
        column("p_replay", language, "number", decimals=3, tolerance=REPLAY_TOLERANCE),
        column("p_adjusted", language, "number", decimals=3, tolerance=REPLAY_TOLERANCE),
    )  # fmt: skip
    readings_ = int(frame["readings"].max()) if len(frame) else 1
    note = text("table.round_tests.note", language, readings=readings_)
    keep = ("title", "unit_text", "round_text", "family_text", "p_replay", "p_adjusted")
    return table("round_tests", frame, columns, ("outcome", "round"), language, hidden, keep, note)


def _round_hidden(inputs: ReportInputs, frame: pd.DataFrame) -> BoolArray:
    """Tell which estimates stay back: those of rounds that let in few units, which are single practices' outcomes."""
    small = inputs.lottery["draw_rounds"]
    few = set(small.loc[small["started"].between(1, inputs.min_units - 1), "round"].astype(str))
    own = frame["round"].astype(str).isin(few) | (frame["units"] < inputs.min_units)
    return np.asarray(own, dtype=np.bool_)


TABLES: Mapping[str, Callable[[ReportInputs, str], ReportTable]] = {
    "draw_record": record,
    "draw_readings": readings,
    "draw_rounds": rounds,
    "draw_balance": balance,
    "identification": identification,
    "applicants": applicants,
    "replay_tests": replay_tests,
}
"""Tables of the draw by id; each needs the frame of that name in `ReportInputs.lottery`."""
