"""From an effect per municipality to an effect per exposed patient, where the data can carry it.

Source: specification section 10 (ratio of sums, Fieller, share uncertainty drawn jointly).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.inference.fieller import Ratio, fieller
from mtvp_eval.inference.placebo import PlaceboTest


@dataclass(frozen=True, slots=True)
class ExposedShare:
    """Exposed share of person-years: its bounds, and mean and standard deviation over joint draws of what is unknown.

    >>> share = ExposedShare.of(np.array([0.1, 0.3]), (0.0, 0.4))
    >>> share.low, share.high, round(share.mean, 6), round(share.sd, 6)
    (0.0, 0.4, 0.2, 0.1)
    """

    low: float
    high: float
    mean: float
    sd: float

    @classmethod
    def of(cls, draws: FloatArray, bounds: tuple[float, float]) -> ExposedShare:
        """Summarise (D,) draws of the share, and its bounds."""
        return cls(*bounds, float(np.mean(draws)), float(np.std(draws)))


@dataclass(frozen=True, slots=True)
class ExposedEffect:
    """Relative effect per exposed patient of one project (or set) on one outcome, or None where it is not printed.

    `detectable` is the smallest fall per exposed patient that would be found in four of five cases: at the largest, the
    mean and the smallest share. `ratio` is None where it exceeds the declared limit at the mean share.
    """

    project: str
    outcome: str
    share: ExposedShare
    detectable: tuple[float, float, float]
    ratio: Ratio | None


def per_exposed_patient(
    project: str, outcome: str, test: PlaceboTest, share: ExposedShare, limit: float
) -> ExposedEffect:
    r"""Divide an effect on all patients by the share that was exposed, with both uncertainties.

    .. math:: \hat r = \frac{e^{\hat\tau} - 1}{\hat s}, \qquad V_N = (e^{\hat\tau} \sigma)^2, \quad V_D = V_s

    The numerator is the effect as a share of the cost to be expected without the project: if the cost of the exposed
    changes by the factor 1 + r, that of all changes by 1 + r s. Effect and share are independent sources. The critical
    value is the placebo distribution's own (its quantile of the absolute studentised contrast).

    Parameters
    ----------
    project, outcome : names.
    test : effect per municipality in log points, and its placebo distribution.
    share : the exposed share of person-years.
    limit : largest detectable fall per exposed patient that is still rescaled, a share of cost.

    Example
    -------
    >>> test = PlaceboTest(-0.02, 0.005, 0.01, -0.03, -0.01, 0.95, 0.014, np.linspace(-2, 2, 99))
    >>> found = per_exposed_patient("p", "hospital", test, ExposedShare(0.05, 0.2, 0.125, 0.04), 0.2)
    >>> [round(d, 3) for d in found.detectable], round(found.ratio.estimate, 3)
    ([0.07, 0.111, 0.278], -0.158)
    >>> per_exposed_patient("p", "hospital", test, ExposedShare(0.02, 0.2, 0.06, 0.04), 0.2).ratio is None
    True
    """
    fall = -float(np.expm1(-test.detectable))
    detectable = (fall / share.high, fall / share.mean, fall / share.low if share.low > 0 else np.inf)
    if detectable[1] > limit:
        return ExposedEffect(project, outcome, share, detectable, None)
    critical = float(np.quantile(np.abs(test.studentised), test.level))
    spread = float(np.exp(test.estimate)) * test.scale
    ratio = fieller(float(np.expm1(test.estimate)), share.mean, (spread**2, share.sd**2), 0.0, critical)
    return ExposedEffect(project, outcome, share, detectable, ratio)
