"""Gardner (2022): two-stage difference-in-differences, with the first stage's error carried to the second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.engine import cohort_means
from mtvp_eval.estimators.imputation import alone
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import read_sample
from mtvp_eval.estimators.staircase import staircase


def two_stage(panel: Panel, design: StaggeredDesign, outcome: str, estimands: Sequence[Estimand]) -> EffectEstimates:
    r"""Regress outcomes less their first-stage fit on the estimands' cells.

    .. math:: \psi_i = \frac{n w_i}{W_g} \big( a_g'(Y_i - \hat\lambda) - H_g \hat\theta \big)

    Estimates are those of ``imputation``; errors differ only in that second-stage residuals are centred at the estimate
    and not at each cohort's own mean. Leads average first-stage residuals of earlier periods. Reported with the HC2
    factor by cohort; the original has none.

    Parameters
    ----------
    panel : outcomes observed throughout.
    design : cohorts; all untreated cells of the window enter the first stage.
    outcome : name in the panel.
    estimands : estimands of one weighting; leads from ``event_study`` with the universal base.

    Raises
    ------
    EstimationError
        If outcomes are missing, or estimands differ in weighting.
    NotIdentifiedError
        If an estimand holds periods in which nobody is untreated.

    Source: Gardner (2022), arXiv:2207.05943, theorem 1 and section 3.3 (GMM variance).

    Example
    -------
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> design = StaggeredDesign.from_panel(panel)
    >>> two_stage(panel, design, "y", [overall(design)]).estimate.round(6).tolist()
    [3.5]
    """
    sample = read_sample(panel, design, outcome, by_size=estimands[0].weighting == Weighting.PATIENT)
    first = staircase(sample, estimands)
    y, w, cohort = np.where(design.usable, sample.y, 0.0), sample.w, design.cohort_index
    estimate = np.einsum("kgt,gt->k", first.weights, cohort_means(y, w, cohort))
    mean_part = first.target.sum(axis=2) * estimate[:, None]  # (K, G)
    scale = design.n_units * w / np.bincount(cohort, w)[cohort]
    influence = np.empty((design.n_units, len(estimands)))
    for g in range(len(design.cohorts)):
        rows = cohort == g
        moved = (y[rows] - first.period_effect * design.usable) @ first.weights[:, g].T
        influence[rows] = scale[rows, None] * (moved - mean_part[:, g])
    return EffectEstimates(
        tuple(EffectKey.of(e, outcome) for e in estimands), estimate, design.unit_ids, influence, cohort,
        sample.cluster, correction="hc2" if sample.cluster is None else "cr1", method="Gardner two-stage",
        no_error=tuple(alone(design, e) for e in estimands), notes=sample.notes(),
    )  # fmt: skip
