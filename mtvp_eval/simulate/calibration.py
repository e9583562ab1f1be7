"""Levels, noise and seasons from which regions are simulated; each number with its source, or marked as assumed.

Growth of a practice's yearly level has variance a + b / list size. For costs a and b come from the growth of
municipalities 2016 to 2019 (Vektis open data), extrapolated to the size of a practice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray

CONSULTS = "consults_per_1000"
LONG_SHARE = "long_consult_share"
REFERRALS = "referrals_per_1000"
DIAGNOSTICS = "diagnostics_per_1000"
COST_GP = "cost_gp"
COST_HOSPITAL = "cost_hospital"
COST_PHARMACY = "cost_pharmacy"

REFERENCE_YEAR = 2023
"""Year whose level a relative effect is a share of."""

QUARTERLY_CORRELATION = 0.5
"""AR(1) of a practice's deviations from quarter to quarter. Assumed; 0.3 to 0.7 are the range considered plausible."""

PATIENTS_PER_FTE = 2095.0
"""Norm since 2018 (NZa)."""

YEARLY_MOBILITY = 0.08
"""Share of a list that leaves, and that joins, in a year. Assumed."""


class Kind(StrEnum):
    """How a series appears in the extracts."""

    COUNT = "count"
    """Events per 1,000 registered patients per quarter; the extract holds counts."""
    SHARE = "share"
    """Per cent of another count; the extract holds the part."""
    COST = "cost"
    """Euro per insured year; the extract holds amounts by sector."""


@dataclass(frozen=True, slots=True)
class Series:
    """One simulated outcome: `by_year` its national level, in the unit of the outcome.

    `a`, `b` variance of yearly growth = a + b / list size; `between` coefficient of variation of practice levels;
    `common` correlation of its deviations with what all series of a practice share.
    """

    kind: Kind
    by_year: Mapping[int, float]
    a: float
    b: float
    between: float
    common: float
    season: tuple[float, float, float, float]
    covid: tuple[float, float, float, float]

    def level(self, clock: IntArray) -> FloatArray:
        """Return the national level (T,) in each quarter of the clock; years outside the table keep its first or last.

        Season and the pattern within 2020 leave the mean of each year as it is in the table.
        """
        year, part = clock // 4, clock % 4
        yearly = np.interp(year, list(self.by_year), list(self.by_year.values()))
        shape = np.asarray(self.season)
        in_2020 = shape * self.covid
        pattern = np.where(year == 2020, (in_2020 / in_2020.mean())[part], (shape / shape.mean())[part])
        return np.asarray(yearly * pattern, dtype=np.float64)

    @property
    def reference(self) -> float:
        """Level of the reference year, of which relative effects are a share."""
        return float(self.by_year[REFERENCE_YEAR])


# Seasons are assumed: fewer contacts in the summer quarter. The dips of spring 2020 are assumed in shape; the yearly
# levels of 2020 are published.
_CONTACTS = (1.05, 1.00, 0.92, 1.03)
_ELECTIVE = (1.03, 1.01, 0.94, 1.02)
_EVEN = (1.00, 1.00, 1.00, 1.00)

SERIES: Mapping[str, Series] = {
    # Consultations and visits per registered patient: 4.5, 4.3, 4.6 in 2019 to 2021 (NZa, kerncijfers huisartsenzorg);
    # later years assumed at 4.6. Noise: that of GP cost as a stand-in.
    CONSULTS: Series(
        Kind.COUNT,
        {2019: 1125.0, 2020: 1075.0, 2021: 1150.0, 2022: 1150.0, 2023: 1150.0},
        3.8e-4, 4.55, 0.10, 0.7, _CONTACTS, (1.02, 0.87, 1.03, 1.00),
    ),
    # Share of 20 minutes or longer: assumed; 58.62 euro of claims per insured year at 4.6 consultations and the
    # tariffs of 2023 leave room for 10 to 20 per cent.
    LONG_SHARE: Series(Kind.SHARE, {2023: 15.0}, 3.8e-4, 4.55, 0.10, 0.0, _EVEN, _EVEN),
    # Referrals to medical specialists: 327.1 per 1,000 in 2021, 7.0 % above 2019 (Nivel Zorgregistraties); 2020 19 %
    # below 2019; later years assumed as 2021. Noise: twice Poisson and the a of GP cost (assumed).
    REFERRALS: Series(
        Kind.COUNT,
        {2019: 76.4, 2020: 61.9, 2021: 81.8, 2022: 81.8, 2023: 81.8},
        3.8e-4, 4 / 0.327, 0.10, 0.6, _ELECTIVE, (0.97, 0.60, 0.86, 0.81),
    ),
    # Requests for diagnostics: no public level; 600 per 1,000 a year assumed. Noise as for referrals.
    DIAGNOSTICS: Series(
        Kind.COUNT,
        {2019: 150.0, 2020: 135.0, 2021: 150.0, 2023: 150.0},
        3.8e-4, 4 / 0.6, 0.10, 0.6, _ELECTIVE, (0.97, 0.70, 0.95, 0.98),
    ),
    # Cost per insured year (Vektis open data per municipality). GP cost without registration fee; 2020 and 2021 are the
    # published totals less an interpolated registration fee; in 2023 4.32 euro of the programme's own fee, which sits
    # in the published figure, is taken off; 2024 follows the consultation tariff (12.21 / 11.51).
    COST_GP: Series(
        Kind.COST,
        {2019: 142.97, 2020: 150.86, 2021: 161.07, 2022: 168.01, 2023: 183.81, 2024: 194.99},
        3.8e-4, 4.55, 0.10, 0.7, _CONTACTS, (1.01, 0.95, 1.02, 1.02),
    ),
    # 2024 of hospital and pharmacy: 2023 moved by the consumer price index (1.033, CBS), assumed.
    COST_HOSPITAL: Series(
        Kind.COST,
        {2018: 1376.0, 2019: 1415.0, 2020: 1342.0, 2021: 1477.0, 2022: 1535.0, 2023: 1655.0, 2024: 1710.0},
        3.3e-4, 25.0, 0.093, 0.5, _ELECTIVE, (1.02, 0.80, 1.05, 1.13),
    ),
    COST_PHARMACY: Series(
        Kind.COST,
        {2018: 282.0, 2019: 294.0, 2020: 299.0, 2021: 299.0, 2022: 322.0, 2023: 335.0, 2024: 346.0},
        6.6e-4, 6.85, 0.122, 0.5, _EVEN, (1.04, 0.98, 0.99, 0.99),
    ),
}  # fmt: skip

GP_SECTORS: Mapping[str, tuple[float, float]] = {
    # Shares of GP cost in 2019 and 2023 (Vektis; gp_other without 4.32 euro of programme fee in 2023); linear between.
    "gp_consult": (48.03 / 142.97, 58.62 / 183.81),
    "gp_chain": (35.98 / 142.97, 46.60 / 183.81),
    "gp_other": (58.96 / 142.97, 78.59 / 183.81),
}
REGISTRATION_FEE: Mapping[int, float] = {2019: 70.34, 2022: 77.23, 2023: 82.72, 2024: 87.75}
"""Registration fee per insured year (Vektis); 2024 assumed to have moved as the consultation tariff (12.21 / 11.51)."""


@dataclass(frozen=True, slots=True)
class Survey:
    """One survey score: level before the programme, its spread, and how many answer."""

    level: float
    between: float
    within: float
    per_answer: float
    respondents: float
    per_patient: float
    low: float
    high: float


SURVEYS: Mapping[str, Survey] = {
    # The mark of July 2025, 8.05, was taken after the start: 7.85 before it is assumed, as are all spreads.
    "work_pleasure": Survey(7.85, 0.30, 0.15, 1.0, 3.0, 1 / 500, 1.0, 10.0),
    # 4.6 of 5 in July 2025; before it 4.5 assumed; about 100 answers a practice are needed (CQ-index).
    "patient_satisfaction": Survey(4.50, 0.08, 0.03, 0.6, 60.0, 1 / 100, 1.0, 5.0),
}
