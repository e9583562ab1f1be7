"""Two-period, two-group effects for several periods at once: regression, weighting, and both (doubly robust)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.propensity import OddsWeights, odds_weights


class Adjustment(StrEnum):
    """How covariates enter: outcome regression, inverse probability weighting, or doubly robust."""

    REG = "reg"
    IPW = "ipw"
    DR = "dr"


LEVERAGE_COUNTS_BELOW = 1_000
"""Comparison units a covariate from which leverage moves a standard error by less than 0.05 %: it is then left out."""


@dataclass(frozen=True, slots=True)
class TwoGroupEffect:
    """Hold effects (P,) and each unit's share in them, psi / n, (P, N), treated first; and the logit fitted, if any.

    `leverage` (N,) is what HC2 multiplies the shares by beyond what it does for a mean; None where that is nothing.
    """

    effect: FloatArray
    influence: FloatArray
    fit: OddsWeights | None
    leverage: FloatArray | None = None


def two_group_effect(
    change: FloatArray,
    X: FloatArray,
    w: FloatArray,
    n_treated: int,
    method: Adjustment,
    start: FloatArray | None = None,
) -> TwoGroupEffect:
    r"""Compare the changes of treated and comparison units in P period pairs that share units and covariates.

    With :math:`e_i = \Delta Y_i - x_i'\beta`, :math:`\beta = G^{-1}\sum_C w x \Delta Y`, :math:`G = \sum_C w x x'`,
    odds weights r and :math:`R = \sum_C r`:

    .. math:: ATT = \frac{\sum_g w e}{W} - \frac{\sum_C r e}{R}
    .. math:: \psi_i/n = w(e-\eta_T)/W - w(1-p)x'h \quad (i \in g), \qquad
              \psi_i/n = -r(e-\eta_C)/R - w e\,x'q + w p\,x'h \quad (i \in C)

    with :math:`h = H^{-1}\sum_C r(e-\eta_C)x/R` and :math:`q = G^{-1}(\sum_g w x/W - \sum_C r x/R)`. ``reg``
    drops r and h; ``ipw`` drops :math:`\beta` and q. Residuals of a fit are smaller than errors: the leverage of a
    comparison unit is :math:`\ell_i = w_i x_i'G^{-1}x_i`, and its share is multiplied by
    :math:`\sqrt{(1 - w_i/\sum_C w)/(1 - \ell_i)}` where HC2 is asked for.

    Parameters
    ----------
    change : (P, N) changes, treated units first.
    X : (N, p) covariates including the constant.
    w : (N,) positive weights.
    n_treated : number of treated units.
    method : adjustment.
    start : (p,) logit coefficients to begin from.

    Raises
    ------
    EstimationError
        If covariates separate the groups, or are collinear among the comparison units.

    Source: Sant'Anna & Zhao (2020), eq. 2.5, 2.6 and 3.1 with Hájek weights (their section 3.1, panel data); leverage
    after MacKinnon & White (1985), HC2.

    Example
    -------
    >>> change = np.array([[3.0, 5.0, 1.0, 2.0]])
    >>> two_group_effect(change, np.ones((4, 1)), np.ones(4), 2, Adjustment.REG).effect.tolist()
    [2.5]
    """
    g, c = slice(0, n_treated), slice(n_treated, len(w))
    x = np.ascontiguousarray(X.T)  # (p, N)
    own = np.zeros(len(w))  # what each treated unit counts for in the first mean, each comparison unit in the second
    own[g] = w[g] / w[g].sum()
    leverage = None
    fit = None if method == Adjustment.REG else odds_weights(X, own > 0, w, start)
    other = np.zeros(len(w)) if fit is None else fit.odds / fit.odds.sum()
    factor = own - other  # of each residual in the influence
    if method == Adjustment.IPW:
        e = change.copy()
    else:
        weighted = x[:, c] * w[c]
        G_inverse = gram_inverse(weighted @ x[:, c].T)
        fitted = (change[:, c] @ weighted.T @ G_inverse) @ x
        e = np.subtract(change, fitted, out=fitted)
        factor[c] -= G_inverse @ (x @ (own - other)) @ weighted
        if len(x) > 1 and len(w) - n_treated < LEVERAGE_COUNTS_BELOW * (len(x) - 1):
            leverage = np.ones(len(w))
            leverage[c] = _leverage_scale(x[:, c], w[c], G_inverse)
    treated, waiting = e[:, g] @ own[g], e[:, c] @ other[c]
    loadings, rows = [-treated, waiting], [own, other]
    if fit is not None:
        tilted = x[:, c] * other[c]
        slope = (e[:, c] @ tilted.T - np.outer(waiting, tilted.sum(axis=1))) @ fit.inverse_hessian
        score = w * fit.chance
        score[g] -= w[g]
        loadings, rows = [*loadings, *slope.T], [*rows, *(x * score)]
    e *= factor
    e += np.column_stack(loadings) @ np.stack(rows)
    return TwoGroupEffect(treated - waiting, e, fit, leverage)


def _leverage_scale(x: FloatArray, w: FloatArray, G_inverse: FloatArray) -> FloatArray:
    """Return what HC2 multiplies residuals by (N,), x (p, N), over what it does where only a mean is fitted."""
    own = w * np.einsum("pi,pq,qi->i", x, G_inverse, x)
    alone = own > 1 - 1e-9  # the fit passes through it: its residual is zero whatever the factor
    return np.where(alone, 1.0, np.sqrt((1 - w / w.sum()) / np.where(alone, 1.0, 1 - own)))


def gram_inverse(gram: FloatArray) -> FloatArray:
    """Return the inverse of a ``gram`` matrix (p, p), after a check on a scale-free condition number.

    Raises
    ------
    EstimationError
        If covariates are collinear.

    Example
    -------
    >>> gram_inverse(np.array([[4.0]])).tolist()
    [[0.25]]
    """
    scale = np.sqrt(np.diag(gram))
    if scale.all():
        value, vector = np.linalg.eigh(gram / np.outer(scale, scale))
        if value[0] >= 1e-12 * value[-1]:
            half = vector / scale[:, None]
            return np.asarray((half / value) @ half.T, dtype=np.float64)
    raise EstimationError("covariates are collinear among the comparison units")
