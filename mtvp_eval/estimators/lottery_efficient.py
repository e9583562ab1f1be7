"""Roth & Sant'Anna (2023): adjust for differences before entry by as much as makes the variance smallest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Estimand, Population, Weighting
from mtvp_eval.estimators.engine import influence_of
from mtvp_eval.estimators.lottery import strata
from mtvp_eval.estimators.lottery_contrasts import (
    BlockContrasts,
    BlockMoments,
    all_earlier,
    block_moments,
    lottery_contrasts,
    missing_error,
    pooled_shares,
)
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import Sample, read_sample

_PSEUDO_INVERSE = 1.5e-8
"""Singular values below this share of the largest count as zero, as in the original."""


FEWEST = 10
"""Units in every cohort from which on a share estimated by itself leaves the standard error right: with 2, 3, 5 and 10
it is .61, .81, .90 and .96 of the true spread."""


class Adjustment(StrEnum):
    """How much of which difference before entry is taken off.

    EFFICIENT estimates one share of the estimand's own difference in each block; POOLED one for all blocks (fewer than
    ten units a cohort); ALL_EARLIER a share of every cohort's difference in every earlier period.
    """

    EFFICIENT = "efficient"
    POOLED = "pooled"
    ALL_EARLIER = "all_earlier"


@dataclass(frozen=True, slots=True, eq=False)
class EfficientEffects:
    """Hold effects with Neyman's variance, the shares taken off, a block (K, P), and the refined covariance (K, K).

    The refined covariance subtracts a bound on how much effects differ between units. It is no sum over units and may
    be indefinite, so it is kept apart, for the appendix.
    """

    effects: EffectEstimates
    beta: tuple[FloatArray, ...]
    refined: FloatArray


def lottery_efficient(
    panel: Panel,
    design: LotteryDesign,
    outcome: str,
    estimands: Sequence[Estimand],
    *,
    beta: float | None = None,
    adjustment: Adjustment = Adjustment.EFFICIENT,
) -> EfficientEffects:
    r"""Estimate the estimands with the adjustment that makes the variance smallest.

    .. math:: \hat\theta = \sum_g (A_{\theta,g} - \beta A_{0,g})' \bar Y_g, \qquad
              \beta^* = V_X^{-1} V_{X\theta}, \quad V_X = \sum_g A_{0,g}' S_g A_{0,g}/N_g
    .. math:: \psi_i = \frac{n}{N_g} (A_{\theta,g} - \beta A_{0,g})'(Y_i - \bar Y_g), \qquad
              V_{refined} = V_{Neyman} - \sum_b b_b' \bar M_b b_b / N_b

    with A_0 the estimand's own contrast moved to before entry. Blocks are estimated apart and added up with the shares
    known beforehand. Patient weighting uses Hajek means with linearised deviations.

    Parameters
    ----------
    panel : outcomes, observed throughout.
    design : who was drawn when.
    outcome : name in the panel.
    estimands : K estimands of one weighting, made from ``design``.
    beta : a fixed share declared before outcomes (1 below ten units a cohort); estimated where None.
    adjustment : efficient, pooled or all_earlier.

    Raises
    ------
    EstimationError
        If outcomes are missing, or estimands differ in weighting.
    NotIdentifiedError
        If a cell is not identified by lottery.

    Source: Roth & Sant'Anna (2023), eq. 6-8 and proposition 2.2 (arXiv:2102.01291).

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 3, 8], [0, 1, 2], [0, 2, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> drawn = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    >>> found = lottery_efficient(panel, drawn, "y", [overall(drawn)])
    >>> found.effects.estimate.round(6).tolist(), found.beta[0].round(6).tolist()
    ([3.0], [[1.5]])
    """
    if len({e.weighting for e in estimands}) != 1:
        raise EstimationError("Estimands of one call must share their weighting: practice or patient.")
    sample = read_sample(panel, design.staggered, outcome, by_size=estimands[0].weighting == Weighting.PATIENT)
    gaps = int((~sample.observed.all(axis=1)).sum())
    if gaps:
        raise EstimationError(
            f"{gaps} of {len(sample.y)} units have missing {outcome}; the efficient adjustment compares levels and "
            "needs every period. Restrict the panel to complete units, or use lottery() with a fixed beta."
        )
    adjustment = Adjustment(adjustment)
    moments = [_moments(sample, c, adjustment) for c in lottery_contrasts(design, estimands)]
    shares = _shares(moments, beta, adjustment)
    n, K = design.staggered.n_units, len(estimands)
    estimate, influence, refined = np.zeros(K), np.zeros((n, K)), np.zeros((K, K))
    for m, share in zip(moments, shares, strict=True):
        weights = m.effect - np.einsum("kp,kpgt->kgt", share, m.adjusters)
        cohort, mask = m.block.design.cohort_index, m.block.mask
        estimate += np.einsum("kgt,gt->k", weights, m.mean)
        influence[mask] = influence_of(m.u, cohort, weights, n)
        refined += m.covariance(weights, weights) - _effect_spread(m)
    effects = EffectEstimates(
        tuple(replace(EffectKey.of(e, outcome), population=Population.BLOCK) for e in estimands),
        estimate, design.staggered.unit_ids, influence, strata(design), sample.cluster, sampling="design",
        correction="hc2", method="Roth-Sant'Anna efficient" if beta is None else f"Roth-Sant'Anna, beta = {beta:g}",
        no_error=tuple(missing_error(design, e) for e in estimands),
        notes=(*sample.notes(), *_few(moments, beta, adjustment)),
    )  # fmt: skip
    return EfficientEffects(effects, tuple(shares), refined)


def _few(moments: Sequence[BlockMoments], beta: float | None, adjustment: Adjustment) -> tuple[str, ...]:
    """Warn where shares are estimated from cohorts so small that the standard error comes out too small."""
    smallest = min((int(m.block.design.cohort_size.min()) for m in moments), default=FEWEST)
    if beta is not None or adjustment == Adjustment.POOLED or smallest >= FEWEST:
        return ()
    return (
        f"The share taken off is estimated with {smallest} units in the smallest cohort, fewer than {FEWEST}: the "
        "standard error is too small, and this is no headline. Fix the share (beta 1) before outcomes are read.",
    )


def _moments(sample: Sample, contrasts: BlockContrasts, adjustment: Adjustment) -> BlockMoments:
    block, adjusters = contrasts.block, contrasts.before[:, None]
    if adjustment == Adjustment.ALL_EARLIER:
        earlier = all_earlier(block)
        adjusters = np.broadcast_to(earlier, (len(contrasts.effect), *earlier.shape))
    return block_moments(sample.y[block.mask], sample.w[block.mask], block, contrasts.effect, adjusters)


def _shares(moments: Sequence[BlockMoments], beta: float | None, adjustment: Adjustment) -> list[FloatArray]:
    if beta is not None:
        return [np.full(m.adjusters.shape[:2], beta) for m in moments]
    if adjustment == Adjustment.POOLED:
        return [pooled_shares(moments)] * len(moments)
    return [pooled_shares([m]) for m in moments]


def _effect_spread(m: BlockMoments) -> FloatArray:
    """Return b' M-bar b / N (K, K): what effects that differ with outcomes before entry add to Neyman's variance."""
    design = m.block.design
    touched = np.any(m.effect != 0, axis=(0, 2))
    if not touched.any():
        return np.zeros((len(m.effect),) * 2)
    first = int(np.argmax(touched))
    early = int(np.searchsorted(design.clock, design.cohorts[first] - design.anticipation))
    slopes = np.zeros((early, len(m.effect)))
    for S, a in zip(m.S[first:], m.effect[:, first:].transpose(1, 2, 0), strict=True):
        inverse = np.linalg.pinv(S[:early, :early], rcond=_PSEUDO_INVERSE, hermitian=True)
        slopes += inverse @ S[:early] @ a
    middle = m.S[first:, :early, :early].mean(axis=0)
    return np.asarray(slopes.T @ middle @ slopes / design.n_units, dtype=np.float64)
