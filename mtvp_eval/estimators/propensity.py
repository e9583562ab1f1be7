"""Logit of belonging to the treated cohort rather than to its comparison, and the odds weights from it."""

from __future__ import annotations

from collections.abc import Sequence
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
    other comparison units can begin from it. Chances and odds of units outside the fit are left as they come.
    """

    coefficients: FloatArray
    chance: FloatArray
    inverse_hessian: FloatArray
    odds: FloatArray


def odds_weights(
    x: FloatArray,
    treated: BoolArray,
    w: FloatArray,
    start: FloatArray | None = None,
    parts: Sequence[slice] = (slice(None),),
) -> OddsWeights:
    r"""Fit :math:`p = \Lambda(x'\gamma)` by Newton steps and return :math:`r = w p/(1-p)` for comparison units.

    Parameters
    ----------
    x : (p, N) a row a covariate, the constant first.
    treated : (N,).
    w : (N,) positive weights.
    start : (p,) coefficients of a fit with nearly the same units, to begin from.
    parts : stretches of units that the fit uses, one after the other, each small enough for the cache; all at once
        where not given.

    Raises
    ------
    EstimationError
        If covariates (nearly) separate the two groups, or are collinear.

    Source: Sant'Anna & Zhao (2020), section 3.1; comparison units with p >= 0.995 get weight zero, as in DRDID.

    Example
    -------
    >>> fit = odds_weights(np.ones((1, 4)), np.array([True, False, False, False]), np.ones(4))
    >>> fit.chance.round(6).tolist(), fit.odds.round(6).tolist()
    ([0.25, 0.25, 0.25, 0.25], [0.0, 0.333333, 0.333333, 0.333333])
    """
    goal = np.asarray(sum(x[:, part] @ (w[part] * treated[part]) for part in parts))
    level = np.zeros(len(x))
    level[0] = np.log(goal[0] / (float(sum(w[part].sum() for part in parts)) - goal[0]))
    for first in (start, None):
        found = _newton(x, goal, w, level if first is None else level + first, parts)
        if found is not None:
            break
    else:
        raise EstimationError("covariates separate the cohort from its comparison (or are collinear)")
    chance, odds = np.empty(len(w)), np.empty(len(w))
    largest, heaviest, hessian = 0.0, 0.0, np.zeros((len(x), len(x)))
    for part in parts:
        p = chance[part] = _chance(found @ x[:, part])
        highest = float(p.max())
        largest, fitted, left = max(largest, highest), w[part] * p, 1 - p
        hessian += _gram(x[:, part], fitted * left)
        if highest >= _TRIM:
            fitted[p >= _TRIM] = 0.0
        fitted *= ~treated[part]
        odds[part] = np.divide(fitted, left, out=fitted, where=fitted > 0)
        heaviest = max(heaviest, float(fitted.max()))
    if largest >= LARGEST_TRUSTED:
        raise EstimationError(
            f"covariates nearly separate the cohort from its comparison (fitted chance {largest:.4f})"
        )
    if not heaviest:
        raise EstimationError("no comparison unit resembles the cohort")
    return OddsWeights(found - level, chance, np.asarray(np.linalg.inv(hessian), dtype=np.float64), odds)


def _chance(linear: FloatArray) -> FloatArray:
    """Return the logistic of a linear index, in its place."""
    p = np.negative(linear, out=linear)
    np.exp(p, out=p)
    p += 1
    return np.asarray(np.reciprocal(p, out=p), dtype=np.float64)


def _gram(x: FloatArray, weight: FloatArray) -> FloatArray:
    """Return x diag(weight) x' (p, p) of ``x`` (p, N): matrix by vector, twice as quick here as matrix by matrix."""
    gram = np.empty((len(x), len(x)))
    gram[0] = gram[:, 0] = x @ weight  # the constant
    for j in range(1, len(x)):
        gram[j, j:] = gram[j:, j] = x[j:] @ (x[j] * weight)
    return gram


def _newton(
    x: FloatArray, goal: FloatArray, w: FloatArray, gamma: FloatArray, parts: Sequence[slice]
) -> FloatArray | None:
    """Return the coefficients, from ``gamma`` (p,) on, or None if the steps do not settle."""
    from scipy.linalg.lapack import dposv

    largest = max(max(float(x[:, part].max()), -float(x[:, part].min())) for part in parts)
    for _ in range(_STEPS):
        gradient, hessian = goal, np.zeros((len(x), len(x)))
        far = float(np.abs(gamma).sum()) * largest > 30
        for part in parts:
            own = x[:, part]
            linear = gamma @ own
            if far and float(np.abs(linear).max()) > 30:
                return None
            p = _chance(linear)
            fitted = w[part] * p
            gradient = gradient - own @ fitted
            p -= 1
            fitted *= p
            hessian = hessian - _gram(own, fitted)
        _, step, singular = dposv(hessian, gradient)
        if singular:
            return None
        gamma = gamma + step
        # Newton's error is squared by the last step: 1e-7 leaves 1e-14.
        if float(np.abs(step).max()) < 1e-7 * (1 + float(np.abs(gamma).max())):
            return gamma
    return None
