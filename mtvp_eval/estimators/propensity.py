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
    """Hold coefficients (p,), fitted chances (N,), inverse Hessian (p, p) and odds weights (N,) of comparison units.

    The intercept is counted from the log odds of the treated among all, so that a fit of the same treated units with
    other comparison units can begin from it.
    """

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
    start : (p,) coefficients of a fit with nearly the same units, to begin from.

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
    level = np.zeros(len(columns))
    inside = float(w @ treated)
    level[0] = np.log(inside / (float(w.sum()) - inside))
    for first in (start, None):
        found = _newton(columns, treated, w, level if first is None else level + first)
        if found is not None:
            break
    else:
        raise EstimationError("covariates separate the cohort from its comparison (or are collinear)")
    p = _chance(found @ columns)
    largest = float(p.max())
    if largest >= LARGEST_TRUSTED:
        raise EstimationError(
            f"covariates nearly separate the cohort from its comparison (fitted chance {largest:.4f})"
        )
    fitted = w * p
    hessian = (columns * (fitted * (1 - p))) @ columns.T
    odds = np.where(treated | (p >= _TRIM), 0.0, fitted / (1 - p))
    if not odds.any():
        raise EstimationError("no comparison unit resembles the cohort")
    inverse = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
    return OddsWeights(found - level, p, inverse, odds)


def _chance(linear: FloatArray) -> FloatArray:
    """Return the logistic of a linear index, in its place."""
    p = np.negative(linear, out=linear)
    np.exp(p, out=p)
    p += 1
    return np.asarray(np.reciprocal(p, out=p), dtype=np.float64)


def _newton(columns: FloatArray, treated: BoolArray, w: FloatArray, gamma: FloatArray) -> FloatArray | None:
    """Return the coefficients, from ``gamma`` (p,) on, or None if the steps do not settle; ``columns`` (p, N)."""
    from scipy.linalg.lapack import dposv

    goal, largest = columns @ (w * treated), np.maximum(columns.max(axis=1), -columns.min(axis=1))
    for _ in range(_STEPS):
        linear = gamma @ columns
        if np.abs(gamma) @ largest > 30 and max(float(linear.max()), -float(linear.min())) > 30:
            return None
        p = _chance(linear)
        fitted = w * p
        gradient = goal - columns @ fitted
        fitted *= 1 - p
        _, step, singular = dposv((columns * fitted) @ columns.T, gradient)
        if singular:
            return None
        gamma = gamma + step
        # Newton's error is squared by the last step: 1e-7 leaves 1e-14.
        if float(np.abs(step).max()) < 1e-7 * (1 + float(np.abs(gamma).max())):
            return gamma
    return None
