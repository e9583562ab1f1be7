"""Weighting by the chances of entry that the declared draw gives, where a cap on patients makes them unequal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import Block, LotteryDesign
from mtvp_eval.design.staggered import Cell
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Population, Weighting
from mtvp_eval.estimators.lottery import block_shares, strata
from mtvp_eval.estimators.lottery_default import BEFORE
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import read_sample

_CERTAIN = 1e-9
"""Replayed chances of exactly 0 or 1 compare nobody; this is only what sums of chances are off by."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """One cell of one block: effect, (n,) psi / n, (n,) units on one of the two sides."""

    effect: float
    influence: FloatArray
    member: BoolArray


def lottery_weighted(
    panel: Panel,
    design: LotteryDesign,
    outcome: str,
    *,
    weighting: Weighting = Weighting.PRACTICE,
    cells: Sequence[Cell] | None = None,
) -> EffectEstimates:
    r"""Estimate every cell that a lottery identifies, each unit weighted by one over its chance of being on its side.

    .. math:: \hat\theta_{gt} = \frac{\sum_{G_i = g} v_i/p_{ig}}{\sum_{G_i = g} 1/p_{ig}}
              - \frac{\sum_{G_i > t} v_i/p_{i,>t}}{\sum_{G_i > t} 1/p_{i,>t}}
    .. math:: v_i = Y_{it} - \bar Y_{i,\text{before}}

    within blocks, with the mean of the eight periods before the block's draw. Only units whose chances of both sides
    lie strictly between 0 and 1 take part. The variance sums squared residuals from the weighted means, with HC2;
    it leaves the joint chances out. With chances of a wrong rule the result can be worse than without weights.

    Parameters
    ----------
    panel : outcomes; its clock is the design's.
    design : with `entry_probability`, replayed under the declared rule.
    outcome : name in the panel.
    weighting : practice, or patient: the weights are multiplied by frozen list size.
    cells : cells at or after entry; all that the lottery identifies where not given.

    Raises
    ------
    EstimationError
        If the design holds no chances of entry.
    NotIdentifiedError
        If nobody could have been on both sides of a cell.

    Source: Hajek (1971); chances of entry by replay of the declared draw.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 1, 6], [1, 1, 8], [0, 0, 2], [1, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> drawn = replace(LotteryDesign.one_block(StaggeredDesign.from_panel(panel)),
    ...     entry_probability=np.tile([0.0, 0, 0.5, 0.5], (4, 1)))
    >>> lottery_weighted(panel, drawn, "y").estimate.tolist()
    [4.0]
    """
    chance = design.entry_probability
    if chance is None:
        raise EstimationError("The design holds no chances of entry; replay the declared draw first.")
    weighting = Weighting(weighting)
    by_size = weighting == Weighting.PATIENT
    sample = read_sample(panel, design.staggered, outcome, by_size=by_size)
    wanted = tuple(c for c in design.identified_cells() if c[1] >= c[0]) if cells is None else tuple(cells)
    share = block_shares(design, wanted, by_size=by_size)
    n, K = design.staggered.n_units, len(wanted)
    effect, influence, member = np.zeros(K), np.zeros((K, n)), np.zeros((K, n), dtype=np.bool_)
    weight = np.zeros(K)
    for block, row in zip(design.drawn, share, strict=True):
        for k in np.flatnonzero(row):
            found = _compare(sample.y[block.mask], sample.w[block.mask], chance[block.mask], block, wanted[k])
            if found is None:
                continue
            weight[k] += row[k]
            effect[k] += row[k] * found.effect
            influence[k, block.mask] = n * row[k] * found.influence
            member[k, block.mask] = found.member
    if nowhere := int((weight == 0).sum()):
        raise NotIdentifiedError(
            f"In {nowhere} of {K} cells no unit that was observed could have started then as well as later; "
            "leave these cells out."
        )
    return EffectEstimates(
        tuple(
            replace(EffectKey.of(cell_effect(cell, weighting), outcome), population=Population.BLOCK) for cell in wanted
        ),
        effect / weight, design.staggered.unit_ids, (influence / weight[:, None]).T, strata(design), sample.cluster,
        sampling="design", correction="hc2", method="Weighted by replayed chances of entry", member=member.T,
        notes=sample.notes(),
    )  # fmt: skip


def _compare(y: FloatArray, w: FloatArray, chance: FloatArray, block: Block, cell: Cell) -> _Compared | None:
    """Return one cell of a block, or None where a side is empty."""
    design, clock = block.design, block.design.clock
    g, t = cell
    early = np.flatnonzero(clock + design.anticipation < design.cohorts[0])[-BEFORE:]
    v = y[:, np.searchsorted(clock, t)] - y[:, early].mean(axis=1)
    starts = chance[:, np.searchsorted(clock, g)]
    later = chance[:, np.searchsorted(clock, t + design.anticipation, side="right") :].sum(axis=1)
    both = (starts > _CERTAIN) & (starts < 1 - _CERTAIN) & (later > _CERTAIN) & (later < 1 - _CERTAIN) & np.isfinite(v)
    influence, effect = np.zeros(len(v)), 0.0
    sides = ((design.entry == g, starts, 1.0), (design.comparison_units(g, t), later, -1.0))
    for side, p, sign in sides:
        mine = side & both
        if not mine.any():
            return None
        weight = np.where(mine, w / np.where(p > 0, p, 1.0), 0.0)
        weight = weight / weight.sum()
        mean = float(weight[mine] @ v[mine])
        effect += sign * mean
        influence[mine] += sign * weight[mine] * (v[mine] - mean)
    return _Compared(effect, influence, both & (sides[0][0] | sides[1][0]))
