"""Productivity: the friction-cost method of the Dutch costing manual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.errors import LedgerError


def friction_period(open_vacancies: float, filled_vacancies: float) -> float:
    r"""Return the friction period in days: :math:`365.25 \cdot open / filled + 28`.

    The manual prescribes the mean of five years. Raises ``LedgerError`` without filled vacancies. Source:
    Kostenhandleiding, Zorginstituut Nederland.

    >>> round(friction_period(423.7, 1462), 2)
    133.85
    """
    if filled_vacancies <= 0.0:
        raise LedgerError("The friction period needs the number of filled vacancies.")
    return 365.25 * open_vacancies / filled_vacancies + 28.0


def mean_friction_period(open_vacancies: Sequence[float], filled_vacancies: Sequence[float]) -> float:
    """Return the mean friction period of several years in days."""
    return float(np.mean([friction_period(o, f) for o, f in zip(open_vacancies, filled_vacancies, strict=True)]))


def friction_cost(
    absence_days: FloatArray | float,
    period_days: float,
    hours_per_day: float,
    price_per_hour: float,
    elasticity: float = 1.0,
) -> FloatArray:
    r"""Return the productivity cost of an absence in euros.

    .. math:: \min(absence, period) \cdot hours/day \cdot price \cdot elasticity

    Parameters: `absence_days`, one number or an array. Days are calendar days, hours per calendar day: 24 hours in a
    week are 24/7 a day. Do not multiply days by a price per hour. The elasticity of production was 0.8 in older
    manuals; its present value was not confirmed, so 1 is used and another value is an assumption of the user.

    >>> round(float(friction_cost(10, 120.68, 24 / 7, 41.39544)), 2)
    1419.27
    """
    return np.minimum(np.asarray(absence_days, dtype=float), period_days) * hours_per_day * price_per_hour * elasticity
