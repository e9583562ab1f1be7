"""Partial pooling of a few independent effects: between-effect variance, mean, and shrunken effects.

Source: Paule & Mandel (1982), J. Res. Natl. Bur. Stand. 87; Hartung & Knapp (2001), Stat. Med. 20; shrinkage as in
Morris (1983), JASA 78.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, frozen
from mtvp_eval.errors import EstimationError


@dataclass(frozen=True, slots=True)
class PartialPooling:
    """Mean of k effects with its interval, the variance between them, and each effect drawn towards the mean.

    `shrunken` (k,) and `shrunken_error` (k,) include the uncertainty of the mean. `prediction` is the interval for a
    new effect, None for fewer than three.
    """

    mean: float
    mean_error: float
    low: float
    high: float
    between_variance: float
    shrunken: FloatArray
    shrunken_error: FloatArray
    prediction: tuple[float, float] | None


def partial_pooling(estimate: FloatArray, std_error: FloatArray, level: float = 0.95) -> PartialPooling:
    r"""Pool k independent effects that differ by chance and by nature.

    .. math:: \hat\theta_j \sim N(\theta_j, s_j^2), \quad \theta_j \sim N(\mu, \tau^2), \qquad
              \sum_j (\hat\theta_j - \hat\mu)^2 / (s_j^2 + \hat\tau^2) = k - 1

    The interval of the mean is Hartung and Knapp's (t with k - 1 degrees of freedom), never narrower than without it.

    Parameters
    ----------
    estimate, std_error : (k,) effects and their standard errors.
    level : of the intervals.

    Raises
    ------
    EstimationError
        If fewer than two effects are given or a standard error is not positive.

    Example
    -------
    >>> pooled = partial_pooling(np.array([-0.02, -0.02, -0.02]), np.array([0.01, 0.02, 0.03]))
    >>> round(pooled.mean, 3), pooled.between_variance, pooled.shrunken.round(3).tolist()
    (-0.02, 0.0, [-0.02, -0.02, -0.02])
    """
    from scipy.special import stdtrit

    theta, s2 = np.asarray(estimate, dtype=np.float64), np.asarray(std_error, dtype=np.float64) ** 2
    k = len(theta)
    if k < 2 or not bool(np.all(np.isfinite(s2) & (s2 > 0))):
        raise EstimationError(f"{k} effects with positive standard errors cannot be pooled; at least two are needed.")
    tau2 = _between_variance(theta, s2)
    w = 1 / (s2 + tau2)
    mean = float((w * theta).sum() / w.sum())
    ratio = float((w * (theta - mean) ** 2).sum() / (k - 1))
    error = float(np.sqrt(max(ratio, 1.0) / w.sum()))
    critical = float(stdtrit(k - 1, 0.5 + level / 2))
    keep = tau2 / (tau2 + s2)
    prediction = None
    if k >= 3:
        half = float(stdtrit(k - 2, 0.5 + level / 2)) * float(np.sqrt(tau2 + error**2))
        prediction = (mean - half, mean + half)
    return PartialPooling(
        mean,
        error,
        mean - critical * error,
        mean + critical * error,
        tau2,
        frozen(keep * theta + (1 - keep) * mean),
        frozen(np.sqrt(keep * s2 + (1 - keep) ** 2 * error**2)),
        prediction,
    )


def _between_variance(theta: FloatArray, s2: FloatArray) -> float:
    """Solve Paule and Mandel's equation; zero where the effects differ no more than their errors say."""

    def excess(tau2: float) -> float:
        w = 1 / (s2 + tau2)
        return float((w * (theta - (w * theta).sum() / w.sum()) ** 2).sum()) - (len(theta) - 1)

    if excess(0.0) <= 0:
        return 0.0
    low, high = 0.0, float(np.var(theta)) + float(s2.max())
    while excess(high) > 0:
        high *= 2
    for _ in range(100):  # halving a bracket: to the last digit, whatever the scale
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2
