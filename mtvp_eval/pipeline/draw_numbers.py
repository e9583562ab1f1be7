"""What replays of the draw compare: outcomes and exposure of the units that were drawn, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.clock import NEVER
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Cell
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimators.lottery_default import BEFORE, beta_before_draw
from mtvp_eval.pipeline.draw import DrawEvidence


def by_unit(panel: Panel, name: str, draw: DrawEvidence) -> FloatArray:
    """Return the mean outcome over the practices of each unit of the draw (n, T); NaN where none was observed."""
    place = {practice: int(unit) for practice, unit in zip(draw.practice_ids.tolist(), draw.member, strict=True)}
    unit = np.array([place.get(practice, -1) for practice in panel.unit_ids.tolist()], dtype=np.int64)
    values = panel.outcomes[name][unit >= 0]
    seen = np.isfinite(values)
    total, count = (np.zeros((draw.region.applications.n, len(panel.clock))) for _ in range(2))
    np.add.at(total, unit[unit >= 0], np.where(seen, values, 0.0))
    np.add.at(count, unit[unit >= 0], seen)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def exposure(draw: DrawEvidence, clock: IntArray) -> FloatArray:
    """Return 1 from the quarter drawn on, 0 before (n, T): whoever wins counts as treated (intention to treat)."""
    cohort = draw.region.cohort
    entry = np.where(cohort > 0, draw.first_round + cohort - 1, NEVER)
    return (clock[None] >= entry[:, None]).astype(np.float64)


def contrasted(
    y: FloatArray, clock: IntArray, draw: DrawEvidence, cells: Sequence[Cell], log_size: FloatArray | None = None
) -> FloatArray:
    """Return (4, C, n) the later quarter of each cell, and the three numbers that a share of is taken off.

    `y` (n, T); without `log_size` (n,) the last of the three is zero, as for an exposure.

    Raises
    ------
    EstimationError
        If the clock does not hold every quarter compared.
    """
    start = int(draw.first_round - clock[0])
    period = np.array([t for _, t in cells]) - int(clock[0])
    base = np.array([g for g, _ in cells]) - int(clock[0]) - 1
    if start < 1 or base.min() < 0 or period.max() >= len(clock):
        raise EstimationError("The panel does not reach from the quarter before the first round to the last compared.")
    before = y[:, max(start - BEFORE, 0) : start].mean(axis=1)
    size = np.zeros(len(y)) if log_size is None else log_size
    same = np.ones((len(cells), 1))
    return np.stack([y[:, period].T, y[:, base].T, same * before, same * size])


def compared(
    y: FloatArray, clock: IntArray, draw: DrawEvidence, cells: Sequence[Cell], shares: FloatArray,
    log_size: FloatArray | None = None,
) -> FloatArray:  # fmt: skip
    """Return what each cell compares (C, n): the later quarter less the shares (3,) of what preceded it.

    `y` and `log_size` as in `contrasted`, which also says what is raised. What no share is taken of may be missing.
    """
    v, *preceding = contrasted(y, clock, draw, cells, log_size)
    for share, x in zip(shares, preceding, strict=True):
        if share:
            v = v - share * x
    return np.asarray(v)


def fixed_shares(panel: Panel, drawn: LotteryDesign, name: str) -> FloatArray:
    """Return the shares (3,) taken off, fixed before the draw; a plain difference where the past is too short."""
    try:
        window = panel.window(int(drawn.clock[0]), int(drawn.clock[-1]))
        return np.asarray(beta_before_draw(window, drawn, name, [overall(drawn)])[0])
    except (EstimationError, NotIdentifiedError):
        return np.array([1.0, 0.0, 0.0])


def family_of(name: str, average: bool, config: EvaluationConfig) -> str:
    """Return the family of a test: the average effect on the primary outcome stands alone."""
    if name == config.outcomes.primary and average:
        return "primary"
    return "declared" if name in (config.outcomes.primary, *config.outcomes.secondary) else "exploratory"
