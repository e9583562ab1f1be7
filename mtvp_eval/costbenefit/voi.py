"""Value of information: perfect, partial and of one more sample; always beside what noise alone would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.errors import DataError

MAX_PARAMETERS = 4
_KNOTS = 6
_PENALTIES = 10.0 ** np.arange(-8.0, 5.0)


def unit_loss(mean: FloatArray | float, sd: FloatArray | float) -> FloatArray:
    r"""Return the expected loss of deciding now on a normal net benefit.

    .. math:: sd\,\phi(m/sd) - |m|\,\Phi(-|m|/sd)

    with m the `mean` of the net benefit and `sd` its standard deviation, one number or one of each per case.

    >>> round(float(unit_loss(0.0, 1.0)), 6)
    0.398942
    """
    from scipy.special import ndtr

    m, s = np.abs(np.asarray(mean, dtype=float)), np.asarray(sd, dtype=float)
    # a spread of 1e-300 beside a mean of 1e5 overflows to an infinite z, whose loss is the right zero
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z = np.where(s > 0, m / s, np.inf)
        return s * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) - m * ndtr(-z)


@dataclass(frozen=True, slots=True)
class LinearValue:
    """Value of learning each effect alone, linear-normal case: conditional standard deviations and EVPPI (K,)."""

    sd: FloatArray
    evppi: FloatArray


def evppi_linear(mean: float, coefficient: FloatArray, covariance: FloatArray) -> LinearValue:
    r"""Return the exact EVPPI of every effect when net benefit is linear in jointly normal effects.

    .. math:: sd_i = |cov(NB, x_i)| / sd(x_i) = |(Vc)_i| / \sqrt{V_{ii}}, \qquad EVPPI_i = L(m, sd_i)

    Single values do not add up when effects are correlated. Parameters: `mean` net benefit, `coefficient` (K,) its
    gradient, `covariance` (K, K).

    >>> evppi_linear(100.0, np.array([300.0, 150.0]), np.eye(2)).evppi.round(3).tolist()
    [76.271, 22.668]
    """
    own = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = np.where(own > 0, np.abs(covariance @ coefficient) / own, 0.0)
    return LinearValue(sd, unit_loss(mean, sd))


def evsi_linear(mean: float, coefficient: FloatArray, covariance: FloatArray, new_covariance: FloatArray) -> float:
    r"""Return the expected value of new data on the effects, in the linear-normal case, per decision.

    .. math:: sd^2 = c'V(V + W)^{-1}Vc

    is the variance that the posterior mean will have; c (K,) is the `coefficient` of each effect, V (K, K) their
    `covariance` and W (K, K) the `new_covariance` that the new data alone would have:
    V for as many data again (one more year of the same practices, were they independent), V n/m for a region with m
    practices where these had n. Dependence between years makes W larger: give it as it is. EVSI is at most EVPI.
    Source: Raiffa & Schlaifer, Applied Statistical Decision Theory, 1961, chapter 5.

    >>> v = np.array([[4.0]])
    >>> round(float(evsi_linear(0.0, np.ones(1), v, v) / unit_loss(0.0, 2.0)) ** 2, 9)  # half the variance is resolved
    0.5
    """
    vc = covariance @ coefficient
    resolved = float(vc @ np.linalg.pinv(covariance + new_covariance, hermitian=True) @ vc)
    return float(unit_loss(mean, np.sqrt(max(resolved, 0.0))))


@dataclass(frozen=True, slots=True)
class PartialValue:
    """EVPPI by regression: the value, its cross-fitted value, and the 95 % level of what noise gives.

    `distinguishable` is False when the value lies below that floor: then print "not distinguishable from 0".
    """

    value: float
    cross_fitted: float
    floor: float

    @property
    def distinguishable(self) -> bool:
        """Whether the value lies above the permutation floor."""
        return self.value > self.floor


def evppi_regression(
    net_benefit: FloatArray, parameters: FloatArray, rng: np.random.Generator, permutations: int = 100, folds: int = 10
) -> PartialValue:
    r"""Return EVPPI of a set of parameters from draws, by penalised natural cubic splines.

    .. math:: EVPPI = \overline{\max_d \hat g_d(x)} - \max_d \overline{\hat g_d(x)}

    with g_d the regression on x of option d's net benefit minus that of the first; ridge penalty by generalised
    cross-validation. Groups use the splines of every parameter and their pairwise products; more than four are refused.
    The floor is the 95 % quantile of the same estimate with shuffled parameter rows.

    Parameters: `net_benefit` (S, D), `parameters` (S, p), the same draw in the same row. Raises ``DataError`` when rows
    do not match in number or there are too many parameters. Source: Strong, Oakley & Brennan, Med Decis Making
    2014;34:311.

    >>> x = np.linspace(-1.0, 1.0, 200)[:, None]          # the second option is better wherever x > 0
    >>> found = evppi_regression(np.column_stack([0.0 * x, x]), x, np.random.default_rng(1), permutations=2)
    >>> round(found.value, 2)                             # the mean of max(x, 0)
    0.25
    """
    if len(net_benefit) != len(parameters):
        raise DataError(
            f"{len(parameters)} rows of parameters and {len(net_benefit)} of net benefit: each row must be the same "
            "draw in both. EVPPI from rows that do not match is noise."
        )
    if parameters.shape[1] > MAX_PARAMETERS:
        raise DataError(
            f"{parameters.shape[1]} parameters in one set; the regression is trusted up to {MAX_PARAMETERS}. "
            "Use smaller sets."
        )
    against_first = net_benefit[:, 1:] - net_benefit[:, [0]]
    basis = spline_basis(parameters)
    fit = _Smoother(basis)
    fitted = fit.fitted(against_first)
    n = len(net_benefit)
    fold = rng.permutation(n) % folds
    crossed = np.empty_like(fitted)
    for part in range(folds):
        outside = fold != part
        crossed[~outside] = _Smoother(basis[outside]).predict(against_first[outside], basis[~outside])
    noise = [_gain(fit.fitted(against_first[rng.permutation(n)])) for _ in range(permutations)]
    return PartialValue(_gain(fitted), _cross_gain(crossed, against_first), float(np.quantile(noise, 0.95)))


def _gain(fitted: FloatArray) -> float:
    """Mean of the best minus the best of the means, the first option being zero."""
    return float(np.maximum(fitted.max(axis=1), 0.0).mean() - max(float(fitted.mean(axis=0).max()), 0.0))


def _cross_gain(crossed: FloatArray, observed: FloatArray) -> float:
    """Value of acting on the cross-fitted regression, paid in observed net benefit; may be negative."""
    padded = np.column_stack([np.zeros(len(crossed)), crossed])
    paid = np.column_stack([np.zeros(len(observed)), observed])
    chosen = paid[np.arange(len(paid)), np.argmax(padded, axis=1)].mean()
    return float(chosen - max(float(observed.mean(axis=0).max()), 0.0))


def align(rows: IntArray, parameter_rows: IntArray) -> None:
    """Refuse outcomes and parameters whose row ids (S,), `rows` and `parameter_rows`, differ.

    Raises ``DataError`` with the number of rows that differ.

    >>> align(np.array([1, 2]), np.array([1, 2]))
    """
    if len(rows) != len(parameter_rows) or (rows != parameter_rows).any():
        n = (
            int((rows != parameter_rows).sum())
            if len(rows) == len(parameter_rows)
            else abs(len(rows) - len(parameter_rows))
        )
        raise DataError(
            f"Draw ids of parameters and outcomes differ in {n} rows. Sort both by draw; "
            "EVPPI from rows that do not match is noise."
        )


def spline_basis(x: FloatArray) -> FloatArray:
    """Return the regression basis of parameters ``x`` (S, p): natural cubic splines, and pairwise products of them.

    Knots at quantiles; a parameter with fewer distinct values than knots uses those values. Columns are standardised
    so that one ridge penalty is fair to all. Shape (S, q).

    >>> basis = spline_basis(np.arange(20.0).reshape(10, 2))
    >>> len(basis), bool(np.allclose(basis.std(axis=0), 1.0))
    (10, True)
    """
    single = [_natural(x[:, j]) for j in range(x.shape[1])]
    pairs = [
        (single[i][:, :, None] * single[j][:, None, :]).reshape(len(x), -1)
        for i in range(len(single))
        for j in range(i + 1, len(single))
    ]
    basis = np.column_stack([*single, *pairs])
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


class _Smoother:
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
            inverse = np.where(self.s > 1e-10 * self.s.max(), 1.0 / self.s, 0.0)
        return y.mean(axis=0) + (basis - self.centre) @ (self.vt.T @ (inverse[:, None] * factor * rotated))
