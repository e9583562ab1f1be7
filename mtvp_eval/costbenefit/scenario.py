"""One reading of the future: years, patient-years, persistence, price year and discounting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray, frozen
from mtvp_eval.costbenefit.discounting import Convention, DiscountProfile, discount_factors
from mtvp_eval.costbenefit.effects import ALL_INSURERS
from mtvp_eval.costbenefit.prices import PriceRow, PriceTable, supplied_amounts
from mtvp_eval.costbenefit.profiles import observed_only, read_persistence, read_share
from mtvp_eval.costbenefit.reading import Problems
from mtvp_eval.errors import LedgerError

_REQUIRED = ("first_year", "price_year", "discount")
_OPTIONAL = (
    "name",
    "years",
    "observed_years",
    "enrolled",
    "participation",
    "patient_years",
    "persistence",
    "convention",
    "inputs",
    "insured_of",
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Years, paid patient-years (T,), how many years are observed, persistence (T,), price year and discounting.

    With the defaults every year is observed and nothing is extrapolated. `supplied` are amounts the user gave because
    none is published, `levels` supplied levels of the price index. `insured_of` names the insurer (UZOVI) whose insured
    the patient-years are, `all` for every registered patient.
    """

    name: str
    first_year: int
    patient_years: FloatArray
    observed_years: int
    persistence: FloatArray
    price_year: int
    discount: DiscountProfile
    convention: Convention = Convention.YEAR1_UNDISCOUNTED
    supplied: tuple[PriceRow, ...] = ()
    levels: Mapping[int, float] = field(default_factory=dict)
    insured_of: str = ALL_INSURERS

    @property
    def n_years(self) -> int:
        """Number of years T."""
        return len(self.patient_years)

    @property
    def years(self) -> IntArray:
        """Calendar years (T,)."""
        return self.first_year + np.arange(self.n_years)

    @property
    def observed(self) -> FloatArray:
        """1 in observed years, 0 after them (T,)."""
        return observed_only(self.observed_years, self.n_years)

    def factors(self) -> FloatArray:
        """Return the discount factors of costs (T,)."""
        return discount_factors(self.discount.cost_rate, self.n_years, self.convention)

    def supplied_observed(self) -> tuple[PriceRow, ...]:
        """Return the supplied amounts that are valid in an observed year; others touch extrapolated years only."""
        last = self.first_year + self.observed_years - 1
        return tuple(
            row
            for row in self.supplied
            if row.valid_from.year <= last and (row.valid_to is None or row.valid_to.year >= self.first_year)
        )

    def prices(self, table: PriceTable) -> PriceTable:
        """Return the price table with what this scenario supplies."""
        return table.with_rows(self.supplied, self.levels)


def own_insured(patient_years: FloatArray, insured_share: FloatArray) -> FloatArray:
    r"""Return one insurer's patient-years: :math:`\sum_i s_i n_{it}`.

    Parameters: `patient_years` (n, T) of each practice, `insured_share` (n,) of its registered patients insured there.
    Raises ``LedgerError`` when a share lies outside 0-1 or is missing.

    >>> own_insured(np.array([[1000.0, 1000.0], [500.0, 800.0]]), np.array([0.6, 0.2])).tolist()
    [700.0, 760.0]
    """
    outside = int((~((insured_share >= 0.0) & (insured_share <= 1.0))).sum())
    if outside:
        raise LedgerError(f"{outside} practices have no insured share between 0 and 1. Complete insurers.csv.")
    return insured_share @ patient_years


def observed_scenario(
    name: str, first_year: int, patient_years: FloatArray, price_year: int, discount: DiscountProfile
) -> Scenario:
    """Build the default scenario: all years observed, nothing extrapolated; `patient_years` is one number a year.

    >>> profile = DiscountProfile("zin2024", 0.03, 0.015)
    >>> observed_scenario("base", 2023, np.array([1000.0, 2000.0]), 2024, profile).years.tolist()
    [2023, 2024]
    """
    n = len(patient_years)
    return Scenario(name, first_year, frozen(np.array(patient_years, dtype=float)), n, np.ones(n), price_year, discount)


def read_scenario(
    mapping: Any,
    profiles: Mapping[str, DiscountProfile],
    table: PriceTable,
    patient_years: FloatArray | None = None,
) -> Scenario:
    """Read a scenario strictly; `patient_years` come from the data where there are data.

    Parameters: `mapping` with first_year, price_year, discount, and optionally years, observed_years, persistence,
    convention, inputs (amounts without a published figure), and either patient_years or enrolled with
    participation. Raises ``LedgerError`` with every problem.
    """
    problems = Problems("The cost-benefit scenario")
    if not problems.keys(mapping, "", _REQUIRED, _OPTIONAL):
        problems.raise_if_any()
    volume = _patient_years(mapping, patient_years, problems)
    n = len(volume)
    observed = mapping.get("observed_years", n)
    if isinstance(observed, bool) or not isinstance(observed, int) or not 1 <= observed <= n:
        problems.add("observed_years", f"must be a whole number from 1 to {n}")
        observed = n
    persistence = read_persistence(mapping.get("persistence"), observed, n, "persistence", problems)
    profile = profiles.get(mapping["discount"])
    if profile is None:
        problems.add("discount", f"must be one of {', '.join(profiles)}")
    convention = mapping.get("convention", Convention.YEAR1_UNDISCOUNTED)
    if convention not in list(Convention):
        problems.add("convention", f"must be one of {', '.join(Convention)}")
    supplied, levels = supplied_amounts(mapping.get("inputs") or {}, table, problems)
    years = (problems.year(mapping["first_year"], "first_year"), problems.year(mapping["price_year"], "price_year"))
    problems.raise_if_any()
    if profile is None:
        raise LedgerError("The scenario names no discount profile.")
    return Scenario(
        str(mapping.get("name", "base")),
        years[0],
        frozen(volume),
        observed,
        frozen(persistence),
        years[1],
        profile,
        Convention(convention),
        supplied,
        levels,
        str(mapping.get("insured_of", ALL_INSURERS)),
    )


def _patient_years(mapping: Mapping[str, Any], given: FloatArray | None, problems: Problems) -> FloatArray:
    """Patient-years from the data, from a list, or as enrolled x participation; exactly one of them."""
    listed, enrolled = mapping.get("patient_years"), mapping.get("enrolled")
    if sum(source is not None for source in (given, listed, enrolled)) != 1:
        problems.add("", "give patient-years once: from the data, as patient_years, or as enrolled with participation")
        return np.ones(1)
    if given is not None:
        return np.array(given, dtype=float)
    if listed is not None:
        if not isinstance(listed, list) or not listed:
            problems.add("patient_years", "must be a list, one number a year")
            return np.ones(1)
        return np.array([problems.number(v, f"patient_years[{i}]", low=0.0) for i, v in enumerate(listed)])
    n = mapping.get("years")
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        problems.add("years", "must be a whole number of years when enrolled is given")
        return np.ones(1)
    share = read_share(mapping.get("participation", 1.0), n, "participation", problems)
    return problems.number(enrolled, "enrolled", low=0.0) * share
