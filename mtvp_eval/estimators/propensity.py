"""Logit of belonging to the treated cohort rather than to its comparison, and the odds weights from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.errors import EstimationError

LARGEST_TRUSTED = 0.999
"""A fitted chance from here on means that covariates tell treated and comparison units apart."""
_TRIM = 0.995
_STEPS = 50


@dataclass(frozen=True, slots=True)
class OddsWeights:
    """Hold coefficients (p,), fitted chances (N,), inverse Hessian (p, p) and odds weights (N,) of comparison units."""

    coefficients: FloatArray
    chance: FloatArray
    inverse_hessian: FloatArray
    odds: FloatArray


def odds_weights(X: FloatArray, treated: BoolArray, w: FloatArray, start: FloatArray | None = None) -> OddsWeights:
    r"""Fit :math:`p = \Lambda(x'\gamma)` by Newton steps and return :math:`r = w p/(1-p)` for comparison units.

    Parameters
    ----------
    X : (N, p) including the constant.
    treated : (N,).
    w : (N,) positive weights.
    start : (p,) coefficients of a neighbouring fit, to begin from.

    Raises
    ------
    EstimationError
        If covariates (nearly) separate the two groups, or are collinear.

    Source: Sant'Anna & Zhao (2020), section 3.1; comparison units with p >= 0.995 get weight zero, as in DRDID.

    Example
    -------
    >>> fit = odds_weights(np.ones((4, 1)), np.array([True, False, False, False]), np.ones(4))
    >>> fit.chance.round(6).tolist(), fit.odds.round(6).tolist()
    ([0.25, 0.25, 0.25, 0.25], [0.0, 0.333333, 0.333333, 0.333333])
    """
    for first in (start, None):
        coefficients = _newton(X, treated, w, first)
        if coefficients is not None:
            break
    else:
        raise EstimationError("covariates separate the cohort from its comparison (or are collinear)")
    p = _chance(X, coefficients)
    largest = float(p.max())
    if largest >= LARGEST_TRUSTED:
        raise EstimationError(
            f"covariates nearly separate the cohort from its comparison (fitted chance {largest:.4f})"
        )
    hessian = (X * (w * p * (1 - p))[:, None]).T @ X
    odds = np.where(treated | (p >= _TRIM), 0.0, w * p / (1 - p))
    if not odds.any():
        raise EstimationError("no comparison unit resembles the cohort")
    inverse = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
    return OddsWeights(coefficients, p, inverse, odds)


def _chance(X: FloatArray, coefficients: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-(X @ coefficients))), dtype=np.float64)


def _newton(X: FloatArray, treated: BoolArray, w: FloatArray, start: FloatArray | None) -> FloatArray | None:
    """Return the coefficients, or None if the steps do not settle."""
    if start is None:
        start = np.zeros(X.shape[1])
        share = w[treated].sum() / w.sum()
        start[0] = np.log(share / (1 - share))
    gamma = start
    for _ in range(_STEPS):
        linear = X @ gamma
        if float(np.abs(linear).max()) > 30:
            return None
        p = 1 / (1 + np.exp(-linear))
        hessian = (X * (w * p * (1 - p))[:, None]).T @ X
        try:
            step = np.linalg.solve(hessian, X.T @ (w * (treated - p)))
        except np.linalg.LinAlgError:
            return None
        gamma = gamma + step
        # Newton's error is squared by the last step: 1e-8 leaves 1e-16.
        if float(np.abs(step).max()) < 1e-8 * (1 + float(np.abs(gamma).max())):
            return gamma
    return None
