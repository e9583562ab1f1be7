"""Interval of a ratio of two estimates, by Fieller: honest where the denominator may be near zero.

Source: Fieller (1954), J. R. Stat. Soc. B 16, 175-185.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class RatioSet(StrEnum):
    """Shape of the confidence set: an interval, everything outside an interval, or every number."""

    INTERVAL = "interval"
    OUTSIDE = "outside"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio and its confidence set; `low` and `high` bound the interval, or the gap of an outside set."""

    estimate: float
    low: float
    high: float
    shape: RatioSet


def fieller(
    numerator: float, denominator: float, variances: tuple[float, float], covariance: float, critical: float
) -> Ratio:
    r"""Return the set of ratios r that a test of :math:`\hat N - r \hat D = 0` does not reject.

    .. math:: (\hat N - r \hat D)^2 \le c^2 (V_N - 2 r V_{ND} + r^2 V_D)

    Parameters
    ----------
    numerator, denominator : estimates.
    variances : of numerator and denominator.
    covariance : of the two.
    critical : quantile c of the two-sided test.

    Example
    -------
    >>> r = fieller(-0.02, 0.5, (1e-4, 0.0), 0.0, 2.0)
    >>> round(r.estimate, 3), round(r.low, 3), round(r.high, 3), str(r.shape)
    (-0.04, -0.08, 0.0, 'interval')
    >>> str(fieller(1.0, 0.1, (1.0, 1.0), 0.0, 2.0).shape)
    'everything'
    """
    c2 = critical**2
    a = denominator**2 - c2 * variances[1]
    b = numerator * denominator - c2 * covariance
    c = numerator**2 - c2 * variances[0]
    estimate = numerator / denominator if denominator else math.nan
    root = b * b - a * c
    if root < 0:
        return Ratio(estimate, -math.inf, math.inf, RatioSet.EVERYTHING)
    if a == 0:
        return Ratio(estimate, -math.inf, math.inf, RatioSet.EVERYTHING)
    ends = sorted([(b - math.sqrt(root)) / a, (b + math.sqrt(root)) / a])
    return Ratio(estimate, ends[0], ends[1], RatioSet.INTERVAL if a > 0 else RatioSet.OUTSIDE)
