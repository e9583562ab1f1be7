"""Bounds on an effect when units leave after the draw: without any assumption, and if leaving is monotone.

Source: Horowitz & Manski (2000), JASA 95, worst-case bounds; Lee (2009), Rev. Econ. Stud. 76, eq. 8 and proposition 3;
interval: Imbens & Manski (2004), Econometrica 72.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimators.sample import read_sample


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lowest and highest effect that the data allow, with standard errors; `ci` covers the effect, not the whole set.

    `left` are the shares of units that left among drawn and waiting; `trimmed` the share of the side with fewer leavers
    that is set aside (Lee only).
    """

    low: float
    high: float
    low_error: float
    high_error: float
    ci: tuple[float, float]
    left: tuple[float, float]
    trimmed: float = 0.0


def manski_bounds(y: FloatArray, treated: BoolArray, span: tuple[float, float], level: float = 0.95) -> Bounds:
    r"""Bound a difference in means when nothing is known of those who left but the range of their outcomes.

    .. math:: q_1\bar y_1 + (1 - q_1)\,m - \big(q_0\bar y_0 + (1 - q_0)\,M\big) \le \theta

    and the other way round above, with q the shares observed and [m, M] the range.

    Parameters
    ----------
    y : (n,) outcomes, or changes; NaN for those who left.
    treated : (n,) the side drawn.
    span : range that every outcome lies in, known beforehand.
    level : of the interval.

    Raises
    ------
    EstimationError
        If an observed outcome lies outside the range, or a side has fewer than two units.

    Source: see the module.

    Example
    -------
    >>> found = manski_bounds(np.array([1.0, np.nan, 0.0, 0.0]), np.array([True, True, False, False]), (0.0, 1.0))
    >>> found.low, found.high
    (0.5, 1.0)
    """
    seen = np.isfinite(y)
    if min(int(treated.sum()), int((~treated).sum())) < 2:
        raise EstimationError("Bounds need two units or more on each side.")
    if seen.any() and (y[seen].min() < span[0] or y[seen].max() > span[1]):
        raise EstimationError(
            "Observed outcomes lie outside the range declared for those who left; declare a wider one."
        )
    worst, best = (np.where(seen, y, end) for end in span)

    def gap(drawn: FloatArray, waiting: FloatArray) -> tuple[float, float]:
        a, b = drawn[treated], waiting[~treated]
        return float(a.mean() - b.mean()), float(np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)))

    (low, low_error), (high, high_error) = gap(worst, best), gap(best, worst)
    ci = _interval(low, high, low_error, high_error, level)
    return Bounds(low, high, low_error, high_error, ci, _left(seen, treated))


def lee_bounds(y: FloatArray, treated: BoolArray, level: float = 0.95) -> Bounds:
    r"""Bound the effect on units that would stay whatever the draw, if winning moves all leavers one way.

    The side with fewer leavers holds units that would have left on the other; a share p = 1 - q_0/q_1 of it is set
    aside, once from the top and once from the bottom:

    .. math:: \bar y_1[y \le y_{1-p}] - \bar y_0 \le \theta \le \bar y_1[y \ge y_p] - \bar y_0

    with a part of the unit at the border where p n is not whole.

    Parameters
    ----------
    y : (n,) outcomes, or changes; NaN for those who left.
    treated : (n,) the side drawn.
    level : of the interval.

    Raises
    ------
    EstimationError
        If a side has fewer than two observed units, also after trimming.

    Source: see the module.

    Example
    -------
    >>> y = np.array([1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, np.nan])
    >>> found = lee_bounds(y, np.arange(8) < 4)
    >>> found.low, found.high, found.trimmed
    (2.0, 3.0, 0.25)
    """
    seen = np.isfinite(y)
    q = [float(seen[side].mean()) if side.any() else 0.0 for side in (treated, ~treated)]
    more, fewer = (treated, ~treated) if q[0] >= q[1] else (~treated, treated)
    high_q, low_q = max(q), min(q)
    kept, rest = np.sort(y[more & seen]), y[fewer & seen]
    p = 1 - low_q / high_q if high_q else 1.0
    if len(rest) < 2 or len(kept) * (1 - p) < 2:
        raise EstimationError("Bounds need two units or more observed on each side, also after trimming.")
    bottom, top = _trimmed(kept, p), _trimmed(-kept[::-1], p)
    # spread of p = 1 - q0/q1 by the delta method
    var_p = (1 - p) ** 2 * ((1 - high_q) / (high_q * more.sum()) + (1 - low_q) / (low_q * fewer.sum()))
    base, base_var = float(rest.mean()), float(rest.var(ddof=1)) / len(rest)
    ends = []
    for (mean, spread, border), sign in ((bottom, 1.0), (top, -1.0)):
        count = len(kept) * (1 - p)
        variance = (spread + (border - mean) ** 2 * p) / count + ((border - mean) / (1 - p)) ** 2 * var_p
        ends.append((sign * mean - base, float(np.sqrt(variance + base_var))))
    (low, low_error), (high, high_error) = ends
    if more is not treated:
        (low, low_error), (high, high_error) = (-high, high_error), (-low, low_error)
    ci = _interval(low, high, low_error, high_error, level)
    return Bounds(low, high, low_error, high_error, ci, _left(seen, treated), p)


def attrition_bounds(
    panel: Panel,
    design: LotteryDesign,
    outcome: str,
    cells: Sequence[Cell],
    span: tuple[float, float] | None = None,
    level: float = 0.95,
) -> tuple[Bounds, ...]:
    """Bound the effect of each cell when drawn units have no outcome any more: Lee's, or with a `span` Manski's.

    A unit left a cell if it was observed before its round and not in the cell's period. Blocks are bounded apart and
    averaged by their drawn units.

    Parameters
    ----------
    panel, design, outcome : as for `lottery`.
    cells : cells to bound, identified by lottery.
    span : range of the change since the base period, known beforehand.
    level : of the intervals.

    Raises
    ------
    NotIdentifiedError
        If a cell is identified in no block.
    EstimationError
        As `lee_bounds` and `manski_bounds`.

    Source: see the module.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> entry, now = np.repeat([3, 9], 4), np.array([1.0, 2, 3, 4, 0, 0, 0, np.nan])
    >>> y = np.column_stack([np.zeros(8), np.zeros(8), now])
    >>> panel = Panel(np.arange(8).astype(object), ("1", "2", "3"), np.array([1, 2, 3]), {"y": y}, entry=entry)
    >>> drawn = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    >>> [(b.low, b.high) for b in attrition_bounds(panel, drawn, "y", [(3, 3)])]
    [(2.0, 3.0)]
    """
    y = read_sample(panel, design.staggered, outcome).y
    return tuple(_cell(y, design, cell, span, level) for cell in cells)


def average_bounds(parts: Sequence[Bounds], weights: FloatArray, level: float = 0.95) -> Bounds:
    r"""Bound the weighted mean of effects that are each bounded.

    .. math:: \Big[\sum_c w_c\,l_c,\; \sum_c w_c\,u_c\Big], \qquad s \le \sum_c |w_c|\,s_c

    Cells share units, so their errors hang together in an unknown way; the sum of errors is the largest that any way
    allows, and the interval is therefore too wide rather than too narrow.

    Parameters
    ----------
    parts : bounds of C cells.
    weights : (C,) not negative; normalised here.
    level : of the interval.

    Source: Horowitz & Manski (2000), for means of bounded parts; errors by the triangle inequality.

    Example
    -------
    >>> one = Bounds(0.0, 2.0, 1.0, 1.0, (-2.0, 4.0), (0.0, 0.1))
    >>> found = average_bounds([one, one], np.array([1.0, 3.0]))
    >>> found.low, found.high, found.low_error
    (0.0, 2.0, 1.0)
    """
    w = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    names = ("low", "high", "low_error", "high_error", "trimmed")
    low, high, low_error, high_error, trimmed = (float(w @ [getattr(b, name) for b in parts]) for name in names)
    left = (float(w @ [b.left[0] for b in parts]), float(w @ [b.left[1] for b in parts]))
    ci = _interval(low, high, low_error, high_error, level)
    return Bounds(low, high, low_error, high_error, ci, left, trimmed)


def _cell(y: FloatArray, design: LotteryDesign, cell: Cell, span: tuple[float, float] | None, level: float) -> Bounds:
    g, t = cell
    found, sizes = [], []
    for block in design.drawn:
        own = block.design
        base = own.base_period(g, t, BasePeriod.UNIVERSAL)
        if g not in own.cohorts[:-1] or base is None or not own.comparison_cohorts(g, t, BasePeriod.UNIVERSAL).any():
            continue
        now, before = np.searchsorted(own.clock, [t, base])
        change = y[block.mask][:, now] - y[block.mask][:, before]
        there = np.isfinite(y[block.mask][:, before])
        treated = own.entry == g
        use = there & (treated | own.comparison_units(g, t, BasePeriod.UNIVERSAL))
        part = (change[use], treated[use])
        found.append(lee_bounds(*part, level) if span is None else manski_bounds(*part, span, level))
        sizes.append(float(treated[use].sum()))
    if not found:
        raise NotIdentifiedError("A cell asked for is identified by lottery in no block; it cannot be bounded.")
    s = np.array(sizes) / sum(sizes)
    low, high = (float(s @ [getattr(b, name) for b in found]) for name in ("low", "high"))
    low_error, high_error = (
        float(np.sqrt((s**2) @ [getattr(b, name) ** 2 for b in found])) for name in ("low_error", "high_error")
    )
    left = (float(s @ [b.left[0] for b in found]), float(s @ [b.left[1] for b in found]))
    trimmed = float(s @ [b.trimmed for b in found])
    ci = _interval(low, high, low_error, high_error, level)
    return Bounds(low, high, low_error, high_error, ci, left, trimmed)


def _trimmed(ordered: FloatArray, p: float) -> tuple[float, float, float]:
    """Return mean, variance and border of the lowest share 1 - p of sorted values, a part of one at the border."""
    m = len(ordered)
    weight = np.clip(m * (1 - p) - np.arange(m), 0.0, 1.0)
    weight[weight < 1e-9] = 0.0
    mean = float(weight @ ordered / weight.sum())
    spread = float(weight @ (ordered - mean) ** 2 / max(weight.sum() - 1, 1e-9))
    return mean, spread, float(ordered[np.flatnonzero(weight)[-1]])


def _interval(low: float, high: float, low_error: float, high_error: float, level: float) -> tuple[float, float]:
    """Return the interval that covers the effect itself: its quantile falls from two-sided to one-sided with width."""
    from scipy.special import ndtr, ndtri

    widest = max(low_error, high_error)
    gap = (high - low) / widest if widest else np.inf
    below, above = float(ndtri(level)), float(ndtri(0.5 + level / 2))
    for _ in range(60):
        c = (below + above) / 2
        below, above = (c, above) if ndtr(c + gap) - ndtr(-c) < level else (below, c)
    return low - above * low_error, high + above * high_error


def _left(seen: BoolArray, treated: BoolArray) -> tuple[float, float]:
    return float(1 - seen[treated].mean()), float(1 - seen[~treated].mean())
