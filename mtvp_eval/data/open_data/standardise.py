"""Age-sex standardisation of cost: indirect (observed over expected) and direct with frozen weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, frozen
from mtvp_eval.errors import EstimationError


@dataclass(frozen=True, slots=True)
class Standardised:
    """Observed and expected cost, (..., n) euro, and the reference rates, (..., C) euro per insured year."""

    observed: FloatArray
    expected: FloatArray
    rates: FloatArray

    @property
    def log_ratio(self) -> FloatArray:
        """Log of observed over expected, (..., n): the headline scale; no deflator is needed."""
        return np.log(self.observed / self.expected)


def indirect(cost: FloatArray, insured: FloatArray, reference: BoolArray) -> Standardised:
    r"""Compare each unit's cost with what the reference rates of the same year expect at its ages and sexes.

    .. math::
        r_c = \sum_{i \in R} K_{ic} / \sum_{i \in R} n_{ic}, \qquad O_i = \sum_c K_{ic}, \quad E_i = \sum_c r_c n_{ic}

    Parameters
    ----------
    cost : (..., n, C) euro by age-sex cell; NaN where suppressed. Leading axes (sector, year) broadcast with `insured`.
    insured : (..., n, C) insured years; NaN in the same cells.
    reference : (n,) units whose pooled rates are the standard: those never exposed, so that an effect cannot enter its
        own expectation.

    Returns
    -------
    Standardised
        A suppressed cell is left out of O and E alike.

    Raises
    ------
    EstimationError
        If no reference unit observes a cell that some unit observes, or an expectation is not positive.

    Example
    -------
    >>> import numpy as np
    >>> cost = np.array([[100.0, 400.0], [100.0, 400.0], [300.0, np.nan]])
    >>> insured = np.array([[10.0, 10.0], [10.0, 10.0], [20.0, np.nan]])
    >>> indirect(cost, insured, np.array([True, True, False])).expected.tolist()
    [500.0, 500.0, 200.0]

    Source: standard epidemiology (standardised mortality ratio), applied to cost; specification section 10.
    """
    seen = ~np.isnan(insured)
    years = np.where(seen, insured, 0.0)
    euro = np.where(seen, cost, 0.0)
    denominator = years[..., reference, :].sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = euro[..., reference, :].sum(axis=-2) / denominator
    unknown = int((seen.any(axis=-2) & (denominator <= 0)).sum())
    if unknown:
        raise EstimationError(
            f"{unknown} age-sex cells are observed in no reference municipality, so nothing can be expected for them; "
            "widen the reference group."
        )
    expected = (years * np.where(np.isfinite(rates), rates, 0.0)[..., None, :]).sum(axis=-1)
    observed = euro.sum(axis=-1)
    if bool((expected <= 0).any()):
        raise EstimationError(
            f"The expected cost of {int((expected <= 0).sum())} unit-years is not positive; a sector this small has no "
            "standardised ratio."
        )
    return Standardised(frozen(observed), frozen(expected), frozen(rates))


@dataclass(frozen=True, slots=True)
class DirectRates:
    """Directly standardised euro per insured year, (..., n), with bounds for the suppressed cells."""

    rate: FloatArray
    low: FloatArray
    high: FloatArray


def direct(cost: FloatArray, insured: FloatArray, weights: FloatArray) -> DirectRates:
    r"""Return each unit's cost per insured year at one frozen age-sex distribution.

    .. math:: d_i = \sum_c w_c K_{ic} / n_{ic}

    Parameters
    ----------
    cost, insured : (..., n, C) as in `indirect`.
    weights : (C,) shares of the standard population, sum one, the same in all years.

    Returns
    -------
    DirectRates
        A suppressed cell takes the mean rate of the units that show it; `low` and `high` take the smallest and the
        largest rate any unit shows.

    Example
    -------
    >>> import numpy as np
    >>> cost = np.array([[10.0, 40.0], [20.0, np.nan]])
    >>> d = direct(cost, np.array([[1.0, 1.0], [1.0, np.nan]]), np.array([0.5, 0.5]))
    >>> d.rate.tolist(), d.low.tolist()
    ([25.0, 30.0], [25.0, 30.0])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = cost / insured
    hole = np.isnan(rate)
    years = np.where(hole, 0.0, insured)
    pooled = np.where(hole, 0.0, cost).sum(axis=-2) / years.sum(axis=-2)
    smallest = np.where(hole, np.inf, rate).min(axis=-2)
    largest = np.where(hole, -np.inf, rate).max(axis=-2)
    filled = [(np.where(hole, fill[..., None, :], rate) * weights).sum(axis=-1) for fill in (pooled, smallest, largest)]
    return DirectRates(*(frozen(values) for values in filled))
