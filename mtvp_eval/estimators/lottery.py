"""Cohort means under random entry within blocks, adjusted by a fixed share of the difference before entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import NotIdentifiedError
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Population, Weighting
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import read_sample


@dataclass(frozen=True, slots=True)
class CellMeans:
    """Hold one cell of one block: effect, (n,) psi / n, (n,) units seen, and why there is no error (or None)."""

    effect: float
    influence: FloatArray
    seen: BoolArray
    no_error: str | None


def lottery(
    panel: Panel,
    design: LotteryDesign,
    outcome: str,
    *,
    beta: float = 1.0,
    weighting: Weighting = Weighting.PRACTICE,
    cells: Sequence[Cell] | None = None,
) -> EffectEstimates:
    r"""Estimate every cell that a lottery identifies, as a difference of cohort means within blocks.

    .. math:: \hat\theta_{gt} = \sum_b s_b \Big[ \bar v_{bg} - \sum_{h \in C} \tfrac{N_{bh}}{N_{bC}} \bar v_{bh} \Big],
              \qquad v_i = Y_{it} - \beta Y_{i,g-1-\delta}
    .. math:: \psi_i = \pm s_b \frac{n w_i}{W} (v_i - \bar v_{\text{own cohort}})

    with C the cohorts of the block drawn later (design.comparison: all of them, or the last), s_b the block's share of
    the treated. beta = 1 is difference-in-differences, 0 the plain difference in means; both are unbiased under the
    draw. Leads are differences from the last period before entry. With the HC2 factor N/(N - 1) a cohort and block the
    variance is Neyman's, conservative where effects differ between units; intervals use Satterthwaite's t.

    Parameters
    ----------
    panel : outcomes; its clock is the design's.
    design : who was drawn when; cohorts are entries as drawn (intention to treat).
    outcome : name in the panel; a unit counts in a cell if seen in both periods (in the later one if beta is 0).
    beta : share of the difference before entry that is taken off; declared before outcomes are seen.
    weighting : practice, or patient: Hajek means weighted by frozen list size, with linearised influence.
    cells : cells to estimate; all that the lottery identifies where not given.

    Returns
    -------
    EffectEstimates
        att_gt entries with sampling "design" and correction "hc2". A cohort of one unit has an estimate and a reason
        instead of an error; as comparison it is set aside where another one is left.

    Raises
    ------
    NotIdentifiedError
        If no block was drawn, or a cell is not identified by lottery.

    Source: Roth & Sant'Anna (2023), eq. 1-3 and section 3 (arXiv:2102.01291); Neyman (1923) for the variance.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> drawn = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    >>> effects = lottery(panel, drawn, "y", cells=[(3, 3)])
    >>> effects.estimate.tolist(), effects.covariance().round(4).tolist()
    ([3.5], [[1.25]])
    """
    weighting = Weighting(weighting)
    by_size = weighting == Weighting.PATIENT
    whole = design.staggered
    sample = read_sample(panel, whole, outcome, by_size=by_size)
    wanted = design.identified_cells(BasePeriod.UNIVERSAL) if cells is None else tuple(cells)
    share = block_shares(design, wanted, by_size=by_size)
    n, K = whole.n_units, len(wanted)
    effect, influence = np.zeros(K), np.zeros((K, n))
    member = np.zeros((K, n), dtype=np.bool_)
    no_error: list[str | None] = [None] * K
    for block, row in zip(design.drawn, share, strict=True):
        y, w = sample.y[block.mask].T.copy(), sample.w[block.mask]  # a period is one stretch of memory
        for k in np.flatnonzero(row):
            cell = _cell(y, w, block.design, wanted[k], beta)
            effect[k] += row[k] * cell.effect
            influence[k, block.mask] = n * row[k] * cell.influence
            member[k, block.mask] = cell.seen
            no_error[k] = no_error[k] or cell.no_error
    return EffectEstimates(
        tuple(
            replace(EffectKey.of(cell_effect(cell, weighting), outcome), population=Population.BLOCK) for cell in wanted
        ),
        effect, whole.unit_ids, influence.T, strata(design), sample.cluster, sampling="design", correction="hc2",
        method=f"Cohort means under random entry, beta = {beta:g}", no_error=tuple(no_error),
        member=None if sample.observed.all() else member.T, notes=sample.notes(),
    )  # fmt: skip


def block_shares(design: LotteryDesign, cells: Sequence[Cell], *, by_size: bool) -> FloatArray:
    """Return (B, C) each drawn block's share of a cell's treated units (or patients); columns sum to one.

    Raises
    ------
    NotIdentifiedError
        If no block was drawn, or a cell is not identified by lottery.

    Example
    -------
    >>> staggered = StaggeredDesign(np.array(list("abcd"), dtype=object), np.array([3, 5, 3, 5]), np.array([1, 2, 3]))
    >>> design = LotteryDesign(staggered, np.array(list("rrss"), dtype=object), staggered.entry)
    >>> block_shares(design, [(3, 3)], by_size=False).tolist()
    [[0.5], [0.5]]
    """
    if not design.drawn or not cells:
        raise NotIdentifiedError("No block was decided by lottery: nothing can be learnt from a draw.")
    size = design.block_size(cells, by_size=by_size)
    total = size.sum(axis=0)
    if not total.all():
        raise NotIdentifiedError(
            f"{int((total == 0).sum())} of {len(cells)} cells are not identified by lottery in any block; "
            "LotteryDesign.estimability() shows which are."
        )
    return size / total


def strata(design: LotteryDesign) -> IntArray:
    """Return (n,) the number of each unit's cohort within its block: the strata of Neyman's variance.

    Example
    -------
    >>> staggered = StaggeredDesign(np.array(list("abcd"), dtype=object), np.array([3, 5, 3, 5]), np.array([1, 2, 3]))
    >>> strata(LotteryDesign(staggered, np.array(list("rrss"), dtype=object), staggered.entry)).tolist()
    [0, 1, 2, 3]
    """
    number: dict[tuple[object, int], int] = {}
    pairs = zip(design.block.tolist(), design.drawn_entry.tolist(), strict=True)
    return np.array([number.setdefault(pair, len(number)) for pair in pairs], dtype=np.int64)


def comparison_of(design: StaggeredDesign, cell: Cell) -> tuple[BoolArray, str | None]:
    """Return (G,) the cohorts a cell is compared with, and why the cell has no standard error (None if it has one).

    A comparison cohort of one unit has no spread of its own, so it is set aside where another one is left.

    Example
    -------
    >>> design = StaggeredDesign(np.array(list("abcde"), dtype=object), np.array([3, 3, 4, 9, 9]), np.array([1, 2, 3]))
    >>> comparison_of(design, (3, 3))[0].tolist()
    [False, True]
    """
    against, reasons = comparisons_of(design, [cell])
    return against[0], reasons[0]


def comparisons_of(design: StaggeredDesign, cells: Sequence[Cell]) -> tuple[BoolArray, list[str | None]]:
    """Return (C, G) and C reasons: what ``comparison_of`` says of each cell.

    >>> design = StaggeredDesign(np.array(list("abcde"), dtype=object), np.array([3, 3, 4, 9, 9]), np.array([1, 2, 3]))
    >>> comparisons_of(design, [(3, 3)])[1]
    [None]
    """
    against = design.comparisons(cells, BasePeriod.UNIVERSAL)
    several = against & (design.cohort_size > 1)
    enough: BoolArray = np.any(several, axis=1)
    place = np.searchsorted(design.cohorts, np.array([g for g, _ in cells], dtype=np.int64))
    alone = design.cohort_size[np.minimum(place, len(design.cohorts) - 1)] == 1
    reasons = [
        "cohort of one unit in its block: its spread cannot be seen" if one
        else None if others else "compared with one unit: its spread cannot be seen"
        for one, others in zip(alone, enough, strict=True)
    ]  # fmt: skip
    return np.where(enough[:, None], several, against), reasons


def _cell(y: FloatArray, w: FloatArray, design: StaggeredDesign, cell: Cell, beta: float) -> CellMeans:
    g, t = cell
    base = design.base_period(g, t, BasePeriod.UNIVERSAL)
    now, before = np.searchsorted(design.clock, [t, t if base is None else base])
    v = y[now] - beta * y[before] if beta else y[now]
    seen = np.isfinite(v)
    of, G = design.cohort_index, len(design.cohorts)
    own = np.bincount(of, w * seen, G)
    count = np.bincount(of, seen, G)
    against, reason = comparison_of(design, cell)
    against &= own > 0
    treated = design.cohorts == g
    if not own[treated].all() or not against.any():
        return CellMeans(np.nan, np.zeros(len(w)), seen, "no unit was observed on one side")
    mean = np.bincount(of, w * np.where(seen, v, 0.0), G) / np.where(own > 0, own, 1.0)
    share = treated - np.where(against, own, 0.0) / own[against].sum()
    influence = np.where(seen, w * (share / np.where(own > 0, own, 1.0))[of] * (v - mean[of]), 0.0)
    if reason is None and (count[against | treated] == 1).any():
        reason = "one unit of a cohort was observed: its spread cannot be seen"
    return CellMeans(float(share @ mean), influence, seen, reason)
