r"""Two-way least squares with covariates that change over time, partialled out of the outcome with one slope each.

.. math:: Y_{it} = \alpha_i + z_{it}'\gamma + \sum_j \beta_j\, x_{i,a(j)}\, Z_{g(i)tj} + e_{it}, \qquad
          \hat\gamma = \Big(\sum \tilde z w \tilde z'\Big)^{-1} \sum \tilde z w Y

with :math:`\tilde z` the residual of each covariate on everything else; the other coefficients are those of
:math:`Y - z'\hat\gamma`. A covariate that the programme moves takes part of the effect with it: nothing here can tell.

Source: Frisch & Waugh (1933) and Lovell (1963).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.regression import TwoWayFit, two_way_fit

_MOVES = 1e-10
"""Share of a covariate's movement within units that must be left once everything else is taken off."""


@dataclass(frozen=True, slots=True, eq=False)
class PartialledFit:
    """Hold the fit of the outcome less its covariates, and what the slopes of these add to its influence.

    ``slope_influence`` (n, q) is psi of the slopes, ``coefficients`` (P, q) and ``residual`` (n, T, q) those of each
    covariate regressed on everything else.
    """

    fit: TwoWayFit
    slope_influence: FloatArray
    coefficients: FloatArray
    residual: FloatArray

    @property
    def parameters(self) -> int:
        """Coefficients of the fit, one slope a covariate, and one constant."""
        return self.fit.parameters + self.coefficients.shape[1]

    def influence(self, combinations: FloatArray) -> FloatArray:
        """Return psi (n, K) of ``combinations`` (K, P) of the coefficients."""
        psi = self.fit.influence(combinations)
        if self.coefficients.shape[1]:
            psi -= self.slope_influence @ (combinations @ self.coefficients).T
        return psi


def partialled_fit(
    y: FloatArray, used: BoolArray, z: FloatArray, X: FloatArray, w: FloatArray, cohort: IntArray,
    effects: FloatArray, *, interact: bool = False,
) -> PartialledFit:  # fmt: skip
    """Fit as ``two_way_fit`` does, with one more slope for each covariate that changes over time.

    Parameters
    ----------
    y, used, X, w, cohort, effects, interact : as in ``two_way_fit``.
    z : (n, T, q) covariates, finite on the rows used; q may be 0.

    Raises
    ------
    EstimationError
        If a covariate hardly moves beyond the effects of units and periods, or two move together.

    Example
    -------
    >>> y = np.array([[1.0, 2.0, 6.0, 5.0], [0.0, 1.0, 4.0, 3.0], [1.0, 0.0, 2.0, 2.0]])
    >>> z = np.array([[0.0, 1.0, 2.0, 1.0], [1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 2.0, 0.0]])[:, :, None]
    >>> fit = partialled_fit(y, np.isfinite(y), z, np.ones((3, 1)), np.ones(3), np.zeros(3, dtype=int),
    ...     np.zeros((1, 4, 0)))
    >>> fit.parameters, fit.slope_influence.shape
    (5, (3, 1))
    """

    def on_rest(values: FloatArray) -> TwoWayFit:
        return two_way_fit(values, used, X, w, cohort, effects, interact=interact)

    q = z.shape[2]
    first = on_rest(y)
    if not q:
        none = np.zeros((len(first.coefficients), 0))
        return PartialledFit(first, np.zeros((len(y), 0)), none, np.zeros((*y.shape, 0)))
    others = [on_rest(z[:, :, j]) for j in range(q)]
    score = np.stack([o.in_order(o.score_of) for o in others], axis=2)
    residual = np.stack([o.in_order(o.residual_of) for o in others], axis=2)
    rest = np.where(used[:, :, None], residual, 0.0)
    gram = np.einsum("itj,itk->jk", score, rest)
    _refuse_still(gram, z, used, w)
    inverse = np.linalg.inv(gram)
    slope = inverse @ np.einsum("itj,it->j", score, np.where(used, first.in_order(first.residual_of), 0.0))
    fit = on_rest(y - z @ slope)
    psi = len(y) * np.einsum("itj,it->ij", rest, fit.in_order(fit.score_of)) @ inverse
    return PartialledFit(fit, psi, np.column_stack([o.coefficients for o in others]), residual)


def _refuse_still(gram: FloatArray, z: FloatArray, used: BoolArray, w: FloatArray) -> None:
    seen = np.where(used[:, :, None], z, 0.0)
    count = np.maximum(used.sum(axis=1), 1)[:, None, None]
    within = np.where(used[:, :, None], seen - seen.sum(axis=1, keepdims=True) / count, 0.0)
    total = np.sqrt(np.einsum("itj,i->j", within**2, w))
    still = ~(np.sqrt(np.diag(gram)) > np.sqrt(_MOVES) * total)
    if still.any() or np.linalg.eigvalsh(gram / np.outer(total, total))[0] < _MOVES:
        raise EstimationError(
            "Covariates that change over time hardly move beyond the effects of units and periods, or move together. "
            "Use fewer of them, or their value before entry."
        )
