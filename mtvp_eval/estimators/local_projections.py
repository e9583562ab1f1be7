"""Local projections (Dube, Girardi, Jordà & Taylor 2025): long differences, one regression a horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.event_path import event_path
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.sample import Sample, read_sample


class CohortWeights(StrEnum):
    """Which average over cohorts a horizon gives: every enrolled unit counts once, or what least squares gives."""

    EQUAL = "equal"
    VARIANCE = "variance"


@dataclass(frozen=True, slots=True)
class Horizon:
    """Hold one horizon's effect, influence (n,), the treated and comparison units in it, and the treated weight."""

    effect: float
    influence: FloatArray
    treated: int
    against: int
    enrolled: float


def local_projections(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    covariates: Sequence[str] = (),
    weighting: Weighting = Weighting.PRACTICE,
    cohort_weights: CohortWeights = CohortWeights.EQUAL,
) -> EffectEstimates:
    r"""Regress the change from the last untouched period on enrolment, horizon by horizon.

    .. math:: Y_{i,g+h} - Y_{i,b_g} = \beta_h 1\{G_i = g\} + x_i'\gamma_{gh} + e_{igh}, \qquad b_g = g - 1 - \delta

    over, for every cohort g, its units and the units untouched in g + h and b_g (design.comparison). Least squares
    weights cohorts by :math:`S_g = \sum w \tilde D^2`; the equal version reweights rows by W_g / S_g, so that every
    enrolled unit counts once. Equal weights without covariates give the event study of Callaway-Sant'Anna with
    universal base.

    Parameters
    ----------
    panel : outcomes (n, T); a unit takes part where both periods of the change were observed.
    design : cohorts and comparison.
    outcome : name in the panel.
    covariates : names of baseline values; each gets its own slope a cohort and horizon.
    weighting : practice, or patient (weighted least squares with ``design.size``).
    cohort_weights : equal (default) or variance.

    Returns
    -------
    EffectEstimates
        event_study entries; overall, the mean of those from entry on in which every enrolled unit-period counts once;
        overall_event, their plain mean. A unit's rows are summed before squaring, as it serves in several comparisons.

    Raises
    ------
    EstimationError
        If no horizon has both treated and comparison units, or covariates leave a cohort without comparison.

    Source: Dube, Girardi, Jordà & Taylor (2025), eq. 9-10 and section 3.4 (reweighted regression).

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> effects = local_projections(panel, StaggeredDesign.from_panel(panel), "y")
    >>> [(k.event_time, float(v)) for k, v in zip(effects.index, effects.estimate)]
    [(-2, 0.0), (0, 3.5), (None, 3.5), (None, 3.5)]
    """
    weighting = Weighting(weighting)
    sample = read_sample(panel, design, outcome, covariates, by_size=weighting == Weighting.PATIENT)
    cells = design.identified_cells(BasePeriod.UNIVERSAL)
    times = sorted({t - g for g, t in cells})
    y = np.ascontiguousarray(sample.y.T)  # a period is one stretch of memory
    by_event = {e: [c for c in cells if c[1] - c[0] == e] for e in times}
    found = {e: _horizon(sample, y, own, CohortWeights(cohort_weights)) for e, own in by_event.items()}
    made = {e: h for e, h in found.items() if h is not None}
    if not any(e >= 0 for e in made):
        raise EstimationError(f"No horizon of {outcome} has treated and comparison units observed in both periods.")
    return event_path(
        sample, outcome, weighting, {e: (h.effect, h.influence) for e, h in made.items()},
        [h.treated == 1 or h.against == 1 for h in made.values()], [h.enrolled for h in made.values()],
        "Local projections",
    )  # fmt: skip


def _horizon(sample: Sample, y: FloatArray, cells: Sequence[Cell], cohort_weights: CohortWeights) -> Horizon | None:
    design, n = sample.design, sample.design.n_units
    parts, slope, level = [], 0.0, 0.0
    treated, enrolled, against = 0, 0.0, np.zeros(n, dtype=np.bool_)
    for g, t in cells:
        base = design.base_period(g, t, BasePeriod.UNIVERSAL)
        now, before = np.searchsorted(design.clock, [t, t if base is None else base])
        change = y[now] - y[before]
        own = design.entry == g
        rows = np.flatnonzero((own | design.comparison_units(g, t, BasePeriod.UNIVERSAL)) & np.isfinite(change))
        D = own[rows].astype(np.float64)
        if not 0 < D.sum() < len(rows):
            continue
        X, w = sample.X[rows], sample.w[rows]
        project = np.linalg.pinv((X * w[:, None]).T @ X) @ (X * w[:, None]).T
        rest = D - X @ (project @ D)
        S = float(w @ rest**2)
        if 1e-10 * float(w @ D) >= S:
            raise EstimationError(
                "Covariates tell a cohort and its comparison units apart without error. Use fewer covariates."
            )
        m = float(w @ D) / S if cohort_weights == CohortWeights.EQUAL else 1.0
        slope += m * float((w * rest) @ change[rows])
        level += m * S
        parts.append((rows, D, X, project, m * w * rest, change[rows]))
        treated += int(D.sum())
        enrolled += float(w @ D)
        against[rows[D == 0]] = True
    if not parts:
        return None
    beta = slope / level
    psi = np.zeros(n)
    for rows, D, X, project, weight, change in parts:
        gap = change - beta * D
        psi[rows] += n * weight * (gap - X @ (project @ gap)) / level
    return Horizon(beta, psi, treated, int(against.sum()), enrolled)
