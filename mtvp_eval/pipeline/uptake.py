"""What became of the winners of a region's draw, and effects per quarter of exposure beside those of winning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import IntArray
from mtvp_eval.clock import NEVER, quarter_label
from mtvp_eval.data.history import History
from mtvp_eval.data.link import Linked
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.errors import MtvpError
from mtvp_eval.estimators.uptake import placebo_after_announcement, quarters_started, uptake, uptake_table
from mtvp_eval.inference.uptake import ASSUMPTIONS, per_quarter_of_exposure

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class RegionUptake:
    """Hold what a report shows of uptake.

    `counts` one row a round: drawn, winners, patients, on_time, early, late, never, stopped. `effects` one row an
    outcome: itt, itt_error, itt_low, itt_high, itt_exposure, exposure_error, estimate, low, high, shape, df, note.
    `placebo` one row an outcome and quarter between announcement and start, as `EffectEstimates.to_frame`.
    `assumptions` are printed with the label "per quarter of exposure".
    """

    counts: pd.DataFrame
    effects: pd.DataFrame
    placebo: pd.DataFrame
    assumptions: tuple[str, ...] = ASSUMPTIONS


def region_uptake(
    linked: Linked, panel: Panel, drawn: LotteryDesign, outcomes: Sequence[str], level: float = 0.95
) -> RegionUptake:
    """Return uptake, effects per quarter of exposure, and the placebo between announcement and first start."""
    import pandas as pd

    story = linked.history
    place = {unit: row for row, unit in enumerate(story.practice_ids.tolist())}
    rows = np.array([place[unit] for unit in panel.unit_ids.tolist()], dtype=np.int64)
    counts = uptake_table(
        np.where(story.no_lottery, NEVER, story.drawn)[rows], story.enrolled[rows], story.ended[rows], panel.weight,
        int(linked.panel.clock[-1]),
    )  # fmt: skip
    exposure = quarters_started(panel.clock, story.enrolled[rows], story.ended[rows])
    lead = _announced_before(story, rows)
    effects: list[dict[str, Any]] = []
    placebos = []
    for name in outcomes:
        row: dict[str, Any] = {"outcome": name, "note": ""}
        try:
            both = uptake(panel, drawn, name, exposure)
            found, alone = per_quarter_of_exposure(both, level), both.to_frame(level).iloc[0]
            row |= {key: getattr(found, key) for key in _SHOWN} | {"shape": str(found.shape)}
            row |= {"itt_low": alone["ci_low"], "itt_high": alone["ci_high"]}
        except MtvpError as error:
            row["note"] = str(error)
        effects.append(row)
        try:
            placebos.append(placebo_after_announcement(panel, drawn, name, lead).to_frame(level))
        except MtvpError as error:
            placebos.append(pd.DataFrame([{"outcome": name, "note": str(error)}]))
    table = pd.DataFrame([{"drawn": quarter_label(r.drawn), **_rest(r)} for r in counts])
    return RegionUptake(table, pd.DataFrame(effects), pd.concat(placebos, ignore_index=True))


_SHOWN = ("itt", "itt_error", "itt_exposure", "exposure_error", "estimate", "low", "high", "df")
_COUNTED = ("winners", "patients", "on_time", "early", "late", "never", "stopped")


def _rest(row: object) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COUNTED}


def _announced_before(story: History, rows: IntArray) -> int:
    """Return the most quarters from the announcement of a round to its start, among winners with a recorded day."""
    known = story.was_drawn[rows] & ~np.isnat(story.announced[rows]) & ~story.no_lottery[rows]
    if not known.any():
        return 0
    day = story.announced[rows][known].astype("datetime64[M]").astype(np.int64)  # months since 1970
    return int((story.drawn[rows][known] - (4 * 1970 + day // 3)).max())
