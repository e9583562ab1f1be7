"""Two-way fixed effects, static and event study: what was long reported, shown beside methods that do not mix cohorts.

With staggered entry and effects that differ, enrolled cohorts serve as comparison for later ones and the coefficient is
no mean of effects (Goodman-Bacon 2021). It is here to be seen, not to be believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.engine import cohort_means, influence_of, linearised
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import Sample, read_sample


@dataclass(frozen=True, slots=True)
class TwoWayFit:
    """Hold coefficients (K,), weights on cohort means (K, G, T) and fitted paths up to the unit's level (G, T)."""

    coefficient: FloatArray
    weights: FloatArray
    path: FloatArray


def twfe_static(
    panel: Panel, design: StaggeredDesign, outcome: str, weighting: Weighting = Weighting.PRACTICE
) -> EffectEstimates:
    r"""Regress the outcome on being enrolled, with unit and period effects.

    .. math:: Y_{it} = \alpha_i + \lambda_t + \beta D_{it} + \varepsilon_{it}

    CR1 by unit or cluster with factor (N - 1)/(N - K), K = 1 + periods. The whole window is used.

    Raises
    ------
    EstimationError
        If outcomes are missing.

    Source: Goodman-Bacon (2021), eq. 2; small-sample factor as R fixest (unit effects nested in clusters).

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> twfe_static(panel, StaggeredDesign.from_panel(panel), "y").estimate.round(6).tolist()
    [3.5]
    """
    enrolled = (design.clock[None, :] >= design.cohorts[:, None]).astype(np.float64)
    keys = (EffectKey(outcome, "twfe", Weighting(weighting)),)
    return _fit(panel, design, keys, enrolled[None])


def twfe_event_study(
    panel: Panel, design: StaggeredDesign, outcome: str, weighting: Weighting = Weighting.PRACTICE
) -> EffectEstimates:
    r"""Regress the outcome on event-time indicators, with unit and period effects; event time -1 is the reference.

    .. math:: Y_{it} = \alpha_i + \lambda_t + \sum_{e \ne -1} \beta_e 1\{t - G_i = e\} + \varepsilon_{it}

    Where everybody enrolls a second reference is needed: the earliest event time. Errors as in ``twfe_static``.

    Raises
    ------
    EstimationError
        If outcomes are missing.

    Source: Sun & Abraham (2021), eq. 3, where its contamination across event times is shown; factor as R fixest.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> twfe_event_study(panel, StaggeredDesign.from_panel(panel), "y").estimate.round(6).tolist()
    [0.0, 3.5]
    """
    times = _event_times(design)
    never = design.cohorts == NEVER
    relative = np.where(never[:, None], NEVER, design.clock[None, :] - np.where(never, 0, design.cohorts)[:, None])
    dummies = (relative[None] == times[:, None, None]).astype(np.float64)
    keys = tuple(EffectKey(outcome, "twfe_event_study", Weighting(weighting), event_time=int(e)) for e in times)
    return _fit(panel, design, keys, dummies)


def two_way_fit(mean: FloatArray, size: FloatArray, x: FloatArray) -> TwoWayFit:
    """Regress cohort means on K regressors constant within cohort and period; unit and period effects projected out.

    Parameters
    ----------
    mean : (G, T) weighted mean paths.
    size : (G,) units or weights.
    x : (K, G, T).

    Example
    -------
    >>> mean, x = np.array([[0.0, 3.0], [0.0, 1.0]]), np.array([[[0.0, 1.0], [0.0, 0.0]]])
    >>> two_way_fit(mean, np.ones(2), x).coefficient.round(6).tolist()
    [2.0]
    """
    G, T = mean.shape
    periods = np.broadcast_to(np.eye(T)[:, 1:], (G, T, T - 1))
    Z = np.concatenate([periods, x.transpose(1, 2, 0)], axis=2)
    Z = Z - Z.mean(axis=1, keepdims=True)
    inverse = np.linalg.inv(np.einsum("g,gtp,gtq->pq", size, Z, Z))
    weights = np.einsum("g,gtp,pk->kgt", size, Z, inverse[:, T - 1 :])
    beta = inverse @ np.einsum("g,gtp,gt->p", size, Z, mean)
    return TwoWayFit(beta[T - 1 :], weights, Z @ beta)


def _fit(panel: Panel, design: StaggeredDesign, keys: tuple[EffectKey, ...], x: FloatArray) -> EffectEstimates:
    sample = read_sample(panel, design, keys[0].outcome, by_size=keys[0].weighting == Weighting.PATIENT)
    _refuse(sample)
    mean = cohort_means(sample.y, sample.w, design.cohort_index)
    fit = two_way_fit(mean, np.bincount(design.cohort_index, sample.w).astype(np.float64), x)
    u = linearised(sample.y, sample.w, design.cohort_index, fit.path)
    N, K = sample.y.size, len(keys) + len(design.clock)
    return EffectEstimates(
        keys, fit.coefficient, design.unit_ids, influence_of(u, design.cohort_index, fit.weights, design.n_units),
        design.cohort_index, sample.cluster, correction="cr1", method="Two-way fixed effects",
        factor=(N - 1) / (N - K), notes=(*sample.notes(), "Mixes cohorts where effects differ: shown for comparison."),
    )  # fmt: skip


def _event_times(design: StaggeredDesign) -> IntArray:
    entered = design.cohorts[design.cohorts != NEVER]
    times = np.unique(design.clock[None, :] - entered[:, None])
    return times[times != -1] if len(entered) < len(design.cohorts) else times[1:][times[1:] != -1]


def _refuse(sample: Sample) -> None:
    gaps = int((~sample.observed.all(axis=1)).sum())
    if gaps:
        raise EstimationError(
            f"{gaps} of {len(sample.y)} units have missing periods; the closed form needs a balanced panel. "
            "Restrict the panel to complete units."
        )
