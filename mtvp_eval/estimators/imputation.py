"""Borusyak, Jaravel & Spiess (2024): impute untreated outcomes from untreated cells, then average the differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import NotIdentifiedError
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.engine import cohort_means, influence_of, linearised
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import read_sample
from mtvp_eval.estimators.staircase import staircase


def imputation(panel: Panel, design: StaggeredDesign, outcome: str, estimands: Sequence[Estimand]) -> EffectEstimates:
    r"""Estimate effects from entry on as outcomes less their imputed untreated values.

    .. math:: \hat\tau_{it} = Y_{it} - \hat\alpha_i - \hat\lambda_t, \qquad \theta = \sum h_{gt} \bar\tau_{gt}
    .. math:: \psi_i = \frac{n w_i}{W_g} a_g'(Y_i - f_g)

    with f the fitted path of untreated periods and, in treated ones, the cohort's own mean: the conservative variance
    with effects averaged over cohort and event time. Reported with the HC2 factor by cohort; the original has none.

    Parameters
    ----------
    panel : outcomes observed throughout.
    design : cohorts; all untreated cells of the window enter the first stage.
    outcome : name in the panel.
    estimands : estimands of one weighting on cells at or after entry.

    Raises
    ------
    EstimationError
        If outcomes are missing, or estimands differ in weighting.
    NotIdentifiedError
        If an estimand holds cells before entry, or periods in which nobody is untreated.

    Source: Borusyak, Jaravel & Spiess (2024), theorem 1, eq. 8 and 10.

    Example
    -------
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> design = StaggeredDesign.from_panel(panel)
    >>> imputation(panel, design, "y", [overall(design)]).estimate.round(6).tolist()
    [3.5]
    """
    early = sum(t < g - design.anticipation for e in estimands for g, t in e.cells)
    if early:
        raise NotIdentifiedError(
            f"{early} cells lie before entry: imputation fits those periods and cannot test them. "
            "Use the placebo leads of callaway_santanna."
        )
    sample = read_sample(panel, design, outcome, by_size=estimands[0].weighting == Weighting.PATIENT)
    first = staircase(sample, estimands)
    y, w, cohort = np.where(design.usable, sample.y, 0.0), sample.w, design.cohort_index
    # effects are centred at means weighted by the squares of the weights, as their variance is
    squared = cohort_means(y, w**2, cohort)
    level = ((squared - first.period_effect) * first.untreated).sum(axis=1) / first.untreated.sum(axis=1)
    centre = np.where(first.untreated > 0, first.period_effect + level[:, None], squared)
    estimate = np.einsum("kgt,gt->k", first.weights, cohort_means(y, w, cohort))
    influence = influence_of(linearised(y, w, cohort, centre), cohort, first.weights, design.n_units)
    return EffectEstimates(
        tuple(EffectKey.of(e, outcome) for e in estimands), estimate, design.unit_ids, influence, cohort,
        sample.cluster, correction="hc2" if sample.cluster is None else "cr1", method="Borusyak-Jaravel-Spiess",
        no_error=tuple(alone(design, e) for e in estimands), notes=sample.notes(),
    )  # fmt: skip


def alone(design: StaggeredDesign, estimand: Estimand) -> str | None:
    """Return why an estimand has no standard error: a cohort of one unit has no spread of its own.

    Example
    -------
    >>> from mtvp_eval.estimands.att import cell_effect
    >>> design = StaggeredDesign(np.array(["a", "b"], dtype=object), np.array([3, 9]), np.array([1, 2, 3]))
    >>> alone(design, cell_effect((3, 3), Weighting.PRACTICE))
    'cohort of one unit: its spread cannot be seen'
    """
    size = design.cohort_size[np.searchsorted(design.cohorts, [g for g, _ in estimand.cells])]
    return "cohort of one unit: its spread cannot be seen" if (size == 1).any() else None
