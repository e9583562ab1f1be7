"""Doubly robust difference-in-differences from rows of two periods, units seen in one or both (repeated sections)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.doubly_robust import gram_inverse
from mtvp_eval.estimators.propensity import odds_weights


@dataclass(frozen=True, slots=True)
class SectionEffect:
    """Hold the effect, each row's share in it, psi / rows, (N,), and of that what the earlier regressions add (N,)."""

    effect: float
    influence: FloatArray
    earlier: FloatArray


def section_effect(y: FloatArray, X: FloatArray, w: FloatArray, treated: BoolArray, later: BoolArray) -> SectionEffect:
    r"""Compare treated and comparison rows of a later and an earlier period, doubly robust and locally efficient.

    With :math:`\mu_{d,t}(x)` the four regressions, r the odds weights, and means weighted by w:

    .. math:: ATT = \sum_{t} (-1)^{1-t} \Big\{ E_{D,t}[Y - \mu_{0,t}] - E_{r,t}[Y - \mu_{0,t}]
              + E_D[\mu_{1,t} - \mu_{0,t}] - E_{D,t}[\mu_{1,t} - \mu_{0,t}] \Big\}

    The influence function is the sum of those of its parts: weighted means, regressions and logit. In DRDID 1.2.3 the
    earlier regressions enter the first two parts with the wrong sign (methodology register).

    Parameters
    ----------
    y, w : (N,) outcome and positive weight of each row.
    X : (N, p) covariates including the constant.
    treated, later : (N,) group and period of each row.

    Raises
    ------
    EstimationError
        If a group has no row in a period, or covariates separate the groups or are collinear.

    Source: Sant'Anna & Zhao (2020), eq. 3.4 and section 3.2 (repeated cross sections).

    Example
    -------
    >>> y, one = np.array([1.0, 5.0, 2.0, 3.0]), np.ones((4, 1))
    >>> treated, later = np.array([True, True, False, False]), np.array([False, True, False, True])
    >>> section_effect(y, one, np.ones(4), treated, later).effect
    3.0
    """
    for group in (treated, ~treated):
        for period in (later, ~later):
            if not (group & period).any():
                raise EstimationError("a group has no observed row in one of the two periods")
    fit = odds_weights(np.ascontiguousarray(X.T), treated, w)
    ps_rows = (X * (w * (treated - fit.chance))[:, None]) @ fit.inverse_hessian
    effect, influence, earlier = 0.0, np.zeros(len(y)), np.zeros(len(y))
    for period, sign in ((later, 1.0), (~later, -1.0)):
        mu0, rows0 = _regression(y, X, w * (period & ~treated))
        mu1, rows1 = _regression(y, X, w * (period & treated))
        own, all_treated, odds = w * (treated & period), w * treated, fit.odds * period
        gain, other = mu1 - mu0, y - mu0
        parts = [_mean(other, own), _mean(other, odds), _mean(gain, all_treated), _mean(gain, own)]
        for (value, share), s in zip(parts, (1.0, -1.0, 1.0, -1.0), strict=True):
            effect += sign * s * value
            influence += sign * s * share
        x_own, x_odds, x_all = (v @ X / v.sum() for v in (own, odds, all_treated))
        from_mu0 = rows0 @ (x_odds - x_own)
        slope = (odds * (other - parts[1][0])) @ X / odds.sum()
        influence += sign * (from_mu0 + (rows1 - rows0) @ (x_all - x_own) - ps_rows @ slope)
        if sign < 0:
            earlier = -from_mu0
    return SectionEffect(effect, influence, earlier)


def _mean(value: FloatArray, weight: FloatArray) -> tuple[float, FloatArray]:
    """Return a weighted mean and each row's share in it."""
    mean = float(weight @ value / weight.sum())
    return mean, weight * (value - mean) / weight.sum()


def _regression(y: FloatArray, X: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return fitted values (N,) for all rows and each row's share in the coefficients (N, p)."""
    inverse = gram_inverse((X * weight[:, None]).T @ X)
    beta = inverse @ (X.T @ (weight * y))
    return X @ beta, (X * (weight * (y - X @ beta))[:, None]) @ inverse
