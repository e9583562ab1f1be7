"""The effect of one quarter of exposure: effect of winning over quarters started, with Fieller's interval.

Source: Fieller (1954); the set is that of Anderson & Rubin (1949), Ann. Math. Stat. 20, with one instrument.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.uptake import QUARTERS_STARTED
from mtvp_eval.inference.fieller import RatioSet, fieller

ASSUMPTIONS = (
    "each quarter of exposure adds the same effect",
    "winning acts through taking part only (exclusion)",
    "nobody takes part less because he won (monotonicity)",
)
"""What turns an effect of winning into one of a quarter of exposure; the draw itself gives none of the three."""


@dataclass(frozen=True, slots=True)
class PerQuarter:
    """Effect per quarter of exposure, what it is made of, and its confidence set.

    `itt` and `itt_exposure` are the effects of winning on the outcome and on quarters started; `shape` says whether the
    set is an interval, all but an interval, or everything (winners hardly took part more than others).
    """

    outcome: str
    itt: float
    itt_error: float
    itt_exposure: float
    exposure_error: float
    estimate: float
    low: float
    high: float
    shape: RatioSet
    df: float
    level: float
    label: str = "per quarter of exposure"
    assumptions: tuple[str, ...] = ASSUMPTIONS


def per_quarter_of_exposure(both: EffectEstimates, level: float = 0.95) -> PerQuarter:
    r"""Return the effect of winning on an outcome over that on quarters started.

    .. math:: \hat\beta = \hat\theta_Y / \hat\theta_D, \qquad
              \{\beta : (\hat\theta_Y - \beta\hat\theta_D)^2 \le t^2 \hat V(\hat\theta_Y - \beta\hat\theta_D)\}

    Parameters
    ----------
    both : two entries, the outcome and `QUARTERS_STARTED`, as `estimators.uptake.uptake` gives them.
    level : of the set; t has the smaller of the two degrees of freedom.

    Raises
    ------
    EstimationError
        If the entries are others, or one has no standard error.

    Source: see the module.
    """
    from scipy.special import stdtrit

    names = [key.outcome for key in both.index]
    if len(names) != 2 or names[1] != QUARTERS_STARTED:
        raise EstimationError(f"The ratio needs an outcome and {QUARTERS_STARTED}, in this order, not {names}.")
    covariance = both.covariance()
    if not np.isfinite(covariance).all():
        raise EstimationError("One of the two effects of winning has no standard error, so their ratio has none.")
    y, d = (float(v) for v in both.estimate)
    everybody_alike = covariance[1, 1] <= 1e-12 * max(d * d, 1e-300)  # all took part as drawn: d is a known number
    df = float(both.df()[0]) if everybody_alike else float(np.nanmin(both.df()))
    critical = float(stdtrit(df, 0.5 + level / 2)) if np.isfinite(df) else float(stdtrit(1e9, 0.5 + level / 2))
    ratio = fieller(y, d, (float(covariance[0, 0]), float(covariance[1, 1])), float(covariance[0, 1]), critical)
    errors = np.sqrt(np.diag(covariance))
    return PerQuarter(
        names[0], y, float(errors[0]), d, float(errors[1]), ratio.estimate, ratio.low, ratio.high, ratio.shape, df,
        level,
    )  # fmt: skip
