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
from mtvp_eval.estimators.engine import cohort_covariances, cohort_means, linearised
from mtvp_eval.estimators.lottery import block_shares, comparisons_of


@dataclass(frozen=True, slots=True, eq=False)
class BlockContrasts:
    """Hold, for one block of G cohorts: the effects' weights (K, G, T) and the same moved to before entry (K, G, T)."""

    block: Block
    effect: FloatArray
    before: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class BlockMoments:
    """One block: weights of effects (K, G, T) and of adjusters (K, P, G, T), and what they are applied to.

    ``mean`` (G, T) cohort means, ``u`` (N, T) linearised deviations from them, ``S`` (G, T, T) their covariances.
    """

    block: Block
    effect: FloatArray
    adjusters: FloatArray
    mean: FloatArray
    u: FloatArray
    S: FloatArray

    def covariance(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """Return the covariance of two sets of contrasts (A, G, T), (B, G, T) under the draw, (A, B)."""
        size = self.block.design.cohort_size
        return np.asarray(np.einsum("agt,gts,bgs,g->ab", left, self.S, right, 1 / size, optimize=True))

    def pairs(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return for each effect the covariance of its adjusters (P, P), and of adjusters and effect (P, 1)."""
        return [
            (self.covariance(x, x), self.covariance(x, a[None]))
            for x, a in zip(self.adjusters, self.effect, strict=True)
        ]


def block_moments(
    y: FloatArray, w: FloatArray, block: Block, effect: FloatArray, adjusters: FloatArray
) -> BlockMoments:
    """Return the moments of one block, whose units have values ``y`` (N, T) and weights ``w`` (N,).

    ``effect`` (K, G, T) and ``adjusters`` (K, P, G, T) are weights on the block's cohort means.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> from mtvp_eval.estimands.att import cell_effect
    >>> staggered = StaggeredDesign(np.array(list("abcd"), dtype=object), np.array([3, 3, 9, 9]), np.array([1, 2, 3]))
    >>> one = lottery_contrasts(LotteryDesign.one_block(staggered), [cell_effect((3, 3), Weighting.PRACTICE)])[0]
    >>> y = np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])
    >>> block_moments(y, np.ones(4), one.block, one.effect, one.before[:, None]).mean[:, 2].tolist()
    [7.0, 2.5]
    """
    cohort = block.design.cohort_index
    mean = cohort_means(y, w, cohort)
    u = linearised(y, w, cohort, mean)
    return BlockMoments(block, effect, adjusters, mean, u, cohort_covariances(u, cohort))


def pooled_shares(moments: Sequence[BlockMoments]) -> FloatArray:
    """Return (K, P) the shares of the adjusters that make the variance smallest, the same in all blocks."""
    summed = zip(*(m.pairs() for m in moments), strict=True)
    return np.stack(
        [np.linalg.lstsq(sum(v for v, _ in of_k), sum(c for _, c in of_k), rcond=None)[0][:, 0] for of_k in summed]
    )


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


def missing_error(design: LotteryDesign, estimand: Estimand) -> str | None:
    """Return why an estimand has no standard error: a cohort of one unit in some block; None if it has one."""
    for b in design.drawn:
        own = [estimand.cells[j] for j in b.places(estimand.cells)]
        found = next((reason for reason in comparisons_of(b.design, own)[1] if reason is not None), None)
        if found is not None:
            return found
    return None


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
    cells = list(place)
    then, now = design.base_places(cells, BasePeriod.UNIVERSAL), np.searchsorted(design.clock, [t for _, t in cells])
    for cell, j, against in zip(cells, place.values(), comparisons_of(design, cells)[0], strict=True):
        if not share[j] or then[j] < 0:
            continue
        path = (design.cohorts == cell[0]) - np.where(against, size, 0.0) / size[against].sum()
        for k, weight in users[cell]:
            effect[k, :, now[j]] += weight * share[j] * path
            before[k, :, then[j]] += weight * share[j] * path
    return BlockContrasts(block, effect, before)
