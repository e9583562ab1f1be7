"""Discount factors of named profiles; one object for all lines, so that costs cannot be discounted in two ways."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.prices import read_rows
from mtvp_eval.costbenefit.reading import Problems
from mtvp_eval.errors import LedgerError


class Convention(StrEnum):
    """When in the year a flow falls; the first year undiscounted is Dutch guideline practice."""

    YEAR1_UNDISCOUNTED = "year1_undiscounted"
    MID_YEAR = "mid_year"
    END_YEAR = "end_year"


_SHIFT = {Convention.YEAR1_UNDISCOUNTED: 0.0, Convention.MID_YEAR: 0.5, Convention.END_YEAR: 1.0}


@dataclass(frozen=True, slots=True)
class DiscountProfile:
    """Real yearly rates for costs and for health effects, under one name."""

    name: str
    cost_rate: float
    effect_rate: float
    source: str = ""


def discount_factors(rate: float, n_years: int, convention: Convention = Convention.YEAR1_UNDISCOUNTED) -> FloatArray:
    r"""Return the discount factor of each year.

    .. math:: d_t = (1+r)^{-(t+s)}, \qquad s = 0, \tfrac12, 1

    for first year undiscounted, mid-year and end-year; t = 0 is the first year. Returns shape (n_years,).
    Raises ``LedgerError`` for a rate of -1 or below.
    Source: Zorginstituut Nederland, guideline for economic evaluations 2024, section 2.6.1.2 (rates).

    >>> discount_factors(0.03, 2).round(6).tolist()
    [1.0, 0.970874]
    """
    if rate <= -1.0:
        raise LedgerError("A discount rate must be above -1. Give 3 % as 0.03.")
    return np.power(1.0 + rate, -(np.arange(n_years, dtype=np.float64) + _SHIFT[convention]))


def nominal_rate(real_rate: float, inflation: float) -> float:
    r"""Return the rate that discounts nominal flows as the real rate discounts real ones: :math:`(1+r)(1+\pi)-1`.

    >>> round(nominal_rate(0.03, 0.025), 5)
    0.05575
    """
    return (1.0 + real_rate) * (1.0 + inflation) - 1.0


def annuity_factor(rate: float, n_years: int) -> float:
    r"""Return the end-of-year annuity factor :math:`(1-(1+i)^{-n})/i`.

    Source: Kostenhandleiding, Zorginstituut Nederland (depreciation of investments).

    >>> round(annuity_factor(0.025, 10), 6)
    8.752064
    """
    return float(n_years) if rate == 0.0 else (1.0 - (1.0 + rate) ** -n_years) / rate


def yearly_equivalent(
    amount: float,
    rate: float,
    n_years: int,
    residual: float = 0.0,
    convention: Convention = Convention.YEAR1_UNDISCOUNTED,
) -> float:
    r"""Return the equal yearly amount that repays an investment.

    .. math:: (V - R(1+i)^{-n}) / A, \qquad A = \sum_t d_t

    The annuity is due (paid from the first day) when the first year is not discounted, so that its present value under
    the same convention is the investment. Never add it to a total that holds the investment itself.

    >>> round(yearly_equivalent(200_000, 0.03, 4), 2)
    52238.26
    """
    net = amount - residual * (1.0 + rate) ** -n_years
    return net / float(discount_factors(rate, n_years, convention).sum())


def read_discount_profiles(folder: Path) -> dict[str, DiscountProfile]:
    """Read the named profiles of ``discounting.csv`` in a price folder."""
    problems = Problems("discounting.csv")
    rows = {row.item: row for row in read_rows(folder / "discounting.csv", problems)}
    problems.raise_if_any()
    names = [item.removesuffix("_costs") for item in rows if item.endswith("_costs")]
    return {
        name: DiscountProfile(
            name, rows[f"{name}_costs"].value or 0.0, rows[f"{name}_effects"].value or 0.0, rows[f"{name}_costs"].source
        )
        for name in names
    }
