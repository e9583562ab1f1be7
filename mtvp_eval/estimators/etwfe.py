"""Wooldridge (2021): the two-way regression extended by one indicator for every enrolled cohort and period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Cell, Comparison, StaggeredDesign
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.saturated import saturated_cells


def etwfe(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
    estimands: Sequence[Estimand] = (),
) -> EffectEstimates:
    r"""Estimate every enrolled cell by one regression with unit effects.

    .. math:: Y_{it} = \alpha_i + x_i'\lambda_t + \sum_{g}\sum_{t \in A_g} 1\{G_i = g\}
              \big(\beta_{gt} + (x_i - \bar x_g)'\gamma_{gt}\big) + e_{it}

    Not-yet-enrolled comparison: :math:`A_g = \{t \ge g - \delta\}`; all untreated rows identify the period effects, and
    beta equals the imputation estimate. Never-enrolled comparison: :math:`A_g = \{t \ne g-1-\delta\}`, which without
    covariates is Sun-Abraham. Covariates enter demeaned by cohort, so that beta is the effect at the cohort's mean.
    With unit effects instead of cohort effects the coefficients and scores are the same without gaps; with gaps unit
    effects are the safer choice. Without gaps ``with_correction("fixest")`` counts cohort effects among the parameters,
    as the original does unless it is told the units.

    Parameters
    ----------
    panel : outcomes (n, T); any pattern of missing rows.
    design : cohorts and comparison.
    outcome : name in the panel.
    covariates : names of baseline values.
    weighting : practice, or patient (weighted least squares with ``design.size``).
    estimands : averages of the cells asked for in their place; saves making influence values for every cell.

    Returns
    -------
    EffectEstimates
        att_gt entries conditional on the cohorts (leads where the never-enrolled compare). hc2 without clusters, cr1
        with; ``with_correction("fixest")`` gives fixest's factor.

    Raises
    ------
    EstimationError
        If a cell cannot be told apart from unit and period effects, or covariates are missing or constant.

    Source: Wooldridge (2021), eq. 5.3, 5.6 and 6.33; leads as in his section 7.

    Example
    -------
    >>> import numpy as np
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> effects = etwfe(panel, StaggeredDesign.from_panel(panel), "y")
    >>> [(k.event_time, round(float(v), 9)) for k, v in zip(effects.index, effects.estimate)]
    [(0, 3.5)]
    """
    cells = saturated_set(design)
    found = saturated_cells(
        panel, design, outcome, cells, covariates=covariates, weighting=weighting, interact=True,
        method="Extended two-way fixed effects", estimands=estimands,
    )  # fmt: skip
    T, G, p = int(design.usable.sum()), len(design.cohorts), len(covariates)
    rows, _ = found.regression or (0, 0)
    if rows < len(design.unit_ids) * T or any(name not in panel.baseline for name in covariates):
        return found
    return replace(found, regression=(rows, len(cells) * (1 + p) + p * (T - 1 + G) + T + G - 1))


def saturated_set(design: StaggeredDesign) -> tuple[Cell, ...]:
    """Return the cells with an indicator of their own: all but the base where the never-enrolled compare."""
    cells = design.identified_cells(BasePeriod.UNIVERSAL)
    if design.comparison == Comparison.NEVER_ENROLLED:
        return cells
    return tuple((g, t) for g, t in cells if t >= g - design.anticipation)
