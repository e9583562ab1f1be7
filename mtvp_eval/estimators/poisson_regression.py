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
_UNITS_AT_ONCE = 2**11


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
    theta = np.zeros(path.shape[2])
    if not unit_effects:
        theta = _start(np.where(used, counts, 0.0), np.where(used, exposure, 0.0), path)
    rows = _rows(counts, exposure, used, X, cohort)
    for _ in range(_STEPS):
        gradient, hessian = _moments(theta, rows, path, covariate, unit_effects=unit_effects)
        inverse, null = inverse_gram(hessian)
        step = inverse @ gradient
        if not np.isfinite(step).all():
            break
        if float(np.abs(step).max(initial=0.0)) < 1e-9 * (1 + float(np.abs(theta).max(initial=0.0))):
            score, linear = np.empty_like(rows.score), np.empty_like(rows.linear)
            score[rows.order], linear[rows.order] = rows.score, rows.linear
            return PoissonFit(theta + step, inverse, null, score, linear, path, covariate, X, cohort)
        # a Newton step from a poor start can be far too long
        theta = theta + step * min(1.0, _LONGEST / float(np.abs(step).max()))
        if float(np.abs(theta).max()) > 50:
            break
    raise EstimationError(
        "The Poisson regression does not settle: some cohort or period has (next to) no events in the comparison rows, "
        "or covariates predict them without error."
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Units in ``order`` of their cohort, and ``blocks`` of one cohort each, small enough for the cache.

    Counts y and log exposure (n, T), which are 0 and minus infinity in rows not used; ``score`` and ``linear`` (n, T)
    are those of the last pass.
    """

    order: IntArray
    blocks: tuple[tuple[int, slice], ...]
    y: FloatArray
    offset: FloatArray
    X: FloatArray
    score: FloatArray
    linear: FloatArray


def _rows(counts: FloatArray, exposure: FloatArray, used: BoolArray, X: FloatArray, cohort: IntArray) -> _Rows:
    order = np.argsort(cohort, kind="stable")
    edges = np.cumsum(np.bincount(cohort))
    blocks = [
        (g, slice(first, min(first + _UNITS_AT_ONCE, int(stop))))
        for g, (start, stop) in enumerate(zip([0, *edges[:-1]], edges, strict=True))
        for first in range(int(start), int(stop), _UNITS_AT_ONCE)
    ]
    offset = np.full(counts.shape, -np.inf)
    np.log(exposure, out=offset, where=used)
    return _Rows(
        order, tuple(blocks), np.take(np.where(used, counts, 0.0), order, axis=0), np.take(offset, order, axis=0),
        X[order], np.empty(counts.shape), np.empty(counts.shape),
    )  # fmt: skip


def _start(y: FloatArray, exposure: FloatArray, path: FloatArray) -> FloatArray:
    """Return coefficients that give every row the overall rate: a log rate on whatever sums to one everywhere."""
    rate = float(np.log(max(y.sum(), 1e-300) / exposure.sum()))
    G, T, P = path.shape
    return np.asarray(np.linalg.lstsq(path.reshape(G * T, P), np.full(G * T, rate), rcond=None)[0], dtype=np.float64)


def _mean(y: FloatArray, linear: FloatArray, *, unit_effects: bool) -> FloatArray:
    if not unit_effects:
        return np.asarray(np.exp(np.minimum(linear, 700.0)), dtype=np.float64)
    top = linear.max(axis=1, keepdims=True)
    share = np.exp(linear - np.where(np.isfinite(top), top, 0.0))
    total = share.sum(axis=1, keepdims=True)
    share *= y.sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    return np.asarray(share, dtype=np.float64)


def _moments(
    theta: FloatArray, rows: _Rows, path: FloatArray, covariate: IntArray, *, unit_effects: bool
) -> tuple[FloatArray, FloatArray]:
    """Return gradient (P,) and Hessian (P, P) at ``theta``, with the scores and exponents left in ``rows``."""
    columns = [np.flatnonzero(covariate == a) for a in range(rows.X.shape[1])]
    slopes = np.stack([path[:, :, j] @ theta[j] for j in columns], axis=1)  # (G, A, T)
    G, T, P = path.shape
    A = len(columns)
    first, second = np.zeros((G, A, T)), np.zeros((G, A, A, T, T))
    for g, here in rows.blocks:
        x, score = rows.X[here], rows.score[here]
        linear = np.matmul(x, slopes[g], out=rows.linear[here])
        mean = _mean(rows.y[here], rows.offset[here] + linear, unit_effects=unit_effects)
        np.subtract(rows.y[here], mean, out=score)
        first[g] += x.T @ score
        if unit_effects:
            total = mean.sum(axis=1)
            share = mean / np.where(total > 0, total, 1.0)[:, None]
        for a in range(A):
            for b in range(a, A):
                v = x[:, a] * x[:, b]
                inner = second[g, a, b]
                inner[np.diag_indices(T)] += v @ mean
                if unit_effects:
                    inner -= (mean * v[:, None]).T @ share
    gradient, hessian = np.zeros(P), np.zeros((P, P))
    for a, ja in enumerate(columns):
        gradient[ja] = np.einsum("gtj,gt->j", path[:, :, ja], first[:, a])
        for b in range(a, A):
            jb = columns[b]
            block = sum(path[g][:, ja].T @ second[g, a, b] @ path[g][:, jb] for g in range(G))
            hessian[np.ix_(ja, jb)] = block
            if a != b:
                hessian[np.ix_(jb, ja)] = block.T
    return gradient, hessian
