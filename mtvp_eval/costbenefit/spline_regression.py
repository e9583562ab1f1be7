"""Regression of net benefit on parameters: natural cubic splines with a ridge penalty chosen from the data."""

from __future__ import annotations

import numpy as np

from mtvp_eval.arrays import FloatArray

_KNOTS = 6
_PENALTIES = 10.0 ** np.arange(-8.0, 5.0)


def spline_basis(x: FloatArray) -> FloatArray:
    """Return the regression basis of parameters ``x`` (S, p): natural cubic splines, and pairwise products of them.

    Knots at quantiles; a parameter with fewer distinct values than knots uses those values, and one that is certain
    has no column. Columns are standardised so that one ridge penalty is fair to all. Shape (S, q).

    >>> basis = spline_basis(np.arange(20.0).reshape(10, 2))
    >>> len(basis), bool(np.allclose(basis.std(axis=0), 1.0))
    (10, True)
    """
    single = [_natural(column) for column in x.T if np.ptp(column) > 0.0]
    pairs = [
        (single[i][:, :, None] * single[j][:, None, :]).reshape(len(x), -1)
        for i in range(len(single))
        for j in range(i + 1, len(single))
    ]
    basis = np.column_stack([*single, *pairs]) if single else np.empty((len(x), 0))
    sd = basis.std(axis=0)
    used = sd > 1e-12
    return (basis[:, used] - basis[:, used].mean(axis=0)) / sd[used]


def _natural(x: FloatArray) -> FloatArray:
    """Natural cubic spline basis of one parameter without constant (S, knots - 1)."""
    knots = np.unique(np.quantile(x, np.linspace(0.02, 0.98, _KNOTS)))
    span = knots[-1] - knots[0]
    if span <= 0.0 or len(knots) < 3:
        return x[:, None]
    z, t = (x - knots[0]) / span, (knots - knots[0]) / span

    def bend(j: int) -> FloatArray:
        return (np.maximum(z - t[j], 0.0) ** 3 - np.maximum(z - t[-1], 0.0) ** 3) / (t[-1] - t[j])

    last = bend(len(t) - 2)
    return np.column_stack([z, *(bend(j) - last for j in range(len(t) - 2))])


class Smoother:
    """Ridge regression on a basis with the penalty chosen by generalised cross-validation."""

    def __init__(self, basis: FloatArray) -> None:
        self.centre = basis.mean(axis=0)
        self.u, self.s, self.vt = np.linalg.svd(basis - self.centre, full_matrices=False)

    def _shrunk(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Shrinkage factors (q, outcomes) at the best penalty of each outcome, and the rotated outcomes."""
        n = len(y)
        rotated = self.u.T @ (y - y.mean(axis=0))
        power = self.s**2
        factor = power[:, None] / (power[:, None] + n * _PENALTIES)
        left = ((y - y.mean(axis=0)) ** 2).sum(axis=0) - (rotated**2).sum(axis=0)
        residual = left[:, None] + np.einsum("qd,qp->dp", rotated**2, (1.0 - factor) ** 2)
        gcv = residual / (n - 1.0 - factor.sum(axis=0)) ** 2
        return factor[:, gcv.argmin(axis=1)], rotated

    def fitted(self, y: FloatArray) -> FloatArray:
        """Fitted values (n, outcomes)."""
        factor, rotated = self._shrunk(y)
        return y.mean(axis=0) + self.u @ (factor * rotated)

    def predict(self, y: FloatArray, basis: FloatArray) -> FloatArray:
        """Predictions for other rows of the basis."""
        factor, rotated = self._shrunk(y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = np.where(self.s > 1e-10 * self.s.max(initial=0.0), 1.0 / self.s, 0.0)
        return y.mean(axis=0) + (basis - self.centre) @ (self.vt.T @ (inverse[:, None] * factor * rotated))
