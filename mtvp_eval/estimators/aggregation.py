"""Turn cell effects into the declared estimands.

Source: Callaway & Sant'Anna (2021), section 3.1 (weights) and theorem 4 (influence of estimated weights).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Cell, StaggeredDesign
from mtvp_eval.errors import NotIdentifiedError
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.results import EffectEstimates, EffectKey


def aggregate(
    cells: EffectEstimates, design: StaggeredDesign | LotteryDesign, estimands: Sequence[Estimand]
) -> EffectEstimates:
    """Return the estimands of every outcome in ``cells``, which holds att_gt entries of one weighting.

    Cohort shares that the sample estimates (a staggered design, superpopulation) add their influence; those of a
    lottery, or of cells estimated conditional on the cohorts, are known numbers.

    Raises
    ------
    NotIdentifiedError
        If an estimand puts weight on a cell that was not estimated, or asks for another weighting than the cells have.

    Example
    -------
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 9]), np.array([1, 2, 3]))
    >>> index = tuple(EffectKey("y", "att_gt", cohort=2, period=t, event_time=t - 2) for t in (2, 3))
    >>> cells = EffectEstimates(index, np.array([1.0, 3.0]), design.unit_ids, np.zeros((3, 2)), design.cohort_index)
    >>> aggregate(cells, design, [overall(design)]).estimate.tolist()
    [2.0]
    """
    outcomes = tuple(dict.fromkeys(k.outcome for k in cells.index))
    weights = np.zeros((len(outcomes) * len(estimands), len(cells)))
    influence = None
    if isinstance(design, StaggeredDesign) and cells.sampling == "superpopulation":
        influence = np.zeros((cells.n_units, len(weights)))
    index: list[EffectKey] = []
    for number, outcome in enumerate(outcomes):
        own = [j for j, k in enumerate(cells.index) if k.outcome == outcome and k.estimand == "att_gt"]
        rows = slice(number * len(estimands), (number + 1) * len(estimands))
        keys = [cells.index[j] for j in own]
        weights[rows, own] = cell_weights(
            outcome, [(k.cohort or 0, k.period or 0) for k in keys], {k.weighting for k in keys}, estimands
        )
        if influence is not None and isinstance(design, StaggeredDesign):
            influence[:, rows] = share_influence(design, _own_effects(keys, cells.estimate[own]), estimands)
        first = next(k for k in cells.index if k.outcome == outcome)
        index += [
            replace(EffectKey.of(e, outcome, first.unit_of_measure), population=first.population) for e in estimands
        ]
    return cells.combine(index, weights, influence)


def _own_effects(keys: Sequence[EffectKey], estimate: FloatArray) -> dict[Cell, float]:
    """Return the effect of each cell from att_gt ``keys`` and their ``estimate`` (K,)."""
    return {(k.cohort or 0, k.period or 0): float(v) for k, v in zip(keys, estimate, strict=True)}


def cell_weights(
    outcome: str, cells: Sequence[Cell], weightings: set[Weighting], estimands: Sequence[Estimand]
) -> FloatArray:
    """Return the weight of each of K ``cells`` in each of J ``estimands``, (J, K); ``outcome`` names them in errors.

    Raises
    ------
    NotIdentifiedError
        If an estimand puts weight on another cell, or its weighting is none of ``weightings``.

    >>> from mtvp_eval.estimands.att import cell_effect
    >>> cell_weights("y", [(2, 2), (2, 3)], {Weighting.PRACTICE}, [cell_effect((2, 3), Weighting.PRACTICE)]).tolist()
    [[0.0, 1.0]]
    """
    place = {cell: k for k, cell in enumerate(cells)}
    row: list[int] = []
    column: list[int] = []
    weight: list[float] = []
    for j, e in enumerate(estimands):
        known = place if e.weighting in weightings else {}
        try:
            column += [known[cell] for cell in e.cells]
        except KeyError:
            raise NotIdentifiedError(
                f"Estimand {e.name} ({e.weighting}) needs {sum(cell not in known for cell in e.cells)} cells of "
                f"{outcome} that were not estimated; estimate them, or declare the estimand on the identified cells."
            ) from None
        row += [j] * len(e.cells)
        weight += e.weights
    J, K = len(estimands), len(cells)
    return np.bincount(np.array(row, dtype=np.int64) * K + column, weight, J * K).reshape(J, K).astype(np.float64)


def share_influence(design: StaggeredDesign, effect: dict[Cell, float], estimands: Sequence[Estimand]) -> FloatArray:
    r"""Return (n, J) what estimated cohort shares add to the influence of ``estimands``, given each cell's ``effect``.

    .. math:: \psi_i = \frac{w_i}{p_{G_i}} \sum_{c: g(c)=G_i} a_c (ATT_c - \bar{ATT}_{s(c)}),
              \quad p_g = \overline{w 1\{G=g\}}

    with a the weights of an estimand, proportional to the shares within each label s of its ``share_group``; the mean
    within a label is subtracted.
    Source: Callaway & Sant'Anna (2021), section 4.2 and theorem 4; their terms in -p_g cancel, since the gaps sum to
    zero.

    >>> from mtvp_eval.estimands.att import cell_effect
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 9]), np.array([1, 2, 3]))
    >>> share_influence(design, {(2, 2): 1.0}, [cell_effect((2, 2), Weighting.PRACTICE)]).ravel().tolist()
    [0.0, 0.0, 0.0]
    """
    gap = share_gaps(design, effect, estimands)
    by_size = np.array([e.weighting == Weighting.PATIENT for e in estimands], dtype=np.bool_)
    per_unit = design.n_units * gap / np.where(by_size, design.cohort_patients[:, None], design.cohort_size[:, None])
    if not by_size.any():
        return np.take(per_unit, design.cohort_index, axis=0)
    return per_unit[design.cohort_index] * np.where(by_size, design.size[:, None], 1.0)


def share_gaps(design: StaggeredDesign, effect: dict[Cell, float], estimands: Sequence[Estimand]) -> FloatArray:
    """Return (G, J) the sum over a cohort's cells in ``share_influence``: of weights times gaps from the mean.

    >>> from mtvp_eval.estimands.aggregate import overall
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 3, 9]), np.array([1, 2, 3]))
    >>> share_gaps(design, {(2, 2): 1.0, (2, 3): 1.0, (3, 3): 4.0}, [overall(design)]).round(6).tolist()
    [[-0.666667], [0.666667], [0.0]]
    """
    G, J = len(design.cohorts), len(estimands)
    shared = [e for e in estimands if e.share_group]
    column = np.array([j for j, e in enumerate(estimands) for _ in e.share_group], dtype=np.int64)
    label = np.array([s for e in shared for s in e.share_group], dtype=np.int64)
    weight = np.array([a for e in shared for a in e.weights], dtype=np.float64)
    cells = [cell for e in shared for cell in e.cells]
    value = np.array([effect[cell] for cell in cells], dtype=np.float64)
    mine = np.searchsorted(design.cohorts, [g for g, _ in cells])
    group = column * (label.max(initial=0) + 1) + label
    total = np.bincount(group, weight)
    mean = np.bincount(group, weight * value) / np.where(total != 0, total, 1.0)
    return np.bincount(J * mine + column, weight * (value - mean[group]), G * J).reshape(G, J).astype(np.float64)
