"""Turn cell effects into the declared estimands.

Source: Callaway & Sant'Anna (2021), section 3.1 (weights) and theorem 4 (influence of estimated weights).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import StaggeredDesign
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
    place = {
        (k.outcome, k.weighting, k.cohort, k.period): j for j, k in enumerate(cells.index) if k.estimand == "att_gt"
    }
    weights = np.zeros((len(outcomes) * len(estimands), len(cells)))
    influence = np.zeros((cells.n_units, len(weights)))
    index: list[EffectKey] = []
    estimated_shares = cells.sampling == "superpopulation"
    for outcome in outcomes:
        first = next(k for k in cells.index if k.outcome == outcome)
        for e in estimands:
            columns = [place.get((outcome, e.weighting, g, t)) for g, t in e.cells]
            found = [c for c in columns if c is not None]
            if len(found) < len(columns):
                raise NotIdentifiedError(
                    f"Estimand {e.name} ({e.weighting}) needs {len(columns) - len(found)} cells of {outcome} that were "
                    "not estimated; estimate them, or declare the estimand on the identified cells."
                )
            row = len(index)
            np.add.at(weights[row], found, e.weights)
            if estimated_shares and isinstance(design, StaggeredDesign) and e.share_group:
                influence[:, row] = design.weight_influence(
                    e.cells, np.array(e.weights), np.array(e.share_group), cells.estimate[found],
                    by_size=e.weighting == Weighting.PATIENT,
                )  # fmt: skip
            index.append(replace(EffectKey.of(e, outcome, first.unit_of_measure), population=first.population))
    return cells.combine(index, weights, influence if isinstance(design, StaggeredDesign) else None)
