"""Many regions: one mean with weights fixed in advance, partial pooling, and each region drawn towards the mean.

Source: Hartung & Knapp (2001), Stat. Med. 20; Higgins, Thompson & Spiegelhalter (2009), J. R. Stat. Soc. A 172, for the
prediction interval; Satterthwaite (1946) for degrees of freedom. Regions are never ranked: they stand by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray, frozen
from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.pooling import PartialPooling, partial_pooling

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class PooledMean:
    """Hold a mean of independent regional effects with weights that were known before outcomes."""

    mean: float
    std_error: float
    df: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class PooledRegions:
    """Hold what many regions say together, and each of them in the light of the others.

    Parameters
    ----------
    names : k regions, in the order of their names; not of their effects.
    estimate, std_error, df : (k,) each region alone.
    fixed : mean with the weights fixed in advance: the effect in these regions.
    random : partial pooling: the effect regions have in general; its interval is never narrower than with the regions'
        own degrees of freedom and no difference between regions.
    low, high : (k,) interval of each region's effect drawn towards the mean.
    level : of all intervals.
    """

    names: tuple[str, ...]
    estimate: FloatArray
    std_error: FloatArray
    df: FloatArray
    fixed: PooledMean
    random: PartialPooling
    random_low: float
    random_high: float
    low: FloatArray
    high: FloatArray
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row a region, by name: its own effect, and the one drawn towards the mean."""
        import pandas as pd

        return pd.DataFrame(
            {
                "region": self.names, "estimate": self.estimate, "std_error": self.std_error, "df": self.df,
                "shrunken": self.random.shrunken, "low": self.low, "high": self.high,
            }
        )  # fmt: skip

    def sentence(self) -> str:
        """Say what a region that was not studied may expect, or that too few were studied to say it."""
        if self.random.prediction is None:
            return f"{len(self.names)} regions are too few to say what another region may expect; three are needed."
        low, high = self.random.prediction
        said = f"Another region may expect an effect between {low:.4g} and {high:.4g} ({self.level:.0%} prediction"
        return said + (" interval; with so few regions it covers less)." if len(self.names) < 10 else " interval).")


def pooled_mean(
    estimate: FloatArray, std_error: FloatArray, df: FloatArray, weight: FloatArray, level: float = 0.95
) -> PooledMean:
    r"""Return :math:`\sum_j w_j \hat\theta_j` with w fixed before outcomes, such as the regions' treated practices.

    .. math:: \nu = \Big(\sum_j w_j^2 s_j^2\Big)^2 \Big/ \sum_j (w_j^2 s_j^2)^2 / \nu_j

    Parameters: `estimate`, `std_error`, `df` (k,) of the regions, infinite where the normal is used; `weight` (k,)
    positive, normalised here; `level` of the interval. Raises ``EstimationError`` if an error or weight is not
    positive.

    >>> pooled = pooled_mean(np.array([-2.0, 0.0]), np.array([1.0, 1.0]), np.array([9.0, 9.0]), np.array([3.0, 1.0]))
    >>> pooled.mean, round(pooled.std_error, 4), round(pooled.df, 2)
    (-1.5, 0.7906, 10.98)
    """
    from scipy.special import stdtrit

    if not (np.all(std_error > 0) and np.all(weight > 0) and np.isfinite(std_error).all()):
        raise EstimationError("Pooling needs a positive standard error and weight of every region.")
    share = weight / weight.sum()
    part = (share * std_error) ** 2
    below = float((part**2 / df).sum())
    nu = float(part.sum() ** 2 / below) if below else np.inf
    mean, error = float(share @ estimate), float(np.sqrt(part.sum()))
    half = float(stdtrit(min(nu, 1e9), 0.5 + level / 2)) * error
    return PooledMean(mean, error, nu, mean - half, mean + half)


def pool_regions(
    names: Sequence[str],
    estimate: FloatArray,
    std_error: FloatArray,
    df: FloatArray,
    weight: FloatArray,
    level: float = 0.95,
) -> PooledRegions:
    """Pool regions: with fixed weights, and partially, with a prediction interval from three regions on.

    Parameters
    ----------
    names : k regions, all different.
    estimate, std_error, df : (k,) each region's recentred effect, its error and degrees of freedom.
    weight : (k,) fixed before the draw, such as the practices in it.
    level : of the intervals.

    Raises
    ------
    EstimationError
        If names repeat, fewer than two regions are given, or an error or weight is not positive.

    Example
    -------
    >>> pooled = pool_regions(("b", "a"), np.array([-1.0, -3.0]), np.ones(2), np.full(2, 20.0), np.ones(2))
    >>> pooled.names, pooled.fixed.mean, pooled.random.prediction
    (('a', 'b'), -2.0, None)
    """
    from scipy.special import stdtrit

    if len(set(names)) != len(names):
        raise EstimationError(f"{len(names) - len(set(names))} names of regions repeat.")
    order = np.argsort(np.array(names, dtype=str), kind="stable")
    theta, s, nu, w = (np.asarray(x, dtype=np.float64)[order] for x in (estimate, std_error, df, weight))
    random = partial_pooling(theta, s, level)
    fixed = pooled_mean(theta, s, nu, w, level)
    alone = pooled_mean(theta, s, nu, 1 / (s**2 + random.between_variance), level)
    half = max(random.high - random.mean, alone.high - alone.mean)
    reach = stdtrit(np.minimum(nu, 1e9), 0.5 + level / 2) * random.shrunken_error
    return PooledRegions(
        tuple(names[i] for i in order), frozen(theta), frozen(s), frozen(nu), fixed, random, random.mean - half,
        random.mean + half, frozen(random.shrunken - reach), frozen(random.shrunken + reach), level,
    )  # fmt: skip
