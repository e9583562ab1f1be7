"""Bounds on the effects of a region where practices that were drawn have no figures any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.config import EstimationChoices
from mtvp_eval.data.link import Linked
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell, Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError, MtvpError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimands.estimand import Estimand
from mtvp_eval.estimators.bounds import Bounds, attrition_bounds, average_bounds
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.sample import read_sample
from mtvp_eval.inference.contrasts import drawn_plan
from mtvp_eval.inference.randomization import randomization_test
from mtvp_eval.inference.replay import replay_statistics
from mtvp_eval.pipeline.comparison import lottery_design
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.draw_numbers import by_unit

if TYPE_CHECKING:
    import pandas as pd

REPLAYS = 1_999
COLUMNS = (
    *("outcome", "left", "left_drawn", "left_waiting", "lee_low", "lee_high", "lee_ci_low", "lee_ci_high", "trimmed"),
    *("manski_low", "manski_high", "manski_ci_low", "manski_ci_high", "p_left", "note", "note_manski"),
)


def with_leavers(linked: Linked, panel: Panel) -> Panel:
    """Return the compared panel together with practices that merged with others drawn in another round.

    These belong to no round after the merger, so the estimates leave them out; here each stands as drawn, with its own
    figures up to the merger and none later.
    """
    apart = linked.drawn_apart
    if apart is None:
        return panel
    added = apart.window(int(panel.clock[0]), int(panel.clock[-1]))
    assert panel.entry is not None
    assert added.entry is not None
    return replace(
        panel,
        unit_ids=np.concatenate([panel.unit_ids, added.unit_ids]),
        outcomes={name: np.concatenate([y, added.outcomes[name]]) for name, y in panel.outcomes.items()},
        weight=np.concatenate([panel.weight, added.weight]),
        cluster=np.concatenate([panel.cluster, added.cluster]),
        baseline={name: np.concatenate([x, added.baseline[name]]) for name, x in panel.baseline.items()},
        entry=np.concatenate([panel.entry, added.entry]),
        ended=None,  # bounds are on the effect of winning, whenever a practice stopped
    )


def region_bounds(
    linked: Linked,
    panel: Panel,
    choices: EstimationChoices,
    outcomes: Sequence[str],
    level: float = 0.95,
    draw: DrawEvidence | None = None,
) -> pd.DataFrame:
    """Return Lee's and Manski's bounds on the average effect of winning, one row an outcome.

    Columns: `COLUMNS`; `left` counts practices without a figure in some compared quarter after the draw, `left_drawn`
    and `left_waiting` are their shares among those drawn and those waiting, averaged over the cells. Manski's bounds
    rest on the largest change of any practice over as many quarters before the first round. `p_left` tests by replaying
    `draw` that winning has nothing to do with leaving. `note` and `note_manski` say why bounds are not there.
    """
    import pandas as pd

    whole = with_leavers(linked, panel)
    design = StaggeredDesign.from_panel(whole, Comparison(choices.comparison), choices.anticipation)
    drawn = lottery_design(linked, design)
    rows: list[dict[str, Any]] = []
    for name in outcomes:
        row: dict[str, Any] = {"outcome": name, "left": 0, "note": "", "note_manski": ""}
        try:
            found, estimand = _one(whole, drawn, name, level)
            row |= found
            if found["left"] and draw is not None:
                row["p_left"] = _leaving(whole, draw, name, estimand, choices.seed)
        except MtvpError as error:
            row["note"] = str(error)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _one(panel: Panel, drawn: LotteryDesign, name: str, level: float) -> tuple[dict[str, Any], Estimand]:
    cells = [c for c in drawn.identified_cells() if c[1] >= c[0]]
    if not cells:
        raise EstimationError("The draw separates nobody at or after a start, so there is nothing to bound.")
    single = lottery(panel, drawn, name, cells=cells)
    cells = [c for c, reason in zip(cells, single.no_error, strict=True) if reason is None]
    if not cells:
        raise EstimationError("No cell compares two units or more on each side, so there is nothing to bound.")
    estimand = overall(drawn, within=cells)
    used, weights = list(estimand.cells), np.asarray(estimand.weights)
    y = read_sample(panel, drawn.staggered, name).y
    row: dict[str, Any] = {"left": int(_leavers(y, drawn, used).sum())}
    lee = average_bounds(attrition_bounds(panel, drawn, name, used, level=level), weights, level)
    row |= {"left_drawn": lee.left[0], "left_waiting": lee.left[1], "trimmed": lee.trimmed, **_ends("lee", lee)}
    try:
        parts = [attrition_bounds(panel, drawn, name, [c], _span(y, drawn, c), level)[0] for c in used]
        row |= _ends("manski", average_bounds(parts, weights, level))
    except MtvpError as error:
        row["note_manski"] = str(error)
    return row, estimand


def _leaving(panel: Panel, draw: DrawEvidence, name: str, estimand: Estimand, seed: int) -> float:
    """Return the replay p-value of no difference in leaving between drawn and waiting; NaN where it cannot be tested.

    So it is where applications reacted to earlier draws, since the whole path cannot be replayed then.

    Compared is, among units observed in the quarter before the first round, whether they are missing in each cell.
    """
    if draw.reacted:
        return np.nan
    y = by_unit(panel, name, draw)
    before = y[:, np.searchsorted(panel.clock, draw.first_round - 1)]
    now = y[:, np.searchsorted(panel.clock, [t for _, t in estimand.cells])]
    gone = np.where(np.isfinite(before)[:, None], ~np.isfinite(now), np.nan).T  # (C, n)
    plan, rng = drawn_plan(estimand, draw.first_round, draw.region.cohort), np.random.default_rng(seed)
    try:
        return float(randomization_test(replay_statistics([draw.region], gone[None], plan, rng, REPLAYS)).p_value[0, 0])
    except MtvpError:
        return np.nan


def _ends(name: str, found: Bounds) -> dict[str, float]:
    return {
        f"{name}_low": found.low, f"{name}_high": found.high,
        f"{name}_ci_low": found.ci[0], f"{name}_ci_high": found.ci[1],
    }  # fmt: skip


def _base(drawn: LotteryDesign, cell: Cell) -> int:
    base = drawn.staggered.base_period(*cell, BasePeriod.UNIVERSAL)
    assert base is not None
    return base


def _leavers(y: FloatArray, drawn: LotteryDesign, cells: Sequence[Cell]) -> BoolArray:
    """Tell which units (n,) that a cell compares were observed before it and not in it."""
    gone = np.zeros(len(y), dtype=np.bool_)
    in_draw = np.logical_or.reduce([b.mask for b in drawn.drawn])
    for g, t in cells:
        now, before = np.searchsorted(drawn.clock, [t, _base(drawn, (g, t))])
        beside = in_draw & ((drawn.drawn_entry == g) | (drawn.drawn_entry > t))
        gone |= beside & np.isfinite(y[:, before]) & ~np.isfinite(y[:, now])
    return gone


def _span(y: FloatArray, drawn: LotteryDesign, cell: Cell) -> tuple[float, float]:
    """Return plus and minus the largest change over as many quarters, of any unit, before the first round."""
    lag = cell[1] - _base(drawn, cell)
    early: FloatArray = y[:, drawn.clock < int(drawn.drawn_entry.min())]
    changes = np.abs(early[:, lag:] - early[:, :-lag])
    if not np.isfinite(changes).any():
        raise EstimationError(
            f"No change over {lag} quarters is observed before the first round, so those who left have no known range."
        )
    most = float(np.nanmax(changes))
    return -most, most
