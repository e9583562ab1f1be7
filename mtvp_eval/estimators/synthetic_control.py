r"""Synthetic control: a weighted mean of untouched units that followed the project before its start.

Source: Abadie, Diamond & Hainmueller (2010), Journal of the American Statistical Association 105, eq. 2 and section 2.
"""

from __future__ import annotations

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.simplex import simplex_least_squares
from mtvp_eval.estimators.synthetic_cohorts import SyntheticResult, estimate_synthetic


def synthetic_control(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    rng: np.random.Generator,
    placebos: int = 200,
    weighting: Weighting = Weighting.PRACTICE,
) -> SyntheticResult:
    r"""Estimate the effect on a project of few units against its synthetic control.

    .. math:: \hat\tau_t = Y_{1t} - \sum_j \omega_j Y_{jt}, \qquad
        \omega = \arg\min_{\omega \ge 0, \sum \omega = 1} \sum_{t < g} \Big( Y_{1t} - \sum_j \omega_j Y_{jt} \Big)^2

    The outcome in every pre-period is matched, each with the same weight. Donors are the never enrolled (where
    everybody enrolls, the last cohort before its entry). There is no standard error with one treated unit; with
    several, that of the placebos, which assumes that units differ alike.

    Parameters
    ----------
    panel : outcomes (n, T); its clock is the design's.
    design : cohorts, weights and anticipation.
    outcome : name in the panel.
    rng : draws placebo groups where the donors give more than ``placebos``.
    placebos : at most so many placebo groups.
    weighting : practice (each treated unit once) or patient (weighted by ``design.size``).

    Returns
    -------
    SyntheticResult
        overall and event-time effects, weights, ``p_value()`` and ``diagnostics()``.

    Raises
    ------
    EstimationError
        If a cohort has fewer than five pre-periods, or a treated unit lacks outcomes.
    NotIdentifiedError
        If the donors are too few.

    Example
    -------
    >>> y = np.array([[3.0, 4, 5, 3, 4, 9], [2, 3, 4, 2, 3, 4], [4, 5, 6, 4, 5, 6], [0, 9, 0, 9, 0, 9]])
    >>> panel = Panel(np.array(list("abcd"), dtype=object), tuple("123456"), np.arange(1, 7), {"y": y},
    ...     entry=np.array([6, 99, 99, 99]))
    >>> found = synthetic_control(panel, StaggeredDesign.from_panel(panel), "y", rng=np.random.default_rng(1))
    >>> found.effects.estimate.round(9).tolist(), found.fits[0].unit_weights.round(9).tolist()
    ([4.0, 4.0], [0.5, 0.5, 0.0])
    """
    return estimate_synthetic(
        panel, design, outcome, control_weights, "Synthetic control", weighting=weighting, placebos=placebos, rng=rng
    )  # fmt: skip


def control_weights(treated: FloatArray, donors: FloatArray, pre: int, n_treated: int) -> tuple[FloatArray, FloatArray]:
    """Return the weights of the donors that follow the treated path, and none of the pre-periods.

    Parameters
    ----------
    treated : (T,) mean path of the cohort.
    donors : (N, T).
    pre : number of pre-periods, the first of the T.
    n_treated : treated units; the weights do not depend on it.

    Example
    -------
    >>> control_weights(np.array([1.0, 1.0]), np.array([[0.0, 0.0], [2.0, 2.0]]), 2, 1)[0].round(9).tolist()
    [0.5, 0.5]
    """
    del n_treated
    return simplex_least_squares(donors[:, :pre].T, treated[:pre]), np.zeros(pre)
