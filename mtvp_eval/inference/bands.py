"""Simultaneous bands: intervals that cover all entries of a set at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, frozen
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.variance import cluster_sums

_AT_ONCE = 64
"""Bootstrap draws worked on at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Hold a band over K entries: errors, factors and ends (K,), the level, and how it was made.

    ``critical_value`` is the sup-t quantile; ``factor`` (K,) is what multiplies each standard error: the critical
    value, or the t quantile with the same tail where degrees of freedom are few. Entries without an error are NaN.
    """

    std_error: FloatArray
    factor: FloatArray
    low: FloatArray
    high: FloatArray
    critical_value: float
    level: float
    method: str


def simultaneous_band(
    effects: EffectEstimates, rng: np.random.Generator, *, level: float = 0.95, draws: int = 20_000
) -> Band:
    r"""Return the band from the largest of correlated normals.

    .. math:: c = q_{level}\Big( \max_k |Z_k| \Big), \quad Z \sim N(0, corr(\hat V)), \qquad
              \hat\theta_k \pm t_{df_k}^{-1}(\Phi(c)) \, \widehat{se}_k

    Parameters
    ----------
    effects : the entries that the band must cover together, and no others.
    rng : generator.
    level : joint coverage.
    draws : draws of Z; the Monte Carlo error of c is about 0.01 at 20,000.

    Raises
    ------
    EstimationError
        If no entry has a standard error.

    Source: Montiel Olea & Plagborg-Moller (2019), algorithm 1; Callaway & Sant'Anna (2021), corollary 1.

    Example
    -------
    >>> from mtvp_eval.estimators.results import EffectKey
    >>> effects = EffectEstimates((EffectKey("y", "overall"),), np.zeros(1), np.array(list("ab"), dtype=object),
    ...     np.array([[1.0], [-1.0]]), np.zeros(2, dtype=int))
    >>> abs(simultaneous_band(effects, np.random.default_rng(0)).critical_value - 1.96) < 0.03
    True
    """
    error = effects.std_error()
    kept = _with_error(error)
    covariance = effects.take(kept).covariance()
    scale = 1 / error[kept]
    values, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    largest = np.abs(rng.standard_normal((draws, len(kept))) @ root.T).max(axis=1)
    critical = float(np.quantile(largest, level))
    return _band(effects, error, critical, _t_factor(critical, effects.df()), level, "sup-t, normal draws")


def multiplier_bootstrap(
    effects: EffectEstimates, rng: np.random.Generator, *, level: float = 0.95, draws: int = 5_000
) -> Band:
    r"""Return the band of the multiplier bootstrap, as R ``did`` makes it.

    .. math:: x^{(b)} = \frac{1}{n} \sum_c V_{bc} \sum_{i \in c} \psi_i, \; V = \pm 1, \qquad
              \widehat{se} = \frac{q_{.75}(x) - q_{.25}(x)}{z_{.75} - z_{.25}}, \qquad
              c = q_{level}\Big( \max_k |x_k / \widehat{se}_k| \Big)

    Its errors scatter with the draws and its tails are light where few units carry an estimate; the default band is
    ``simultaneous_band``. Parameters as there; ``draws`` of signs.

    Raises
    ------
    EstimationError
        If no entry has a standard error.

    Source: Callaway & Sant'Anna (2021), algorithm 1, with Rademacher signs and inverse-distribution quantiles.

    Example
    -------
    >>> from mtvp_eval.estimators.results import EffectKey
    >>> values = np.random.default_rng(0).normal(size=(400, 1))
    >>> effects = EffectEstimates((EffectKey("y", "overall"),), np.zeros(1), np.arange(400).astype(object),
    ...     values, np.zeros(400, dtype=int))
    >>> band = multiplier_bootstrap(effects, np.random.default_rng(1))
    >>> bool(abs(band.std_error[0] * 20 / values.std() - 1) < 0.06)
    True
    """
    kept = _with_error(effects.std_error())
    influence = effects.influence if len(kept) == len(effects) else effects.influence[:, kept]
    sums = cluster_sums(influence, effects.cluster)
    # Sums of single-precision values are off by 1e-6 of their spread, which the draws themselves leave open to 1e-2.
    single, drawn = sums.astype(np.float32), np.empty((draws, len(kept)))
    for first in range(0, draws, _AT_ONCE):
        here = drawn[first : first + _AT_ONCE]
        bits = np.frombuffer(rng.bytes(len(here) * -(-len(sums) // 8)), dtype=np.uint8).reshape(len(here), -1)
        positive = np.unpackbits(bits, axis=1, count=len(sums))
        here[:] = positive.astype(np.float32) @ single
    drawn = (2 * drawn - sums.sum(axis=0)) / effects.n_units
    low, high = np.quantile(drawn, [0.25, 0.75], axis=0, method="inverted_cdf")
    error = np.full(len(effects), np.nan)
    error[kept] = (high - low) / (2 * 0.6744897501960817)  # the normal's upper quartile
    largest = np.abs(drawn / error[kept]).max(axis=1)
    critical = float(np.quantile(largest, level, method="inverted_cdf"))
    return _band(effects, error, critical, np.full(len(effects), critical), level, "multiplier bootstrap")


def _with_error(error: FloatArray) -> list[int]:
    kept = np.flatnonzero(np.isfinite(error) & (error > 0)).tolist()
    if not kept:
        raise EstimationError("None of the entries has a standard error, so no band can be drawn.")
    return [int(k) for k in kept]


def _t_factor(critical: float, df: FloatArray) -> FloatArray:
    from scipy.special import ndtr, stdtrit

    finite = np.isfinite(df) & (df > 0)
    tail = ndtr(-critical)
    return np.where(finite, -stdtrit(np.where(finite, df, 1.0), tail), critical)


def _band(
    effects: EffectEstimates, error: FloatArray, critical: float, factor: FloatArray, level: float, method: str
) -> Band:
    shown = np.where(np.isfinite(error), factor, np.nan)
    half = shown * error
    return Band(
        frozen(error),
        frozen(shown),
        frozen(effects.estimate - half),
        frozen(effects.estimate + half),
        critical,
        level,
        method,
    )
