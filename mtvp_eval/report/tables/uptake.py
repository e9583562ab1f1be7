"""Tables on uptake as drawn, the placebo after the announcement, leavers, and interference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.report.disclosure import withhold
from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import term, text
from mtvp_eval.report.small_groups import shown_effects
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.effects import decimals
from mtvp_eval.report.tables.layout import column, table

if TYPE_CHECKING:
    import pandas as pd

REPLAY_TOLERANCE = 1e-4
"""Replays repeat exactly from their seed; a last bit that decides a tie moves a p-value by 1 in 1,000 at most."""
STARTED = ("on_time", "early", "late")
COUNTED = ("winners", *STARTED, "never", "stopped")


def counts(inputs: ReportInputs, language: str) -> ReportTable:
    """Return what became of the practices drawn, by round and in all; small counts stay back with their complement."""
    frame = inputs.participation["uptake_counts"].reindex(columns=["drawn", *COUNTED]).copy()
    rounds = frame[list(COUNTED)].to_numpy(float)
    if len(frame):
        frame.loc[len(frame)] = ["all", *rounds.sum(axis=0)]
    hidden = _small(frame[list(COUNTED)].to_numpy(float), inputs.min_units)
    frame["drawn_text"] = [term("cohort", str(d), language) for d in frame["drawn"]]
    numbers = frame[list(COUNTED)].astype(float).mask(hidden)
    frame = frame.assign(**{name: numbers[name] for name in COUNTED})
    columns = (
        column("drawn_text", language, label="drawn_for"),
        *(column(name, language, "number") for name in COUNTED),
    )
    made = table("uptake_counts", frame, columns, ("drawn",), language)
    if not hidden.any():
        return made
    from dataclasses import replace

    return replace(made, withheld=np.column_stack([np.zeros(len(frame), dtype=np.bool_), hidden]))


def _small(found: FloatArray, least: int) -> BoolArray:
    """Return which counts (R + 1, 6) stay back; the last row holds the sums, the last column those that stopped.

    Cohorts by real start are published elsewhere, so a round of which few did not start on time hides its winners too.
    """
    rows, (W, never, stopped) = len(found), (0, 4, 5)
    if not rows:
        return np.zeros(found.shape, dtype=np.bool_)
    going_on = found[:, 1:4].sum(axis=1) - found[:, stopped]
    cells = np.column_stack([found, going_on])  # (R + 1, 7)
    K = cells.shape[1]
    equations = []
    for r in range(rows):
        parts = np.zeros((2, rows, K))
        parts[0, r, 1:5], parts[0, r, W] = 1.0, -1.0
        parts[1, r, [stopped, K - 1, never]], parts[1, r, W] = 1.0, -1.0
        equations += [parts[0].ravel(), parts[1].ravel()]
    for k in range(K):
        total = np.zeros((rows, K))
        total[:-1, k], total[-1, k] = 1.0, -1.0
        equations.append(total.ravel())
    others = found[:, 2:5].sum(axis=1)
    also, unpublished = np.zeros((rows, K), dtype=np.bool_), np.zeros((rows, K), dtype=np.bool_)
    also[:, W] = (others > 0) & (others < least)
    unpublished[:, -1] = True
    hidden = withhold(cells.ravel(), np.array(equations), least, also=also.ravel(), unpublished=unpublished.ravel())
    return np.asarray(hidden.reshape(rows, K)[:, :-1], dtype=np.bool_)


def per_quarter(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the effect of winning and that of a quarter of exposure, with its confidence set."""
    numbers = ("itt", "itt_low", "itt_high", "itt_exposure", "estimate", "low", "high")
    frame = _with_words(inputs, "uptake", language, numbers)
    if "itt_error" in frame:
        frame["itt_error"] = frame["itt_error"].astype(float)
    shape = [term("ratio_shape", str(s), language) if s == s else "" for s in frame.get("shape", frame["note"])]
    frame = frame.assign(shape_text=shape)
    columns: tuple[Column, ...] = (
        column("title", language, label="outcome"),
        column("unit_text", language, label="unit"),
        Column(
            "itt", column("itt", language).label, "number", "=unit_text", "decimals", "itt_low", "itt_high", signed=True
        ),
        column("interval", language, "interval", level=inputs.level, decimals="decimals", low="itt_low",
               high="itt_high"),
        column("itt_exposure", language, "number", decimals=2),
        Column(
            "estimate", column("per_quarter", language).label, "number", "=unit_text", "decimals", "low", "high",
            signed=True,
        ),
        column("ratio_set", language, "interval", level=inputs.level, decimals="decimals", low="low", high="high"),
        column("shape_text", language, label="ratio_shape"),
        column("note", language),
    )  # fmt: skip
    if not {"outside", "everything"} & set(frame.get("shape", ())):  # every set is an interval, as its ends show
        columns = tuple(c for c in columns if c.name != "shape_text")
    return _of_outcomes("uptake", frame, columns, ("outcome",), inputs, language)


def announcement(inputs: ReportInputs, language: str) -> ReportTable:
    """Return the randomised placebo between announcement and first start."""
    frame = _with_words(inputs, "announcement", language, ("event_time", "estimate", "ci_low", "ci_high"))
    columns = (
        column("title", language, label="outcome"),
        column("unit_text", language, label="unit"),
        column("event_time", language, "number", label="event_time_start"),
        Column(
            "estimate", column("estimate", language).label, "number", "=unit_text", "decimals", "ci_low", "ci_high",
            signed=True,
        ),
        column("interval", language, "interval", level=inputs.level, decimals="decimals", low="ci_low", high="ci_high"),
        column("note", language),
    )  # fmt: skip
    return _of_outcomes("announcement", frame, columns, ("outcome", "event_time"), inputs, language)


def bounds(inputs: ReportInputs, language: str) -> ReportTable:
    """Return Lee's and Manski's bounds of the outcomes of which some practice has no figure any more."""
    ends = [f"{who}_{end}" for who in ("lee", "manski") for end in ("low", "high", "ci_low", "ci_high")]
    frame = _with_words(inputs, "bounds", language, ("left", "left_drawn", "left_waiting", "p_left", *ends))
    frame = frame[(frame["left"] > 0) | (frame["note"] != "")].reset_index(drop=True)
    for name in ("left_drawn", "left_waiting"):
        frame[name] = 100 * frame[name].mask(frame["left"] < inputs.min_units)
    frame["note"] = [a or b for a, b in zip(frame["note"], frame["note_manski"].fillna(""), strict=True)]
    columns = (
        column("title", language, label="outcome"),
        column("unit_text", language, label="unit"),
        column("left_drawn", language, "number", unit="%", decimals=1),
        column("left_waiting", language, "number", unit="%", decimals=1),
        column("p_left", language, "number", decimals=3, tolerance=10 * REPLAY_TOLERANCE),
        *(
            column(label, language, "interval", level=inputs.level, decimals="decimals", low=low, high=high)
            for label, low, high in (
                ("lee", "lee_low", "lee_high"), ("lee_ci", "lee_ci_low", "lee_ci_high"),
                ("manski", "manski_low", "manski_high"), ("manski_ci", "manski_ci_low", "manski_ci_high"),
            )
        ),
        column("note", language),
    )  # fmt: skip
    return _of_outcomes("bounds", frame, columns, ("outcome",), inputs, language)


def interference(inputs: ReportInputs, language: str) -> ReportTable:
    """Return how waiting practices changed with the share of their care group or neighbourhood that had won."""
    frame = _with_words(inputs, "interference", language, ("slope", "p_value", "mean_share", "share_spread"))
    columns = (
        column("title", language, label="outcome"),
        column("unit_text", language, label="unit"),
        Column(
            "slope", column("slope", language).label, "number", "=unit_text", "decimals", signed=True,
            tolerance=REPLAY_TOLERANCE,
        ),
        column("p_value", language, "number", label="p_replay", decimals=3, tolerance=10 * REPLAY_TOLERANCE),
        column("mean_share", language, "number", decimals=2),
        column("share_spread", language, "number", decimals=2),
        column("note", language),
    )  # fmt: skip
    group = term("exposure_group", str(frame["grouping"].iloc[0]), language) if len(frame) else ""
    note = text("table.interference.note", language, group=group)
    return _of_outcomes("interference", frame, columns, ("outcome",), inputs, language, note)


def _with_words(inputs: ReportInputs, name: str, language: str, numbers: tuple[str, ...]) -> pd.DataFrame:
    """Return a frame with every column it may lack, and what is read: title, unit, decimals, note."""
    frame = inputs.participation[name]
    frame = frame.reindex(columns=list(dict.fromkeys([*frame.columns, *numbers, "note"]))).reset_index(drop=True)
    infos, places = [inputs.outcome(str(o)) for o in frame["outcome"]], decimals(inputs)
    return frame.astype(dict.fromkeys(numbers, float)).assign(
        title=[info.title[language] for info in infos],
        unit_text=[info.unit[language] for info in infos],
        decimals=[places[info.id] for info in infos],
        note=[term("reason", str(n), language) if n == n and n is not None else "" for n in frame["note"]],
    )


def _of_outcomes(
    id_: str, frame: pd.DataFrame, columns: tuple[Column, ...], key: tuple[str, ...], inputs: ReportInputs,
    language: str, note: str | None = None,
) -> ReportTable:  # fmt: skip
    """Return the table; an outcome whose average effect stays back stays back here too."""
    effects = shown_effects(inputs)
    rows = effects[(effects["estimand"] == "overall") & (effects["weighting"] == inputs.headline_weighting)]
    gone = set(rows.loc[rows["withheld"], "outcome"].astype(str))
    hidden = frame["outcome"].astype(str).isin(gone).to_numpy(np.bool_)
    if not any(str(note).strip() for note in frame["note"]):
        columns = tuple(c for c in columns if c.name != "note")
    return table(id_, frame, columns, key, language, hidden, ("title", "unit_text"), note)


TABLES: Mapping[str, Callable[[ReportInputs, str], ReportTable]] = {
    "uptake_counts": counts,
    "uptake": per_quarter,
    "announcement": announcement,
    "bounds": bounds,
    "interference": interference,
}
"""Tables by id; each needs the frame of that name in `ReportInputs.participation`."""
