"""How much the effect changes with a property of the practice that was declared in advance.

Source: fully interacted regression within blocks and cohorts, Lin (2013), Ann. Appl. Stat. 7, eq. 2; robust variance:
MacKinnon & White (1985), J. Econom. 29.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell
from mtvp_eval.errors import NotIdentifiedError
from mtvp_eval.estimands.estimand import Population
from mtvp_eval.estimands.heterogeneity import Moderator
from mtvp_eval.estimators.lottery import strata
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import read_sample

_FEWEST = 4
"""Units of a side below which a slope and its error say nothing."""


def interaction(
    panel: Panel,
    design: LotteryDesign,
    outcome: str,
    moderator: Moderator,
    values: FloatArray,
    cells: Sequence[Cell] | None = None,
) -> EffectEstimates:
    r"""Estimate the change of the effect with one unit of a moderator, over the identified cells.

    .. math:: \hat\gamma = \sum_{b,c} s_{bc} (\hat b_{bc,\text{drawn}} - \hat b_{bc,\text{waiting}})

    with :math:`\hat b` the slopes of the change since g - 1 on the moderator in both arms of a cell in a block, and s
    the cell's share of treated practices. A moderator that follows from winning has no slope among those who wait: its
    slope among winners stands alone, as a description. Errors are HC3 (residuals over one less their leverage): with a
    dozen practices on a side HC0 is a fifth too small and its intervals cover .90 instead of .95.

    Parameters
    ----------
    panel, design, outcome : as for `lottery`.
    moderator : declared in advance.
    values : (n,) of the moderator in the design's units, known before the draw (or NaN for those who wait).
    cells : cells to average; all at or after the round drawn with four practices on both sides where not given.

    Raises
    ------
    NotIdentifiedError
        If no cell has four practices with different values on the sides it needs.

    Source: see the module.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> z, entry = np.tile(np.arange(4.0), 2), np.repeat([3, 9], 4)
    >>> y = np.column_stack([np.zeros(8), np.zeros(8), np.where(entry == 3, 1 + 2 * z, z)])
    >>> panel = Panel(np.arange(8).astype(object), ("1", "2", "3"), np.array([1, 2, 3]), {"y": y}, entry=entry)
    >>> drawn = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    >>> interaction(panel, drawn, "y", Moderator("deprivation", "SD"), z).estimate.round(9).tolist()
    [1.0]
    """
    whole = design.staggered
    sample = read_sample(panel, whole, outcome)
    wanted = [c for c in design.identified_cells() if c[1] >= c[0]] if cells is None else list(cells)
    n = whole.n_units
    estimate, influence, total = 0.0, np.zeros(n), 0.0
    member = np.zeros(n, dtype=np.bool_)
    for block in design.drawn:
        y, z, own = sample.y[block.mask], values[block.mask], block.design
        for g, t in wanted:
            against = own.comparison_cohorts(g, t, BasePeriod.UNIVERSAL) if g in own.cohorts[:-1] else np.zeros(0)
            base = own.base_period(g, t, BasePeriod.UNIVERSAL)
            if not against.any() or base is None:
                continue
            now, before = np.searchsorted(own.clock, [t, base])
            change = y[:, now] - y[:, before]
            sides = [(own.entry == g, 1.0)] + ([(against[own.cohort_index], -1.0)] if moderator.before_draw else [])
            fits = [(_slope(change, z, side), sign) for side, sign in sides]
            if any(fit is None for fit, _ in fits):
                continue
            size = float((own.entry == g).sum())
            total += size
            for fit, sign in fits:
                assert fit is not None
                slope, part, used = fit
                estimate += sign * size * slope
                influence[block.mask] += sign * size * n * part
                member[block.mask] |= used
    if not total:
        raise NotIdentifiedError(
            f"No cell has {_FEWEST} practices with different values of the moderator on the sides it compares."
        )
    key = EffectKey(outcome, f"interaction_{moderator.name}", population=Population.BLOCK)
    note = "" if moderator.before_draw else "Among winners only: it follows from winning, and nothing randomised it."
    return EffectEstimates(
        (key,), np.array([estimate / total]), whole.unit_ids, influence[:, None] / total, strata(design),
        sample.cluster, sampling="design", correction="hc2", method=f"Interaction per {moderator.per}",
        member=member[:, None], notes=(*sample.notes(), *([note] if note else [])),
    )  # fmt: skip


def _slope(change: FloatArray, z: FloatArray, side: BoolArray) -> tuple[float, FloatArray, BoolArray] | None:
    """Return the slope on one side, (n,) psi / n, and the units used; None where it cannot be told."""
    used = side & np.isfinite(change) & np.isfinite(z)
    m = int(used.sum())
    if m < _FEWEST or np.ptp(z[used]) == 0:
        return None
    centred = np.where(used, z - z[used].mean(), 0.0)
    spread = float((centred**2).sum())
    left = 1 - 1 / m - centred**2 / spread  # one less the leverage
    if left[used].min() < 1e-9:  # a single practice decides the slope, and fits it whatever it is
        return None
    gap = np.where(used, change - change[used].mean(), 0.0)
    slope = float(centred @ gap) / spread
    scale = np.sqrt(1 - 1 / m) / np.where(used, left, 1.0)  # the factor m/(m - 1) of the variance makes it HC3
    return slope, scale * centred * (gap - slope * centred) / spread, used
