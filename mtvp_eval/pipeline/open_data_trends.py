"""How far trends may differ before a project's effect is lost: robust intervals from placebo event studies.

Source: Rambachan & Roth (2023), Review of Economic Studies 90; specification section 7 for the window before the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.honest import breakdown_relative, relative_magnitudes, smoothness
from mtvp_eval.inference.honest_study import FEW_CLUSTERS, HonestStudy
from mtvp_eval.inference.placebo import PlaceboDraws
from mtvp_eval.inference.placebo_covariance import placebo_covariance
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_exposed import entry_year
from mtvp_eval.pipeline.open_data_results import OpenData, OpenDataEvaluation

DRAWS = 5_000
"""Normal draws of the least-favourable critical value, whose quantile is then known to about 1 %."""
UNBROKEN, ALL_YEARS = "unbroken", "all_years"
"""Windows before the start: no known break between its years (declared), and every year (the sensitivity)."""


@dataclass(frozen=True, slots=True)
class TrendBound:
    """Robust interval of one project's mean effect over full years, in log points, under one bound on trends.

    `restriction` is relative_magnitudes (`bound` times the largest yearly change of the difference before the start) or
    smoothness (`bound` standard errors of the effect by which the slope may change a year). `breakdown` is the multiple
    at which zero enters the interval, 0 if it is inside anyway, NaN for smoothness. `before` are the years before the
    base. `few` says that the covariance rests on fewer than 20 regions. `refused` says why there is no interval:
    few_years, not_estimated or contradicted.
    """

    project: str
    outcome: str
    window: str
    before: tuple[int, ...]
    restriction: str
    bound: float
    low: float
    high: float
    open_end: bool
    breakdown: float
    few: bool
    refused: str = ""


def trend_bounds(answer: OpenDataEvaluation) -> tuple[TrendBound, ...]:
    """Return robust intervals of every project's effects: on the primary outcome for both windows, on others unbroken.

    The covariance of an event study is that of untouched groups of the project's size: a variance among one or a few
    municipalities cannot be learnt from themselves.
    """
    config = answer.config
    windows = {config.primary: (UNBROKEN, ALL_YEARS), **dict.fromkeys(config.secondary, (UNBROKEN,))}
    return tuple(
        bound
        for outcome, asked in windows.items()
        for project in answer.data.projects
        for window in asked
        for bound in _of_window(answer, project.name, outcome, window)
    )


def years_before(data: OpenData, outcome: str, base: int, years: list[int], window: str) -> tuple[int, ...]:
    """Return the years before the base that a window keeps: all, or those after the last known break up to the base.

    A break in a year lies between the year before and itself, so that the year itself may stay.
    """
    breaks = [b.year for b in data.breaks if b.sector in (outcome, "all") and b.year <= base]
    first = max(breaks, default=base - len(years)) if window == UNBROKEN else min(years, default=base)
    return tuple(year for year in sorted(years) if first <= year < base)


def _of_window(answer: OpenDataEvaluation, name: str, outcome: str, window: str) -> Iterator[TrendBound]:
    config, data = answer.config, answer.data
    draws = answer.draws.get((name, outcome))
    if draws is None:
        yield _refused(name, outcome, window, (), "not_estimated")
        return
    entry = entry_year(data, next(p for p in data.projects if p.name == name))
    base = entry - 1 - config.estimation.anticipation
    times = sorted(e for e in draws if e is not None)
    kept = years_before(data, outcome, base, [entry + e for e in times if entry + e < base], window)
    try:
        study, post = placebo_study(draws, [year - entry for year in kept], base - entry)
        yield from _bounds(config, study, post, (name, outcome, window, kept), draws[None].strata < FEW_CLUSTERS)
    except EstimationError:
        yield _refused(name, outcome, window, kept, "few_years" if len(kept) < 2 else "contradicted")


def placebo_study(
    draws: Mapping[int | None, PlaceboDraws], before: list[int], base: int
) -> tuple[HonestStudy, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return the event study with its placebo covariance, and the weights (P,) of the mean over full years.

    Parameters
    ----------
    draws : by event time (None, the overall effect, is not used).
    before : event times kept before the base.
    base : the event time that is zero by definition.

    Raises
    ------
    EstimationError
        If fewer than two event times stand before the base.
    """
    after = sorted(e for e in draws if e is not None and e > base)
    parts = [draws[e] for e in (*before, *after)]
    value = np.array([part.estimate for part in parts])
    p = len(before)
    post = np.array([float(e >= 0) for e in after])
    return HonestStudy(value[:p], value[p:], placebo_covariance(parts)), post / post.sum()


def _bounds(
    config: OpenDataConfig,
    study: HonestStudy,
    post: np.ndarray[tuple[int], np.dtype[np.float64]],
    where: tuple[str, str, str, tuple[int, ...]],
    few: bool,
) -> Iterator[TrendBound]:
    level, error = config.estimation.level, study.combination(post)[1]
    rng = np.random.default_rng(config.estimation.seed)
    relative = relative_magnitudes(study, post, config.trends.bounds, rng, level=level, draws=DRAWS)
    lost = any(found.holds_zero for found in relative if found.bound == 0)
    at = 0.0 if lost else breakdown_relative(study, post, rng, level=level, draws=DRAWS)
    for found in relative:
        ends = (found.low, found.high, found.open_end)
        yield TrendBound(*where, "relative_magnitudes", found.bound, *ends, at, few)
    limits = tuple(m * error for m in config.trends.slopes)
    for m, found in zip(config.trends.slopes, smoothness(study, post, limits, level=level), strict=True):
        yield TrendBound(*where, "smoothness", m, found.low, found.high, found.open_end, float("nan"), few)


def _refused(name: str, outcome: str, window: str, kept: tuple[int, ...], why: str) -> TrendBound:
    nan = float("nan")
    return TrendBound(name, outcome, window, kept, "", nan, nan, nan, False, nan, False, why)
