r"""Least squares with unit and period effects, exact for any pattern of missing outcomes and any unit weights.

.. math:: Y_{it} = \alpha_i + \sum_j \beta_j\, x_{i,a(j)}\, Z_{g(i)tj} + e_{it}

Every regressor is a cohort's path Z times a unit's covariate x (the constant is one of them), so that once unit effects
are partialled out the normal equations need cohort sums only:

.. math:: Q_{jk} = \sum_g Z_{gj}' L_g^{a(j)a(k)} Z_{gk}, \qquad
          L_g^{ab} = \sum_i w_i x_{ia} x_{ib} (\mathrm{diag}\, o_i - o_i o_i'/o_{i+})

with o_i the (T,) indicator of observed rows. The cost is one pass over the units, whatever the number of parameters.

Source: Frisch & Waugh (1933) and Lovell (1963) for partialling out; Abowd, Kramarz & Margolis (1999), section 3, for
the normal equations with one effect eliminated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray

_RANK = 1e-10
"""Eigenvalues of the scaled Gram matrix below this share of the largest count as zero."""
_LEAN = 0.25
"""An estimate leans on one unit from this share of its variance on (equal variances assumed)."""


@dataclass(frozen=True, slots=True, eq=False)
class CohortRows:
    """Hold the units (N,) of a cohort and the rows of theirs that are used: (1, T) where all have the same, or (N, T).

    One cohort is worked on at a time: what it takes stays in the cache, and no second panel is kept.
    """

    unit: IntArray
    used: BoolArray

    @classmethod
    def of(cls, used: BoolArray, unit: IntArray) -> CohortRows:
        """Return the rows of the units at these places among ``used`` (n, T).

        >>> CohortRows.of(np.ones((3, 2), dtype=bool), np.array([0, 2])).used.tolist()
        [[True, True]]
        """
        rows = np.take(used, unit, axis=0)
        return cls(unit, rows[:1] if len(unit) and (rows == rows[:1]).all() else rows)

    @property
    def count(self) -> int:
        """Number of rows used."""
        return int(self.used.sum()) * (len(self.unit) if len(self.used) == 1 else 1)

    def means(self, values: FloatArray) -> FloatArray:
        """Return each unit's mean (N,) of ``values`` (N, T) over the rows used; 0 where there is none."""
        if len(self.used) == 1:
            known = values[:, self.used[0]]
            return np.asarray(known @ np.full(known.shape[1], 1 / max(known.shape[1], 1)), dtype=np.float64)
        total = np.where(self.used, values, 0.0).sum(axis=1)
        return np.asarray(total / np.maximum(self.used.sum(axis=1), 1), dtype=np.float64)

    def moments(self, y: FloatArray, X: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return sums of centred outcomes (A, T) and Laplacians (A, A, T, T) from the cohort's own ``y``, ``X``, ``w``.

        Where all its units have the same rows, both follow from their sums.
        """
        A, T = X.shape[1], y.shape[1]
        weighted = w * X.T  # (A, N)
        if len(self.used) == 1:
            row = self.used[0].astype(np.float64)
            count = max(row.sum(), 1.0)
            total = np.where(self.used, weighted @ y, 0.0)
            return (total - total.sum(axis=1, keepdims=True) / count) * row, np.multiply.outer(
                weighted @ X, np.diag(row) - np.outer(row, row) / count
            )
        o = self.used.astype(np.float64)
        share = 1 / np.maximum(o.sum(axis=1), 1)
        centred = np.where(self.used, y - self.means(y)[:, None], 0.0)
        laplacian = np.zeros((A, A, T, T))
        for a in range(A):
            for b in range(a, A):
                v = weighted[a] * X[:, b]
                laplacian[a, b] = laplacian[b, a] = np.diag(v @ o) - (o * (v * share)[:, None]).T @ o
        return weighted @ centred, laplacian


@dataclass(frozen=True, slots=True, eq=False)
class TwoWayFit:
    """Hold the fit: coefficients (P,), inverse Gram (P, P), null directions (P, r), regressors and the data fitted.

    ``path`` (G, T, P) and ``covariate`` (P,) say what each coefficient multiplies; the last ``n_effects`` coefficients
    are those asked for, period effects come first. ``fitted`` (G, A, T) is the fitted path of each covariate; y, X, w
    and ``cohorts`` are what was fitted.
    """

    coefficients: FloatArray
    inverse: FloatArray
    null: FloatArray
    path: FloatArray
    covariate: IntArray
    n_effects: int
    fitted: FloatArray
    cohorts: tuple[CohortRows, ...]
    y: FloatArray
    X: FloatArray
    w: FloatArray

    @property
    def rows(self) -> int:
        """Number of rows of the regression."""
        return sum(own.count for own in self.cohorts)

    def residual_of(self, g: int) -> FloatArray:
        """Return (N, T) what is left of the outcomes of cohort ``g``, less each unit's mean over the rows used."""
        own = self.cohorts[g]
        left = np.take(self.y, own.unit, axis=0)
        left -= self.X[own.unit] @ self.fitted[g]
        left -= own.means(left)[:, None]
        return left

    def score_of(self, g: int) -> FloatArray:
        """Return (N, T) the weighted residuals of cohort ``g``, zero outside the rows used."""
        own = self.cohorts[g]
        score = self.residual_of(g)
        score *= self.w[own.unit, None]
        return score if own.used.all() else np.where(own.used, score, 0.0)

    def scores(self) -> Iterator[FloatArray]:
        """Yield the scores (N, T) cohort by cohort."""
        return (self.score_of(g) for g in range(len(self.cohorts)))

    def in_order(self, values_of: Callable[[int], FloatArray]) -> FloatArray:
        """Return (n, T) what ``residual_of`` or ``score_of`` give, in the order of the units."""
        table = np.empty_like(self.y)
        for g, own in enumerate(self.cohorts):
            table[own.unit] = values_of(g)
        return table

    @property
    def parameters(self) -> int:
        """Coefficients and one constant: K of the small-sample factor with unit effects inside clusters."""
        return len(self.coefficients) - self.null.shape[1] + 1

    def pick(self, weights: FloatArray) -> FloatArray:
        """Return (K, P) combinations of all coefficients from ``weights`` (K, n_effects) on those asked for."""
        out = np.zeros((len(weights), len(self.coefficients)))
        out[:, len(self.coefficients) - self.n_effects :] = weights
        return out

    def unidentified(self, combinations: FloatArray) -> BoolArray:
        """Return (K,) whether ``combinations`` (K, P) move along a direction on which the rows say nothing."""
        length = np.linalg.norm(combinations, axis=1)
        lost = np.linalg.norm(combinations @ self.null, axis=1)
        return np.asarray(lost > 1e-6 * np.where(length > 0, length, 1.0), dtype=np.bool_)

    def cohort_weights(self, combinations: FloatArray) -> FloatArray:
        """Return (A, K, G, T): what ``combinations`` (K, P) give a unit's score, by covariate, cohort and period."""
        return cohort_weights(combinations @ self.inverse, self.path, self.covariate)

    def influence(self, combinations: FloatArray) -> FloatArray:
        """Return psi (n, K) of ``combinations`` (K, P) of the coefficients."""
        psi = np.zeros((len(self.y), len(combinations)))
        self.add_influence(psi, combinations)
        return psi

    def add_influence(self, psi: FloatArray, combinations: FloatArray) -> None:
        """Add the influence of ``combinations`` (K, P) of the coefficients to ``psi`` (n, K) in place."""
        weights = len(self.y) * self.cohort_weights(combinations)
        for g, own in enumerate(self.cohorts):
            psi[own.unit] += weighted_scores(weights[:, :, g], self.X[own.unit], self.score_of(g))

    def row_scores(self, combinations: FloatArray) -> FloatArray:
        """Return (n, T, K) the parts of psi / n that each row contributes (for clustering by period)."""
        weights = self.cohort_weights(combinations)
        score, cohort = self.in_order(self.score_of), np.empty(len(self.y), dtype=np.int64)
        for g, own in enumerate(self.cohorts):
            cohort[own.unit] = g
        used = score != 0
        count = np.where(used.any(axis=1), used.sum(axis=1), 1)
        at = np.einsum("na,akng->ngk", self.X, weights[:, :, cohort, :])
        at = at - (at * used[:, :, None]).sum(axis=1, keepdims=True) / count[:, None, None]
        return score[:, :, None] * at

    def leans_on_one(self, combinations: FloatArray) -> BoolArray:
        """Return (K,) whether ``combinations`` (K, P) rest on a cohort of one unit, whose spread cannot be seen."""
        energy = (self.cohort_weights(combinations)[0] ** 2).sum(axis=2)
        size = np.array([len(own.unit) for own in self.cohorts])
        total = energy @ size
        return np.asarray(energy[:, size == 1].sum(axis=1) > _LEAN * np.where(total > 0, total, 1.0), dtype=np.bool_)


def cohort_weights(slope: FloatArray, path: FloatArray, covariate: IntArray) -> FloatArray:
    """Return (A, K, G, T) weights on scores from ``slope`` (K, P) = combinations times inverse Hessian.

    ``path`` (G, T, P) and ``covariate`` (P,) say what each coefficient multiplies.

    >>> cohort_weights(np.array([[2.0]]), np.array([[[1.0], [0.5]]]), np.array([0])).tolist()
    [[[[2.0, 1.0]]]]
    """
    columns = [np.flatnonzero(covariate == a) for a in range(int(covariate.max(initial=0)) + 1)]
    return np.stack([np.einsum("kp,gtp->kgt", slope[:, j], path[:, :, j], optimize=True) for j in columns])


def path_influence(weights: FloatArray, X: FloatArray, cohort: IntArray, score: FloatArray) -> FloatArray:
    """Return psi (n, K): n times the sum over covariates of ``X`` (n, A) times ``weights`` (A, K, G, T) on ``score``.

    ``score`` (n, T) holds weighted residuals, ``cohort`` (n,) counts from 0.

    >>> path_influence(np.array([[[[2.0, 1.0]]]]), np.ones((1, 1)), np.array([0]), np.array([[1.0, 3.0]])).tolist()
    [[5.0]]
    """
    psi = np.empty((len(score), weights.shape[1]))
    for g in range(weights.shape[2]):
        unit = np.flatnonzero(cohort == g)
        psi[unit] = weighted_scores(len(score) * weights[:, :, g], X[unit], np.take(score, unit, axis=0))
    return psi


def weighted_scores(weights: FloatArray, X: FloatArray, score: FloatArray) -> FloatArray:
    """Return (N, K): the sum over covariates of ``X`` (N, A) times ``weights`` (A, K, T) on ``score`` (N, T).

    >>> weighted_scores(np.array([[[2.0, 1.0]]]), np.ones((1, 1)), np.array([[1.0, 3.0]])).tolist()
    [[5.0]]
    """
    found = (score if (X[:, 0] == 1).all() else X[:, :1] * score) @ weights[0].T
    for x, each in zip(X.T[1:], weights[1:], strict=True):
        if each.any():
            found += (x[:, None] * score) @ each.T
    return np.asarray(found, dtype=np.float64)


def two_way_fit(
    y: FloatArray, used: BoolArray, X: FloatArray, w: FloatArray, cohort: IntArray, effects: FloatArray,
    *, interact: bool = False,
) -> TwoWayFit:  # fmt: skip
    """Fit unit effects, period effects for every covariate, and cohort paths by weighted least squares.

    Parameters
    ----------
    y : (n, T) outcomes; only rows in ``used`` are read.
    used : (n, T) rows of the regression.
    X : (n, A) covariates of a unit, the constant first.
    w : (n,) positive weights.
    cohort : (n,) from 0 to G - 1.
    effects : (G, T, K) paths whose coefficients are asked for.
    interact : let each path also multiply the covariates; coefficients then come covariate by covariate.

    Example
    -------
    >>> y = np.array([[1.0, 2.0, 6.0], [0.0, 1.0, 2.0]])
    >>> effects = np.zeros((2, 3, 1)); effects[0, 2, 0] = 1.0
    >>> fit = two_way_fit(y, np.isfinite(y), np.ones((2, 1)), np.ones(2), np.array([0, 1]), effects)
    >>> fit.coefficients[-1].round(9), fit.rows, fit.parameters
    (np.float64(3.0), 6, 4)
    """
    G, A = len(effects), X.shape[1]
    cohorts = tuple(CohortRows.of(used, np.flatnonzero(cohort == g)) for g in range(G))
    path, covariate = regressors(np.concatenate([own.used for own in cohorts]), effects, A, interact=interact)
    P = len(covariate)
    columns = [np.flatnonzero(covariate == a) for a in range(A)]
    gram, right = np.zeros((P, P)), np.zeros(P)
    for g, own in enumerate(cohorts):
        total, laplacian = own.moments(np.take(y, own.unit, axis=0), X[own.unit], w[own.unit])
        for a in range(A):
            right[columns[a]] += path[g][:, columns[a]].T @ total[a]
            for b in range(a, A):
                block = path[g][:, columns[a]].T @ laplacian[a, b] @ path[g][:, columns[b]]
                gram[np.ix_(columns[a], columns[b])] += block
                if a != b:
                    gram[np.ix_(columns[b], columns[a])] += block.T
    inverse, null = inverse_gram(gram)
    coefficients = inverse @ right
    fitted = np.stack([np.stack([path[g][:, j] @ coefficients[j] for j in columns]) for g in range(G)])
    return TwoWayFit(
        coefficients, inverse, null, path, covariate, effects.shape[2] * (A if interact else 1), fitted, cohorts,
        y, X, w,
    )  # fmt: skip


def regressors(used: BoolArray, effects: FloatArray, A: int, *, interact: bool = False) -> tuple[FloatArray, IntArray]:
    """Return paths (G, T, P) and the covariate (P,) of each: periods in which rows are ``used``, then ``effects``.

    The first of the periods is the base. ``used`` is (n, T), ``effects`` (G, T, K), A the number of covariates.

    >>> regressors(np.ones((1, 2), dtype=bool), np.zeros((1, 2, 1)), 1)[0].tolist()
    [[[0.0, 0.0], [1.0, 0.0]]]
    """
    G, T, _ = effects.shape
    seen = np.flatnonzero(used.any(axis=0))[1:]
    periods = np.broadcast_to(np.eye(T)[:, seen], (G, T, len(seen)))
    repeats = A if interact else 1
    path = np.concatenate([periods] * A + [effects] * repeats, axis=2)
    covariate = np.concatenate([np.repeat(np.arange(A), len(seen)), np.repeat(np.arange(repeats), effects.shape[2])])
    return path, covariate.astype(np.int64)


def inverse_gram(gram: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the inverse of ``gram`` (P, P) on its identified directions, and a basis of the others, (P, r).

    >>> [np.abs(a).tolist() for a in inverse_gram(np.diag([4.0, 0.0]))]
    [[[0.25, 0.0], [0.0, 0.0]], [[0.0], [1.0]]]
    """
    scale = np.sqrt(np.diag(gram))
    scale = np.where(scale > 0, scale, 1.0)
    value, vector = np.linalg.eigh(gram / np.outer(scale, scale))
    good = value > _RANK * max(float(value[-1]), 0.0) if len(value) else np.zeros(0, dtype=np.bool_)
    half = vector[:, good] / (scale[:, None] * np.sqrt(value[good]))
    null = vector[:, ~good] / scale[:, None]
    if null.shape[1]:
        null = np.linalg.qr(null)[0]
    return half @ half.T, null
