"""Estimands as weights on the cohort means of each block, after and before entry.

Source: Roth & Sant'Anna (2023), section 2.3 (arXiv:2102.01291): A_theta and A_0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.design.lottery import Block, LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.lottery import block_shares, comparison_of


@dataclass(frozen=True, slots=True, eq=False)
class BlockContrasts:
    """Hold, for one block of G cohorts: the effects' weights (K, G, T) and the same moved to before entry (K, G, T)."""

    block: Block
    effect: FloatArray
    before: FloatArray


def lottery_contrasts(design: LotteryDesign, estimands: Sequence[Estimand]) -> tuple[BlockContrasts, ...]:
    """Return the weights of K estimands of one weighting on the cohort means of every drawn block.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> from mtvp_eval.estimands.att import cell_effect
    >>> staggered = StaggeredDesign(np.array(list("abcd"), dtype=object), np.array([3, 3, 9, 9]), np.array([1, 2, 3]))
    >>> one = lottery_contrasts(LotteryDesign.one_block(staggered), [cell_effect((3, 3), Weighting.PRACTICE)])[0]
    >>> one.effect[0].tolist(), one.before[0].tolist()
    ([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], [[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    """
    by_size = estimands[0].weighting == Weighting.PATIENT
    cells = tuple(dict.fromkeys(cell for e in estimands for cell in e.cells))
    share = block_shares(design, cells, by_size=by_size)
    place = {cell: j for j, cell in enumerate(cells)}
    return tuple(_of_block(b, row, place, estimands, by_size) for b, row in zip(design.drawn, share, strict=True))


def all_earlier(block: Block) -> FloatArray:
    """Return (P, G, T): for every cohort but the last and every period before its entry, its mean less the last one's.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> staggered = StaggeredDesign(np.array(list("ab"), dtype=object), np.array([3, 9]), np.array([1, 2, 3]))
    >>> all_earlier(LotteryDesign.one_block(staggered).drawn[0]).shape
    (2, 2, 3)
    """
    design = block.design
    early = [
        (j, t)
        for j, g in enumerate(design.cohorts[:-1])
        for t in range(int(np.searchsorted(design.clock, g - design.anticipation)))
    ]
    weights = np.zeros((len(early), len(design.cohorts), len(design.clock)))
    for p, (j, t) in enumerate(early):
        weights[p, j, t], weights[p, -1, t] = 1.0, -1.0
    return weights


def _of_block(
    block: Block, share: FloatArray, place: dict[Cell, int], estimands: Sequence[Estimand], by_size: bool
) -> BlockContrasts:
    design = block.design
    size = design.cohort_patients if by_size else design.cohort_size.astype(np.float64)
    effect = np.zeros((len(estimands), len(design.cohorts), len(design.clock)))
    before = np.zeros_like(effect)
    users: dict[Cell, list[tuple[int, float]]] = {cell: [] for cell in place}
    for k, e in enumerate(estimands):
        for cell, weight in zip(e.cells, e.weights, strict=True):
            users[cell].append((k, weight))
    for cell, j in place.items():
        base = design.base_period(*cell, BasePeriod.UNIVERSAL) if share[j] else None
        if base is None:
            continue
        against, _ = comparison_of(design, cell)
        path = (design.cohorts == cell[0]) - np.where(against, size, 0.0) / size[against].sum()
        now, then = np.searchsorted(design.clock, [cell[1], base])
        for k, weight in users[cell]:
            effect[k, :, now] += weight * share[j] * path
            before[k, :, then] += weight * share[j] * path
    return BlockContrasts(block, effect, before)
