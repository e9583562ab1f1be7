"""What a region brings to a pooled estimate: its recentred effect by the draw, and how it differs between practices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.clock import NEVER
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.extracts import Extracts
from mtvp_eval.data.link import Linked
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.errors import MtvpError, NotIdentifiedError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimands.estimand import Estimand
from mtvp_eval.estimands.heterogeneity import Moderator, declared
from mtvp_eval.estimators.heterogeneity import interaction
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.lottery_default import lottery_default
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.pooling_contrasts import (
    COHORTS,
    CONTRASTED,
    Contrasts,
    cohort_rows,
    contrast_rows,
    region_contrasts,
)

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ("estimate", "std_error", "df", "ci_low", "ci_high", "note")
POOLING = ("outcome", "estimate", "std_error", "df", "ci_low", "ci_high", "practices", "enrolled", "recentred", "note")
HETEROGENEITY = ("outcome", "moderator", "estimate", "std_error", "df", "ci_low", "ci_high", "practices", "note")
IN_USE_AFTER = 1
"""Quarters after the start by which an intervention must be in use to be counted: the same span for all winners."""


def brought(
    extracts: Extracts,
    linked: Linked,
    panel: Panel,
    drawn: LotteryDesign,
    draw: DrawEvidence | None,
    outcomes: Sequence[str],
    config: EvaluationConfig,
) -> Mapping[str, pd.DataFrame]:
    """Return the frames ``pooling``, ``pooling_contrasts``, ``pooling_cohorts`` and ``heterogeneity``.

    Effects are per practice, by the draw alone, less what replays of it show without an effect: the bias of one region
    hardly shows, that of forty together does. `practices` are those in the blocks compared, enrolled or waiting: known
    before the draw, and so the weight. How many win under a cap on patients goes with the size of their lists, and with
    what goes with that. The contrasts are what the effect is made of, so that shares of the past can be common to many
    regions; the cohorts tell how few practices a contrast might betray. Moderators are those the question declares, for
    the primary and secondary outcomes.
    """
    import pandas as pd

    effects, contrasts, cohorts = [], [], []
    for name in outcomes:
        effect, parts = _effect(panel, drawn, draw, name, config)
        effects.append(effect)
        if parts is not None:
            contrasts += contrast_rows(name, effect["enrolled"], drawn, parts)
            cohorts += cohort_rows(name, panel, drawn, parts, int(linked.panel.clock[-1]))
    asked = [n for n in (config.outcomes.primary, *config.outcomes.secondary) if n in outcomes]
    chosen = declared(config.estimation.moderators)
    slopes = [
        _slope(panel, drawn, name, moderator, _values(extracts, linked, panel, drawn, moderator), config)
        for name in asked
        for moderator in chosen
    ]
    return {
        "pooling": pd.DataFrame(effects, columns=list(POOLING)),
        "pooling_contrasts": pd.DataFrame(contrasts, columns=list(CONTRASTED)),
        "pooling_cohorts": pd.DataFrame(cohorts, columns=list(COHORTS)),
        "heterogeneity": pd.DataFrame(slopes, columns=list(HETEROGENEITY)),
    }


def _effect(
    panel: Panel, drawn: LotteryDesign, draw: DrawEvidence | None, name: str, config: EvaluationConfig
) -> tuple[dict[str, Any], Contrasts | None]:
    """Return the row of an outcome's effect, and what it is made of: None where the draw cannot be replayed."""
    row: dict[str, Any] = {"outcome": name, "practices": 0, "enrolled": 0, "recentred": np.nan, "note": ""}
    try:
        estimand = _estimand(panel, drawn, name)
        found = lottery_default(panel, drawn, name, [estimand])
        parts = region_contrasts(panel, drawn, draw, name, estimand, config.estimation.seed)
    except MtvpError as error:
        return row | {"note": str(error)}, None
    effects = found.effects
    if parts is not None:
        effects = replace(effects, estimate=np.array([parts.numbers.effect(found.beta[0])]))
    shown = effects.to_frame(config.estimation.level).iloc[0]
    row |= {key: shown[key] for key in _SHOWN}
    in_draw = np.logical_or.reduce([b.mask for b in drawn.drawn if b.places(estimand.cells)])
    enrolled = in_draw & np.isin(drawn.drawn_entry, [g for g, _ in estimand.cells])
    counts = {"practices": int(in_draw.sum()), "enrolled": int(enrolled.sum())}
    return row | counts | {"recentred": parts is not None}, parts


def _estimand(panel: Panel, drawn: LotteryDesign, name: str) -> Estimand:
    """Return the average over the cells at or after the start that compare two practices or more on each side."""
    cells = [c for c in drawn.identified_cells() if c[1] >= c[0]]
    single = lottery(panel, drawn, name, cells=cells) if cells else None
    reasons = () if single is None else single.no_error
    kept = [c for c, reason in zip(cells, reasons, strict=True) if reason is None]
    if not kept:
        raise NotIdentifiedError("No cell compares two units or more on each side by the draw.")
    return overall(drawn, within=kept)


def _slope(
    panel: Panel, drawn: LotteryDesign, name: str, moderator: Moderator, values: FloatArray, config: EvaluationConfig
) -> dict[str, Any]:
    row: dict[str, Any] = {"outcome": name, "moderator": moderator.name, "practices": 0, "note": ""}
    try:
        found = interaction(panel, drawn, name, moderator, values)
    except MtvpError as error:
        return row | {"note": str(error)}
    shown = found.to_frame(config.estimation.level).iloc[0]
    assert found.member is not None
    return row | {key: shown[key] for key in _SHOWN} | {"practices": int(found.member.sum())}


def _values(extracts: Extracts, linked: Linked, panel: Panel, drawn: LotteryDesign, moderator: Moderator) -> FloatArray:
    """Return (n,) the moderator of the design's units, NaN where it is not known."""
    ids = drawn.staggered.unit_ids.tolist()
    if moderator.name in panel.baseline:
        place = {unit: row for row, unit in enumerate(panel.unit_ids.tolist())}
        return panel.baseline[moderator.name][[place[unit] for unit in ids]]
    table = extracts.tables.get("interventions")
    if table is None:
        return np.full(len(ids), np.nan)
    story = linked.history
    at, start = story.of(table), table.columns["start_quarter"]
    soon = (at >= 0) & (start <= story.enrolled[at] + IN_USE_AFTER) & (story.enrolled[at] != NEVER)
    count = np.bincount(at[soon], minlength=len(story.practice_ids)).astype(np.float64)
    count = np.where(story.has_enrolled, count, np.nan)
    place = {unit: row for row, unit in enumerate(story.practice_ids.tolist())}
    return count[[place[unit] for unit in ids]]
