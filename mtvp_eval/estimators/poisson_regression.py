r"""Poisson quasi-likelihood with period effects and cohort paths, with cohort effects or with unit effects.

.. math:: E[Y_{it}] = E_{it} \exp\Big(\alpha + \sum_j \beta_j x_{i,a(j)} Z_{g(i)tj}\Big)

with E the exposure and alpha an effect of the cohort (a coefficient like any other) or of the unit. Unit effects leave
by conditioning on the unit's total (multinomial shares p), so that no effect of a unit is ever estimated. Only the mean
need be right; errors come from scores, never from the Poisson variance.

Source: Gourieroux, Monfort & Trognon (1984) for the quasi-likelihood; Hausman, Hall & Griliches (1984), eq. 2.7, and
Wooldridge (1999) for conditioning on totals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.regression import cohort_weights, inverse_gram, path_influence

_STEPS = 60
_LONGEST = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class PoissonFit:
    """Hold coefficients (P,), inverse Hessian (P, P), null directions (P, r), scores (n, T) and regressors.

    ``linear`` (n, T) is the fitted exponent without exposure (and without unit effects).
    """

    coefficients: FloatArray
    inverse: FloatArray
    null: FloatArray
    score: FloatArray
    linear: FloatArray
    path: FloatArray
    covariate: IntArray
    X: FloatArray
    cohort: IntArray

    def influence(self, combinations: FloatArray) -> FloatArray:
        """Return psi (n, K) of ``combinations`` (K, P) of the coefficients."""
        weights = cohort_weights(combinations @ self.inverse, self.path, self.covariate)
        return path_influence(weights, self.X, self.cohort, self.score)

    def unidentified(self, combinations: FloatArray) -> BoolArray:
        """Return (K,) whether ``combinations`` (K, P) move along a direction on which the rows say nothing."""
        length = np.linalg.norm(combinations, axis=1)
        lost = np.linalg.norm(combinations @ self.null, axis=1)
        return np.asarray(lost > 1e-6 * np.where(length > 0, length, 1.0), dtype=np.bool_)


def poisson_fit(
    counts: FloatArray, exposure: FloatArray, used: BoolArray, X: FloatArray, cohort: IntArray,
    path: FloatArray, covariate: IntArray, *, unit_effects: bool,
) -> PoissonFit:  # fmt: skip
    """Fit by Newton steps; each needs one pass over the units.

    Parameters
    ----------
    counts : (n, T) events, not negative.
    exposure : (n, T) positive where ``used``.
    used : (n, T) rows of the regression.
    X : (n, A) covariates of a unit, the constant first.
    cohort : (n,) from 0 to G - 1.
    path : (G, T, P) what each coefficient multiplies.
    covariate : (P,) which column of X multiplies it as well.
    unit_effects : condition on each unit's total.

    Raises
    ------
    EstimationError
        If the steps do not settle: some effect is infinite, for want of events.

    Example
    -------
    >>> path = np.array([[[1.0, 0.0], [1.0, 1.0]]])
    >>> fit = poisson_fit(np.array([[2.0, 6.0]]), np.ones((1, 2)), np.ones((1, 2), dtype=bool), np.ones((1, 1)),
    ...     np.array([0]), path, np.array([0, 0]), unit_effects=False)
    >>> np.exp(fit.coefficients).round(9).tolist()
    [2.0, 3.0]
    """
    y = np.where(used, counts, 0.0)
    offset = np.log(np.where(used, exposure, 1.0))
    columns = [np.flatnonzero(covariate == a) for a in range(X.shape[1])]
    theta = np.zeros(path.shape[2])
    if not unit_effects:
        theta = _start(y, np.where(used, exposure, 0.0), path)
    for _ in range(_STEPS):
        linear = _linear(theta, X, cohort, path, columns)
        mean = _mean(y, offset + linear, used, unit_effects=unit_effects)
        gradient, hessian = _moments(y, mean, X, cohort, path, columns, unit_effects=unit_effects)
        inverse, null = inverse_gram(hessian)
        step = inverse @ gradient
        if not np.isfinite(step).all():
            break
        if float(np.abs(step).max(initial=0.0)) < 1e-9 * (1 + float(np.abs(theta).max(initial=0.0))):
            return PoissonFit(theta + step, inverse, null, y - mean, linear, path, covariate, X, cohort)
        # a Newton step from a poor start can be far too long
        theta = theta + step * min(1.0, _LONGEST / float(np.abs(step).max()))
        if float(np.abs(theta).max()) > 50:
            break
    raise EstimationError(
        "The Poisson regression does not settle: some cohort or period has (next to) no events in the comparison rows, "
        "or covariates predict them without error."
    )


def _start(y: FloatArray, exposure: FloatArray, path: FloatArray) -> FloatArray:
    """Return coefficients that give every row the overall rate: a log rate on whatever sums to one everywhere."""
    rate = float(np.log(max(y.sum(), 1e-300) / exposure.sum()))
    G, T, P = path.shape
    return np.asarray(np.linalg.lstsq(path.reshape(G * T, P), np.full(G * T, rate), rcond=None)[0], dtype=np.float64)


def _linear(
    theta: FloatArray, X: FloatArray, cohort: IntArray, path: FloatArray, columns: list[IntArray]
) -> FloatArray:
    slopes = np.stack([path[:, :, j] @ theta[j] for j in columns], axis=1)
    return np.asarray(np.einsum("na,nat->nt", X, slopes[cohort]), dtype=np.float64)


def _mean(y: FloatArray, linear: FloatArray, used: BoolArray, *, unit_effects: bool) -> FloatArray:
    if not unit_effects:
        return np.where(used, np.exp(np.clip(linear, -700.0, 700.0)), 0.0)
    top = np.where(used, linear, -np.inf).max(axis=1, keepdims=True)
    share = np.where(used, np.exp(linear - np.where(np.isfinite(top), top, 0.0)), 0.0)
    total = share.sum(axis=1, keepdims=True)
    share = share / np.where(total > 0, total, 1.0)
    return np.asarray(share * y.sum(axis=1, keepdims=True), dtype=np.float64)


def _moments(
    y: FloatArray, mean: FloatArray, X: FloatArray, cohort: IntArray, path: FloatArray, columns: list[IntArray],
    *, unit_effects: bool,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    P = path.shape[2]
    gradient, hessian = np.zeros(P), np.zeros((P, P))
    total = mean.sum(axis=1)
    for g in range(len(path)):
        unit = cohort == g
        m, x = mean[unit], X[unit]
        share = m / np.where(total[unit] > 0, total[unit], 1.0)[:, None]
        for a, ja in enumerate(columns):
            gradient[ja] += path[g][:, ja].T @ (x[:, a] @ (y[unit] - m))
            for b in range(a, len(columns)):
                jb = columns[b]
                v = x[:, a] * x[:, b]
                inner = np.diag(v @ m)
                if unit_effects:
                    inner = inner - (m * v[:, None]).T @ share
                block = path[g][:, ja].T @ inner @ path[g][:, jb]
                hessian[np.ix_(ja, jb)] += block
                if a != b:
                    hessian[np.ix_(jb, ja)] += block.T
    return gradient, hessian
