r"""Synthetic difference-in-differences: weights of units and of periods that make trends parallel before the start.

Source: Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111, eq. 4-7 and algorithm 1.
"""

from __future__ import annotations

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.simplex import simplex_least_squares
from mtvp_eval.estimators.synthetic_cohorts import SyntheticResult, estimate_synthetic


def synthetic_did(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    rng: np.random.Generator,
    placebos: int = 200,
    weighting: Weighting = Weighting.PRACTICE,
) -> SyntheticResult:
    r"""Estimate the effect on a project of few units by synthetic difference-in-differences.

    .. math:: \hat\tau_t = \bar Y_{g,t} - \sum_j \omega_j Y_{jt}
        - \sum_{s < g} \lambda_s \Big( \bar Y_{g,s} - \sum_j \omega_j Y_{js} \Big)

    with :math:`\omega, \lambda` of ``did_weights``, for each cohort apart; cohorts are averaged by treated units. There
    is no standard error with one treated unit; with several, that of the placebos (their algorithm 4), which assumes
    that units differ alike. Parameters, result and errors are those of ``synthetic_control``.

    Example
    -------
    >>> y = np.array([[5.0, 6, 7, 5, 6, 9], [2, 3, 4, 2, 3, 4], [4, 5, 6, 4, 5, 6], [0, 9, 0, 9, 0, 9]])
    >>> panel = Panel(np.array(list("abcd"), dtype=object), tuple("123456"), np.arange(1, 7), {"y": y},
    ...     entry=np.array([6, 99, 99, 99]))
    >>> found = synthetic_did(panel, StaggeredDesign.from_panel(panel), "y", rng=np.random.default_rng(1))
    >>> bool(1 < found.effects.estimate[0] < 3), found.effects.std_error().tolist()
    (True, [nan, nan])
    """
    return estimate_synthetic(
        panel, design, outcome, did_weights, "Synthetic difference-in-differences", weighting=weighting,
        placebos=placebos, rng=rng,
    )  # fmt: skip


def did_weights(treated: FloatArray, donors: FloatArray, pre: int, n_treated: int) -> tuple[FloatArray, FloatArray]:
    r"""Return the weights of the donors (N,) and of the pre-periods (pre,).

    .. math:: \omega = \arg\min_{\omega_0, \omega} \sum_{t<g} \Big( \omega_0 + \sum_j \omega_j Y_{jt} - Y_{1t} \Big)^2
        + \zeta^2 T_0 \|\omega\|^2, \qquad \zeta = (N_1 T_1)^{1/4} \hat\sigma

    on the simplex, with :math:`\hat\sigma` the standard deviation of the donors' first differences before entry; the
    weights of periods likewise bring the donors' pre-periods to their mean after, with
    :math:`\zeta = 10^{-6}\hat\sigma`.

    Parameters
    ----------
    treated : (T,) mean path of the cohort.
    donors : (N, T).
    pre : number of pre-periods, the first of the T.
    n_treated : treated units, N_1.

    Raises
    ------
    EstimationError
        If the donors' outcomes do not move before entry, so that the regularisation has no scale.

    Example
    -------
    >>> donors = np.array([[1.0, 2, 3, 4], [2, 2, 2, 2], [0, 1, 0, 1]])
    >>> omega, lam = did_weights(np.array([1.5, 2, 2.5, 3]), donors, 3, 1)
    >>> round(float(omega.sum()), 12), round(float(lam.sum()), 12)
    (1.0, 1.0)
    """
    before = donors[:, :pre]
    sigma = float(np.diff(before, axis=1).std(ddof=1))
    if sigma <= 1e-12 * float(np.abs(before).max()):
        raise EstimationError("The donors' outcomes do not move before entry: their weights have no scale.")
    zeta = (n_treated * (donors.shape[1] - pre)) ** 0.25 * sigma
    # an intercept is profiled out by subtracting means over the rows
    omega = simplex_least_squares(
        (before - before.mean(axis=1, keepdims=True)).T, treated[:pre] - treated[:pre].mean(), pre * zeta**2
    )  # fmt: skip
    after = donors[:, pre:].mean(axis=1)
    lam = simplex_least_squares(before - before.mean(axis=0), after - after.mean(), len(donors) * (1e-6 * sigma) ** 2)
    return omega, lam
