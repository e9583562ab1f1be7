"""Value of information: perfect, partial and of one more sample; always beside what noise alone would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.costbenefit.spline_regression import Smoother, spline_basis
from mtvp_eval.errors import DataError

MAX_PARAMETERS = 4
_BATCH = 25


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


class ParameterRegression:
    r"""Regress net benefits on one set of parameters, at as many thresholds as asked, with one decomposition.

    .. math:: EVPPI = \overline{\max_d \hat g_d(x)} - \max_d \overline{\hat g_d(x)}

    with g_d the regression on x of option d's net benefit minus that of the first; ridge penalty by generalised
    cross-validation. Groups use the splines of every parameter and their pairwise products; more than four are refused.
    Source: Strong, Oakley & Brennan, Med Decis Making 2014;34:311.
    """

    def __init__(
        self, parameters: FloatArray, rng: np.random.Generator, permutations: int = 100, folds: int = 10
    ) -> None:
        if parameters.shape[1] > MAX_PARAMETERS:
            raise DataError(
                f"{parameters.shape[1]} parameters in one set; the regression is trusted up to {MAX_PARAMETERS}. "
                "Use smaller sets."
            )
        basis, n = spline_basis(parameters), len(parameters)
        fold = rng.permutation(n) % folds
        self._whole = Smoother(basis)
        self._parts = [(fold != part, Smoother(basis[fold != part]), basis[fold == part]) for part in range(folds)]
        self._shuffled = [rng.permutation(n) for _ in range(permutations)]

    def value(self, net_benefit: FloatArray) -> PartialValue:
        """Return the value of knowing the parameters, for net benefits (S, D) of the same draws.

        Raises ``DataError`` when the rows do not match in number.
        """
        n = len(self._shuffled[0])
        if len(net_benefit) != n:
            raise DataError(
                f"{n} rows of parameters and {len(net_benefit)} of net benefit: each row must be the same draw in "
                "both. EVPPI from rows that do not match is noise."
            )
        against_first = net_benefit[:, 1:] - net_benefit[:, [0]]
        crossed = np.empty_like(against_first)
        for outside, smoother, rest in self._parts:
            crossed[~outside] = smoother.predict(against_first[outside], rest)
        value = float(_gain(self._whole.fitted(against_first)[:, None, :])[0])
        floor = float(np.quantile(self._noise(against_first), 0.95))
        return PartialValue(value, _cross_gain(crossed, against_first), floor)

    def _noise(self, against_first: FloatArray) -> FloatArray:
        """The same estimate with shuffled rows (permutations,), a batch of them in one product."""
        n, options = against_first.shape
        noise = []
        for start in range(0, len(self._shuffled), _BATCH):
            rows = np.stack(self._shuffled[start : start + _BATCH], axis=1)
            fitted = self._whole.fitted(against_first[rows].reshape(n, -1))
            noise.append(_gain(fitted.reshape(n, -1, options)))
        return np.concatenate(noise)


def regression_beside(
    mean: float, sd: float, own: float, rng: np.random.Generator, n_draws: int = 1000, permutations: int = 100
) -> PartialValue:
    r"""Return what an EVPPI regression finds, to stand beside the closed form of `evppi_linear` as its check.

    .. math:: NB = m + sd_i z_1 + \sqrt{sd^2 - sd_i^2}\, z_2

    is regressed on :math:`z_1`, and on its shuffled rows for the floor, the 95 % quantile over the permutations: below
    it a value is not distinguishable from 0. The draws are stratified, so that their mean is m. Parameters: `mean` m
    and `sd` of the net benefit, `own` sd_i of `evppi_linear`.

    >>> found = regression_beside(0.0, 1.0, 0.5, np.random.default_rng(1), permutations=20)
    >>> found.floor < float(unit_loss(0.0, 0.5)), abs(found.value / float(unit_loss(0.0, 0.5)) - 1.0) < 0.1
    (True, True)
    """
    from scipy.special import ndtri

    z = np.column_stack([ndtri((rng.permutation(n_draws) + 0.5) / n_draws) for _ in range(2)])
    value = mean + own * z[:, 0] + np.sqrt(max(sd**2 - own**2, 0.0)) * z[:, 1]
    regression = ParameterRegression(z[:, :1], rng, permutations, folds=2)
    return regression.value(np.column_stack([np.zeros(n_draws), value]))


def evppi_regression(
    net_benefit: FloatArray, parameters: FloatArray, rng: np.random.Generator, permutations: int = 100, folds: int = 10
) -> PartialValue:
    r"""Return EVPPI of a set of parameters from draws, by penalised natural cubic splines (`ParameterRegression`).

    The floor is the 95 % quantile of the same estimate with shuffled parameter rows. Parameters: `net_benefit` (S, D),
    `parameters` (S, p), the same draw in the same row. Raises ``DataError`` when rows do not match in number or there
    are too many parameters.

    >>> x = np.linspace(-1.0, 1.0, 200)[:, None]          # the second option is better wherever x > 0
    >>> found = evppi_regression(np.column_stack([0.0 * x, x]), x, np.random.default_rng(1), permutations=2)
    >>> round(found.value, 2)                             # the mean of max(x, 0)
    0.25
    """
    return ParameterRegression(parameters, rng, permutations, folds).value(net_benefit)


def _gain(fitted: FloatArray) -> FloatArray:
    """Mean of the best minus the best of the means for regressions (S, B, D - 1), the first option being zero (B,)."""
    best = np.maximum(fitted.max(axis=2), 0.0).mean(axis=0)
    return best - np.maximum(fitted.mean(axis=0).max(axis=1), 0.0)


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
