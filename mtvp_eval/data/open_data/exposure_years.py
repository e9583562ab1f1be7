"""Exposure by calendar year: how many practices took part, for how many months, with what lists, each as a range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.open_data.codes import read_code_table
from mtvp_eval.errors import DataError

SOURCES = 3
"""Uncertain quantities of a project: practices, patients on a list, months."""


@dataclass(frozen=True, slots=True)
class ExposureYear:
    """One calendar year of a project: months of it and practices, as ranges (12 months from the first full year on)."""

    year: int
    months: tuple[float, float]
    practices: tuple[float, float]


def read_exposure_years(codes: Path) -> dict[str, tuple[ExposureYear, ...]]:
    """Return the years of each project of `open_data_exposure.csv`, in order; a year without a row has no exposure.

    Raises
    ------
    DataError
        Naming every cell that holds no number, or every row that is no range, more than twelve months, or given twice.
    """
    numbers = ["year", "months_low", "months_high", "practices_low", "practices_high"]
    found: dict[str, dict[int, ExposureYear]] = {}
    problems: list[str] = []
    for row in read_code_table(codes, "open_data_exposure", ["project", *numbers, "reason"], numbers).itertuples():
        one = ExposureYear(
            int(row.year),
            (float(row.months_low), float(row.months_high)),
            (float(row.practices_low), float(row.practices_high)),
        )
        years = found.setdefault(str(row.project), {})
        ranges = (one.months, one.practices)
        if any(not 0 <= low <= high for low, high in ranges) or one.months[1] > 12:
            problems.append(f"{row.project} {one.year}: months must lie in 0 to 12, and no low end above its high end")
        if one.year in years:
            problems.append(f"{row.project} {one.year} stands there twice")
        years[one.year] = one
    if problems:
        raise DataError("open_data_exposure.csv cannot be used: " + "; ".join(problems) + ".")
    return {name: tuple(years[year] for year in sorted(years)) for name, years in found.items()}


def exposed_share(
    years: Sequence[ExposureYear], list_size: tuple[float, float], insured: FloatArray, draws: FloatArray
) -> FloatArray:
    r"""Return the exposed share of person-years for every draw, (D,).

    .. math:: s = \frac{\sum_t \min(n_t,\; p_t \, l \, m_t / 12)}{\sum_t n_t}

    with p practices, l patients on a list and m months.

    A draw takes each range at one place between its ends. The place is the same in all years: what is not known of one
    year (how large a list is, how many practices) is as a rule not known of the next.

    Parameters
    ----------
    years : T calendar years.
    list_size : bounds of the patients on the list of a practice.
    insured : (T,) insured years of all exposed municipalities.
    draws : (D, 3) places between the ends, 0 to 1, of practices, list and months.

    Example
    -------
    >>> years = (ExposureYear(2020, (12, 12), (1, 3)), ExposureYear(2021, (0, 12), (3, 3)))
    >>> ends = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    >>> exposed_share(years, (2000, 3000), np.array([10_000.0, 10_000.0]), ends).tolist()
    [0.1, 0.9]
    """
    months, practices = (
        np.array([getattr(y, name) for y in years], dtype=np.float64) for name in ("months", "practices")
    )
    at = practices[:, 0] + draws[:, :1] * (practices[:, 1] - practices[:, 0])
    patients = list_size[0] + draws[:, 1:2] * (list_size[1] - list_size[0])
    part = (months[:, 0] + draws[:, 2:] * (months[:, 1] - months[:, 0])) / 12
    n = np.asarray(insured, dtype=np.float64)
    return np.asarray(np.minimum(n, at * patients * part).sum(axis=1) / n.sum())
