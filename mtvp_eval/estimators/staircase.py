"""First stage of the imputation estimators: unit and period effects from untreated cells, solved by cohorts.

Untreated cells form a staircase: cohort g has U_gt = 1 for t < g. Unit effects are eliminated exactly; a system in the
periods alone is left, whatever the number of units.
Source: Borusyak, Jaravel & Spiess (2024), section 4; elimination of unit effects is our own algebra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.engine import cohort_means
from mtvp_eval.estimators.sample import Sample


@dataclass(frozen=True, slots=True, eq=False)
class Staircase:
    """Hold untreated cells U (G, T) of the usable periods, period effects (T,), weights a and targets h (K, G, T)."""

    untreated: FloatArray
    period_effect: FloatArray
    weights: FloatArray
    target: FloatArray


def staircase(sample: Sample, estimands: Sequence[Estimand]) -> Staircase:
    r"""Return the period effects and each estimand's weights on cohort means.

    .. math:: L \lambda = b, \quad L = diag\Big(\sum_g W_g U_g\Big) - \sum_g W_g U_g U_g'/P_g
    .. math:: a_{gt} = h_{gt} - H_g U_{gt}/P_g + W_g U_{gt} \Big(z_t - \sum_s U_{gs} z_s/P_g\Big), \quad z = L^- u

    with h the estimand's weights, H their sum over time, :math:`u_t = \sum_g H_g U_{gt}/P_g - \sum_g h_{gt}`.

    Raises
    ------
    EstimationError
        If outcomes are missing, or estimands differ in weighting.
    NotIdentifiedError
        If an estimand rests on a period in which nobody is untreated.

    Example
    -------
    >>> from mtvp_eval.data.panel import Panel
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> from mtvp_eval.estimators.sample import read_sample
    >>> panel = Panel(np.array(["a", "b"], dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [0, 1, 3]])}, entry=np.array([3, 9]))
    >>> design = StaggeredDesign.from_panel(panel)
    >>> staircase(read_sample(panel, design, "y"), [overall(design)]).weights[0].round(3).tolist()
    [[-0.5, -0.5, 1.0], [0.5, 0.5, -1.0]]
    """
    design = sample.design
    _refuse(sample, design, estimands)
    size = design.cohort_patients if estimands[0].weighting == Weighting.PATIENT else design.cohort_size.astype(float)
    U = ((design.clock[None, :] < design.cohorts[:, None] - design.anticipation) & design.usable).astype(np.float64)
    P = U.sum(axis=1)
    mean = cohort_means(np.where(design.usable, sample.y, 0.0), sample.w, design.cohort_index)
    system = np.diag(size @ U) - (U * (size / P)[:, None]).T @ U
    # The control cohort links all usable periods, so that fixing the first leaves a system of full rank.
    free = np.flatnonzero(design.usable)[1:]
    inverse = np.zeros_like(system)
    inverse[np.ix_(free, free)] = np.linalg.inv(system[np.ix_(free, free)])
    effect = inverse @ (size @ (U * (mean - ((U * mean).sum(axis=1) / P)[:, None])))
    h = np.zeros((len(estimands), *U.shape))
    for k, e in enumerate(estimands):
        cohort, period = np.array(e.cells).T
        np.add.at(h[k], (np.searchsorted(design.cohorts, cohort), np.searchsorted(design.clock, period)), e.weights)
    H = h.sum(axis=2)
    z = (np.einsum("kg,gt->kt", H / P, U) - h.sum(axis=1)) @ inverse
    inside = (z @ U.T) / P
    a = h - (H / P)[:, :, None] * U + (size[:, None] * U) * (z[:, None, :] - inside[:, :, None])
    return Staircase(U, effect, a, h)


def _refuse(sample: Sample, design: StaggeredDesign, estimands: Sequence[Estimand]) -> None:
    if len({e.weighting for e in estimands}) != 1:
        raise EstimationError("Estimands of one call must share their weighting: practice or patient.")
    gaps = int((~sample.observed[:, design.usable].all(axis=1)).sum())
    if gaps:
        raise EstimationError(
            f"{gaps} of {design.n_units} units have missing periods; the closed form needs a balanced panel. "
            "Restrict the panel to complete units, or use callaway_santanna, which compares pairwise."
        )
    beyond = sum(not design.usable[np.searchsorted(design.clock, t)] for e in estimands for _, t in e.cells)
    if beyond:
        raise NotIdentifiedError(f"{beyond} cells lie in periods in which every unit is enrolled: nothing is imputed.")
