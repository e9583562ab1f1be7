"""The headline of a lottery: cohort means within blocks, less shares of three differences that preceded the draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import Block, LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Estimand, Population, Weighting
from mtvp_eval.estimators.engine import influence_of
from mtvp_eval.estimators.lottery import strata
from mtvp_eval.estimators.lottery_contrasts import (
    BlockContrasts,
    BlockMoments,
    block_moments,
    lottery_contrasts,
    missing_error,
    pooled_shares,
)
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import Sample, read_sample

ADJUSTERS = ("last period before entry", "mean of the 8 periods before the draw", "log list size")
"""What a share of is taken off: the difference between the compared cohorts in each of these."""
CONTRASTS = ("later", "last", "before", "log_size")
"""Names of the contrasts: of the later periods, then of the adjusters in the order of `ADJUSTERS`."""
BEFORE = 8
"""Periods before the draw that the second adjuster averages."""
SHARED_FROM = 120
"""Units in drawn blocks from which the shares are estimated on the compared outcomes themselves. With fewer the
estimate bends to the very differences it adjusts and the standard error comes out too small."""


@dataclass(frozen=True, slots=True, eq=False)
class DefaultEffects:
    """Hold effects with Neyman's variance and the shares taken off, (K, 3), in the order of `ADJUSTERS`."""

    effects: EffectEstimates
    beta: FloatArray


def lottery_default(
    panel: Panel,
    design: LotteryDesign,
    outcome: str,
    estimands: Sequence[Estimand],
    *,
    beta: FloatArray | None = None,
) -> DefaultEffects:
    r"""Estimate the estimands within blocks, adjusted by shares that all blocks have in common.

    .. math:: \hat\theta = \sum_b (\hat\theta_b - \beta'\hat X_b), \qquad
              \psi_i = \frac{n}{N_g} (A_{\theta,g} - \beta A_{X,g})'(Y_i - \bar Y_g)

    with X the same contrast of the last period before entry, of the mean of the eight periods before the block's draw,
    and of log list size; block shares are known before outcomes. Without ``beta`` the shares are estimated over all
    blocks together from 120 units on (`shared_beta`), else fixed on the periods before the draw (`beta_before_draw`).
    Recentring by replay comes after (inference.recentring), since it needs the rule of the draw.

    Parameters
    ----------
    panel : outcomes; units with a gap in the periods used are left out, and counted in the notes.
    design : who was drawn when.
    outcome : name in the panel.
    estimands : K estimands of one weighting, made from ``design``.
    beta : (K, 3) shares fixed beforehand.

    Raises
    ------
    EstimationError
        If estimands differ in weighting, or too few units are observed throughout.
    NotIdentifiedError
        If a cell is not identified by lottery.

    Source: Roth & Sant'Anna (2023), eq. 6-8 (arXiv:2102.01291), with several adjusters and shares common to blocks.

    Example
    -------
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 3, 8], [0, 1, 2], [0, 2, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> drawn = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    >>> found = lottery_default(panel, drawn, "y", [overall(drawn)], beta=np.array([[1.0, 0.0, 0.0]]))
    >>> found.effects.estimate.tolist()
    [3.5]
    """
    ready = _ready(panel, design, outcome, estimands)
    if beta is not None:
        shares = np.asarray(beta, dtype=np.float64)
    elif sum(b.design.n_units for b in ready.design.drawn) >= SHARED_FROM:
        shares = _shared(ready)
    else:
        shares = _before_draw(ready)
    if shares.shape != (len(estimands), len(ADJUSTERS)):
        raise EstimationError(f"Shares must have shape ({len(estimands)}, {len(ADJUSTERS)}), not {shares.shape}.")
    n, K = ready.design.staggered.n_units, len(estimands)
    estimate, influence = np.zeros(K), np.zeros((n, K))
    for m in ready.moments:
        weights = m.effect - np.einsum("kp,kpgt->kgt", shares, m.adjusters)
        estimate += np.einsum("kgt,gt->k", weights, m.mean)
        influence[m.block.mask] = influence_of(m.u, m.block.design.cohort_index, weights, n)
    effects = EffectEstimates(
        tuple(replace(EffectKey.of(e, outcome), population=Population.BLOCK) for e in estimands),
        estimate, ready.design.staggered.unit_ids, influence, strata(ready.design), ready.sample.cluster,
        sampling="design", correction="hc2", method="Cohort means under random entry, three adjusters",
        no_error=tuple(missing_error(ready.design, e) for e in estimands), notes=ready.notes,
    )  # fmt: skip
    return DefaultEffects(effects, shares)


def default_contrasts(panel: Panel, design: LotteryDesign, outcome: str, estimand: Estimand) -> EffectEstimates:
    r"""Estimate what the default is made of: the later contrast, and those of the three adjusters, within blocks.

    .. math:: \hat\theta(\beta) = (1, -\beta')\,\hat c, \qquad \hat V(\beta) = (1, -\beta')\,\hat V_c\,(1, -\beta')'

    for any shares, so that who knows the four contrasts and their covariance needs no unit to change the shares.

    Parameters
    ----------
    panel, design, outcome : as in `lottery_default`.
    estimand : of periods at or after entry.

    Returns
    -------
    EffectEstimates
        c (4,), named `CONTRASTS`, with Neyman's covariance.

    Raises
    ------
    EstimationError
        If too few units are observed throughout.
    NotIdentifiedError
        If a cell is not identified by lottery.

    Source: Roth & Sant'Anna (2023), eq. 6 (arXiv:2102.01291), whose theta_0 and X these are.

    Example
    -------
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 3, 8], [0, 1, 2], [0, 2, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> drawn = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    >>> default_contrasts(panel, drawn, "y", overall(drawn)).estimate.tolist()
    [4.5, 1.0, 1.0, 0.0]
    """
    ready = _ready(panel, design, outcome, [estimand])
    n, P = ready.design.staggered.n_units, len(CONTRASTS)
    estimate, influence = np.zeros(P), np.zeros((n, P))
    for m in ready.moments:
        weights = np.concatenate([m.effect, m.adjusters[0]])
        estimate += np.einsum("pgt,gt->p", weights, m.mean)
        influence[m.block.mask] = influence_of(m.u, m.block.design.cohort_index, weights, n)
    key = replace(EffectKey.of(estimand, outcome), population=Population.BLOCK)
    return EffectEstimates(
        tuple(replace(key, estimand=name) for name in CONTRASTS), estimate, ready.design.staggered.unit_ids, influence,
        strata(ready.design), ready.sample.cluster, sampling="design", correction="hc2",
        method="Contrasts of cohort means under random entry",
        no_error=(missing_error(ready.design, estimand),) * P, notes=ready.notes,
    )  # fmt: skip


def shared_beta(panel: Panel, design: LotteryDesign, outcome: str, estimands: Sequence[Estimand]) -> FloatArray:
    r"""Return the (K, 3) shares that make the variance smallest, one for all blocks.

    .. math:: \beta^* = \Big(\sum_b V_{X,b}\Big)^{-1} \sum_b V_{X\theta,b}

    Estimands with a period before entry are plain differences: their shares are 1, 0, 0.

    Raises
    ------
    EstimationError
        If estimands differ in weighting, or too few units are observed throughout.
    """
    return _shared(_ready(panel, design, outcome, estimands))


def beta_before_draw(panel: Panel, design: LotteryDesign, outcome: str, estimands: Sequence[Estimand]) -> FloatArray:
    """Return (K, 3) shares from the same comparison moved to before the draw, so that no compared outcome is used.

    Each cell is shifted back until all its periods precede the block's first entry; its later outcome is regressed on
    the three adjusters within blocks, over every shift the panel holds. The draw is independent of what preceded it, so
    these shares are fixed numbers in every replay. Where a cell does not fit before the draw they are 1, 0, 0: plain
    differences.

    Raises
    ------
    EstimationError
        If estimands differ in weighting, or too few units are observed throughout.
    """
    return _before_draw(_ready(panel, design, outcome, estimands))


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """Units observed throughout, in blocks; values (n, T + 2): outcome, mean before the draw, log list size."""

    sample: Sample
    design: LotteryDesign
    estimands: Sequence[Estimand]
    moments: tuple[BlockMoments, ...]
    notes: tuple[str, ...]

    @property
    def leads(self) -> BoolArray:
        """(K,) estimands with a period before entry."""
        return np.array([any(t < g for g, t in e.cells) for e in self.estimands])


def _ready(panel: Panel, design: LotteryDesign, outcome: str, estimands: Sequence[Estimand]) -> _Ready:
    if len({e.weighting for e in estimands}) != 1:
        raise EstimationError("Estimands of one call must share their weighting: practice or patient.")
    by_size = estimands[0].weighting == Weighting.PATIENT
    sample = read_sample(panel, design.staggered, outcome, by_size=by_size)
    used = _periods_used(design, estimands)
    whole: BoolArray = np.all(np.isfinite(sample.y[:, used]), axis=1)
    lost: tuple[str, ...] = ()
    if not whole.all():
        if whole.sum() < 4:
            raise EstimationError(
                f"{int((~whole).sum())} of {len(whole)} units have missing {outcome} in the periods compared or the "
                f"{BEFORE} before the draw; too few are left. Use lottery(), which compares what is there."
            )
        design = design.restrict(whole)
        sample = read_sample(panel, design.staggered, outcome, by_size=by_size)
        lost = (f"{int((~whole).sum())} units with missing periods are left out.",)
    log_size = np.log(design.staggered.size)
    moments = tuple(
        _moments(sample.y[c.block.mask], sample.w[c.block.mask], log_size[c.block.mask], c)
        for c in lottery_contrasts(design, estimands)
    )
    return _Ready(sample, design, estimands, moments, (*lost, *sample.notes()))


def _periods_used(design: LotteryDesign, estimands: Sequence[Estimand]) -> BoolArray:
    """Tell which periods (T,) are compared, adjusted by, or averaged before some block's draw."""
    clock = design.clock
    used = np.zeros(len(clock), dtype=np.bool_)
    for b in design.drawn:
        used |= _before(b.design)
        for cell in {cell for e in estimands for cell in e.cells if cell[0] in b.design.cohorts}:
            base = b.design.base_period(*cell, BasePeriod.UNIVERSAL)
            used |= (clock == cell[1]) | (clock == base)
    return used


def _before(design: StaggeredDesign) -> BoolArray:
    """Return (T,) the last eight periods before the block's draw could change anything."""
    early = np.flatnonzero(design.clock + design.anticipation < design.cohorts[0])[-BEFORE:]
    return np.isin(np.arange(len(design.clock)), early)


def _moments(y: FloatArray, w: FloatArray, log_size: FloatArray, c: BlockContrasts) -> BlockMoments:
    """Put the three adjusters beside the effect, as weights on the cohort means of y and two more columns."""
    mean = y[:, _before(c.block.design)].mean(axis=1)
    values = np.column_stack([np.nan_to_num(y), mean, log_size])
    K, G, T = c.effect.shape
    path = c.before.sum(axis=2)
    effect = np.concatenate([c.effect, np.zeros((K, G, 2))], axis=2)
    adjusters = np.zeros((K, len(ADJUSTERS), G, T + 2))
    adjusters[:, 0, :, :T] = c.before
    adjusters[:, 1, :, T], adjusters[:, 2, :, T + 1] = path, path
    return block_moments(values, w, c.block, effect, adjusters)


def _plain(ready: _Ready, shares: FloatArray) -> FloatArray:
    """Give estimands with a period before entry the shares of a plain difference."""
    return np.where(ready.leads[:, None], np.array([1.0, 0.0, 0.0]), shares)


def _shared(ready: _Ready) -> FloatArray:
    return _plain(ready, pooled_shares(ready.moments))


def _before_draw(ready: _Ready) -> FloatArray:
    shares = [
        np.array([1.0, 0.0, 0.0]) if lead else _regressed(ready, e)
        for e, lead in zip(ready.estimands, ready.leads, strict=True)
    ]
    return np.stack(shares)


def _regressed(ready: _Ready, estimand: Estimand) -> FloatArray:
    """Regress the shifted later outcome on the adjusters within block, cell and shift."""
    xx, xy = np.zeros((3, 3)), np.zeros(3)
    log_size = np.log(ready.design.staggered.size)
    for b in ready.design.drawn:
        y, w, z = ready.sample.y[b.mask], ready.sample.w[b.mask], log_size[b.mask]
        for cell, weight in zip(estimand.cells, estimand.weights, strict=True):
            shifts = _shifted(y, b, cell)
            if not shifts and cell[0] in b.design.cohorts:
                return np.array([1.0, 0.0, 0.0])
            for later, last, mean in shifts:
                columns = np.column_stack([last, mean, z, later])
                seen = np.isfinite(columns).all(axis=1)
                if seen.sum() < 2:
                    continue
                columns, v = columns[seen], w[seen] * abs(weight)
                columns = columns - np.average(columns, axis=0, weights=v)
                products = columns.T @ (v[:, None] * columns)
                xx += products[:3, :3]
                xy += products[:3, 3]
    if not xx[0, 0] > 0:
        return np.array([1.0, 0.0, 0.0])
    return np.asarray(np.linalg.lstsq(xx, xy, rcond=1e-10)[0])


def _shifted(y: FloatArray, b: Block, cell: Cell) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Return later outcome, last one and mean of eight, for a cell of a block moved back by every whole shift."""
    design = b.design
    base = design.base_period(*cell, BasePeriod.UNIVERSAL)
    if base is None or cell[0] not in design.cohorts:
        return []
    now, then = np.searchsorted(design.clock, [cell[1], base])
    start = int(np.searchsorted(design.clock, design.cohorts[0] - design.anticipation))
    return [
        (y[:, now - d], y[:, then - d], y[:, start - BEFORE - d : start - d].mean(axis=1))
        for d in range(int(now) - start + 1, start - BEFORE + 1)
    ]
