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
    columns = np.ascontiguousarray(X.T)  # long rows: a covariate is one stretch of memory
    for first in (start, None):
        coefficients = _newton(columns, treated, w, first)
        if coefficients is not None:
            break
    else:
        raise EstimationError("covariates separate the cohort from its comparison (or are collinear)")
    p = _chance(coefficients @ columns)
    largest = float(p.max())
    if largest >= LARGEST_TRUSTED:
        raise EstimationError(
            f"covariates nearly separate the cohort from its comparison (fitted chance {largest:.4f})"
        )
    hessian = (columns * (w * p * (1 - p))) @ columns.T
    odds = np.where(treated | (p >= _TRIM), 0.0, w * p / (1 - p))
    if not odds.any():
        raise EstimationError("no comparison unit resembles the cohort")
    inverse = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
    return OddsWeights(coefficients, p, inverse, odds)


def _chance(linear: FloatArray) -> FloatArray:
    p = np.exp(-linear)
    p += 1
    return np.asarray(np.reciprocal(p, out=p), dtype=np.float64)


def _newton(columns: FloatArray, treated: BoolArray, w: FloatArray, start: FloatArray | None) -> FloatArray | None:
    """Return the coefficients, or None if the steps do not settle; ``columns`` (p, N) are the covariates."""
    if start is None:
        start = np.zeros(len(columns))
        share = w[treated].sum() / w.sum()
        start[0] = np.log(share / (1 - share))
    gamma = start
    goal = columns @ (w * treated)
    for _ in range(_STEPS):
        linear = gamma @ columns
        if max(float(linear.max()), -float(linear.min())) > 30:
            return None
        p = _chance(linear)
        fitted = w * p
        gradient = goal - columns @ fitted
        fitted *= 1 - p
        try:
            step = np.linalg.solve((columns * fitted) @ columns.T, gradient)
        except np.linalg.LinAlgError:
            return None
        gamma = gamma + step
        # Newton's error is squared by the last step: 1e-8 leaves 1e-16.
        if float(np.abs(step).max()) < 1e-8 * (1 + float(np.abs(gamma).max())):
            return gamma
    return None
