"""Sun & Abraham (2021): a saturated event study against the never-enrolled, or the last cohort to enroll."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Cell, Comparison, StaggeredDesign, cell_array
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.aggregation import cell_weights
from mtvp_eval.estimators.cohort_moments import CohortInfluence, CohortMoments
from mtvp_eval.estimators.results import EffectEstimates, EffectKey, passed_on
from mtvp_eval.estimators.sample import Sample, read_sample
from mtvp_eval.estimators.saturated import cell_reasons, saturated_cells


def sun_abraham(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
    estimands: Sequence[Estimand] = (),
) -> EffectEstimates:
    r"""Estimate the interaction-weighted event study cell by cell.

    .. math:: Y_{it} = \alpha_i + \lambda_t + \sum_{g \ne C} \sum_{t \ne b_g} \delta_{gt} 1\{G_i = g\} + e_{it}, \qquad
              \hat\delta_{gt} = (\bar Y_{gt} - \bar Y_{g b_g}) - (\bar Y_{Ct} - \bar Y_{C b_g})

    (the closed form holds without gaps and covariates). C are the never-enrolled; where everybody enrolls, the last
    cohort, and periods from its entry on leave the sample. :math:`b_g = g - 1 - \delta`. Averages hold cohort shares
    fixed, as the original does.

    Parameters
    ----------
    panel : outcomes (n, T); any pattern of missing rows.
    design : cohorts; units not yet enrolled are never used as comparison, whatever its comparison says.
    outcome : name in the panel.
    covariates : names of baseline values, each with its own slope a period; or of outcomes that change over time,
        each with one slope.
    weighting : practice, or patient (weighted least squares with ``design.size``).
    estimands : averages of the cells asked for in their place; saves making influence values for every cell.

    Returns
    -------
    EffectEstimates
        att_gt entries, leads included, conditional on the cohorts. Without clusters hc2, which without gaps and
        covariates is Neyman's variance; with clusters cr1. ``with_correction("fixest")`` gives fixest's factor.

    Raises
    ------
    EstimationError
        If a cell cannot be told apart from unit and period effects, or covariates are missing or constant.

    Source: Sun & Abraham (2021), eq. 26-27 and definition 4.

    Example
    -------
    >>> import numpy as np
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> effects = sun_abraham(panel, StaggeredDesign.from_panel(panel), "y")
    >>> [(k.event_time, abs(round(float(v), 9))) for k, v in zip(effects.index, effects.estimate)]
    [(-2, 0.0), (0, 3.5)]
    """
    last, weighting = against_last(design), Weighting(weighting)
    cells = last.identified_cells(BasePeriod.UNIVERSAL)
    if cells and not covariates:
        sample = read_sample(panel, last, outcome, by_size=weighting == Weighting.PATIENT)
        if sample.observed[:, last.usable].all():
            return _from_means(sample, outcome, cells, weighting, estimands)
    return saturated_cells(
        panel, last, outcome, cells, covariates=covariates, weighting=weighting, interact=False,
        method="Sun-Abraham", estimands=estimands,
    )  # fmt: skip


def _from_means(
    sample: Sample, outcome: str, cells: Sequence[Cell], weighting: Weighting, estimands: Sequence[Estimand]
) -> EffectEstimates:
    """Return the regression without gaps and covariates in closed form: it fits every cohort's mean path exactly."""
    design = sample.design
    G, usable = len(design.cohorts), int(design.usable.sum())
    moments = CohortMoments.of(sample.y[:, :usable], sample.w, design.cohort_index)
    weights = cell_weights(outcome, cells, {weighting}, estimands) if estimands else np.eye(len(cells))
    g, t = cell_array(cells).T
    a = np.zeros((len(weights), G, usable))  # weights on cohort means
    a[:, np.searchsorted(design.cohorts, g), np.searchsorted(design.clock, t)] = weights
    enrolled = np.arange(G - 1)
    base = design.base_places([(j, j) for j in design.cohorts[:-1].tolist()], BasePeriod.UNIVERSAL)
    a[:, enrolled, base] = -a[:, :-1].sum(axis=2)  # no cell is its own base
    a[:, -1] = -a[:, :-1].sum(axis=1)
    psi = CohortInfluence(moments, a, np.zeros((len(weights), G)))
    reasons = cell_reasons(sample, cells, (score for _, _, score in moments.scores(64)))
    return EffectEstimates(
        tuple(EffectKey.of(e, outcome) for e in estimands or [cell_effect(cell, weighting) for cell in cells]),
        moments.estimates(a), design.unit_ids, psi, design.cohort_index, sample.cluster,
        sampling="conditional", correction="hc2" if sample.cluster is None else "cr1", method="Sun-Abraham",
        no_error=passed_on(reasons, weights != 0), notes=sample.notes(),
        regression=(moments.y.size, len(cells) + usable),
    )  # fmt: skip


def against_last(design: StaggeredDesign) -> StaggeredDesign:
    """Return the design that compares with its control-only cohort: the never-enrolled, or the last to enroll."""
    return design.against(Comparison.NEVER_ENROLLED)
