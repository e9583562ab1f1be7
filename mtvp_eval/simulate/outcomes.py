"""Outcomes of a simulated region: levels without the programme, deviations of practices, effects, and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.errors import CommandError
from mtvp_eval.simulate.calibration import (
    CONSULTS,
    COST_GP,
    GP_SECTORS,
    LONG_SHARE,
    PATIENTS_PER_FTE,
    QUARTERLY_CORRELATION,
    REFERENCE_YEAR,
    REGISTRATION_FEE,
    SERIES,
    SURVEYS,
    Kind,
    Series,
    Survey,
)
from mtvp_eval.simulate.population import Population
from mtvp_eval.simulate.settings import RegionSettings
from mtvp_eval.simulate.truth import Truth

COUNT_COLUMNS: Mapping[str, str] = {
    CONSULTS: "consults",
    LONG_SHARE: "consults_long",
    "referrals_per_1000": "referrals",
    "diagnostics_per_1000": "diagnostics",
}
_COST_SECTORS: Mapping[str, str] = {"cost_hospital": "hospital", "cost_pharmacy": "pharmacy"}


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What the extracts show: `counts` by column (n, T), `fte` (n, T), `amounts` in euro by sector (n, T), and by
    survey indicator the respondents and mean scores (n, T)."""

    counts: Mapping[str, FloatArray]
    fte: FloatArray
    amounts: Mapping[str, FloatArray]
    respondents: Mapping[str, IntArray]
    scores: Mapping[str, FloatArray]


def growth_factor(rho: float) -> float:
    """Return the variance of yearly growth of a stationary AR(1) over quarters, as a multiple of its variance.

    2 (v - c): v the variance of the mean of four neighbouring quarters, c the covariance of two neighbouring means.

    >>> growth_factor(0.0)          # white noise: two means of four
    0.5
    >>> round(growth_factor(0.5), 4)
    0.8115
    """
    lag = np.abs(np.arange(4)[:, None] - np.arange(4))
    ahead = 4 + np.arange(4)[None, :] - np.arange(4)[:, None]
    return float(2 * ((rho**lag).sum() - (rho**ahead).sum()) / 16)


def deviation_sd(series: Series, patients: IntArray, rho: float = QUARTERLY_CORRELATION) -> FloatArray:
    """Return the standard deviation (n,) of a practice's quarterly log deviations.

    Chosen so that yearly growth, the Poisson variance 2 / yearly events of a count included, has variance a + b / n.
    """
    own = series.b
    if series.kind is Kind.COUNT:
        own -= 2 / (4 * series.reference / 1000)
    return np.sqrt((series.a + own / patients) / growth_factor(rho))


def untreated_levels(
    settings: RegionSettings, population: Population, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Return the expected level (n, T) of every supplied series without the programme, in the unit of the outcome.

    Level of the quarter x exp(level of the practice + bending + AR(1) deviation), centred so that the exponentials have
    mean one over practices. All series of a practice share part of their deviations.
    """
    n, T = population.registered.shape
    names = [name for name in SERIES if name in settings.supplied]
    spread = settings.bending
    lists = settings.lists
    log_size = np.log(population.patients / lists.mean) / lists.sigma_log + lists.sigma_log / 2
    bend = spread.level_by_deprivation * population.deprivation + spread.level_by_list_size * log_size
    years = (population.clock - settings.reference_quarter) / 4
    trend = spread.trend_by_deprivation * population.deprivation + spread.trend_by_list_size * log_size
    bent = bend[:, None] + trend[:, None] * years
    bent_variance = spread.level_by_deprivation**2 + spread.level_by_list_size**2
    of_practice = rng.standard_normal((len(SERIES) + 1, n))
    of_quarter = _autoregressive(rng.standard_normal((len(SERIES) + 1, n, T)), QUARTERLY_CORRELATION)
    levels = {}
    for k, (name, series) in enumerate(SERIES.items(), start=1):
        if name not in names:
            continue
        # The same weights on the shared part for levels and deviations; row 0 is what all series share.
        own = np.sqrt(1 - series.common**2)
        total = np.log1p(series.between**2)
        sd_level = np.sqrt(max(total - bent_variance, 0.0))
        sd = deviation_sd(series, population.patients)
        u = sd_level * (series.common * of_practice[0] + own * of_practice[k])
        e = sd[:, None] * (series.common * of_quarter[0] + own * of_quarter[k])
        log_level = bent + u[:, None] + e
        centre = (bent_variance + sd_level**2 + sd[:, None] ** 2) / 2
        levels[name] = series.level(population.clock) * np.exp(log_level - centre)
    return levels


def untreated_scores(
    settings: RegionSettings, population: Population, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Return the expected survey score (n, T) of every supplied indicator without the programme."""
    n, T = population.registered.shape
    scores = {}
    for name, survey in SURVEYS.items():
        u, e = rng.standard_normal((n, 1)), rng.standard_normal((n, T))
        if name in settings.supplied:
            scores[name] = survey.level + survey.between * u + survey.within * e
    return scores


def gp_fte(population: Population, rng: np.random.Generator) -> FloatArray:
    """Return full-time equivalents (n, T), to one decimal, around the norm of patients per fte."""
    each = PATIENTS_PER_FTE * np.exp(0.12 * rng.standard_normal(population.n))
    return np.maximum(np.round(population.registered / each[:, None], 1), 0.1)


def observe(
    settings: RegionSettings, population: Population, truth: Truth, fte: FloatArray, rng: np.random.Generator
) -> Outcomes:
    """Return what the extracts show: counts, amounts and scores around the expected levels with the programme.

    Raises
    ------
    CommandError
        If an effect is so large that an expected level would be negative.
    """
    expected = {name: truth.untreated[name] + truth.effect_as_enrolled(name) for name in truth.untreated}
    _refuse_negative(expected)
    streams = dict(zip((*SERIES, *SURVEYS), rng.spawn(len(SERIES) + len(SURVEYS)), strict=True))
    counts: dict[str, FloatArray] = {}
    for name, column in COUNT_COLUMNS.items():
        if name not in expected:
            continue
        if SERIES[name].kind is Kind.SHARE:
            share, of = np.minimum(expected[name] / 100, 1.0), counts["consults"]
            noisy = settings.sampling_noise
            counts[column] = streams[name].binomial(of.astype(np.int64), share).astype(float) if noisy else of * share
        else:
            mean = expected[name] * population.registered / 1000
            counts[column] = streams[name].poisson(mean).astype(float) if settings.sampling_noise else mean
    respondents, scores = {}, {}
    for name, survey in SURVEYS.items():
        if name in expected:
            respondents[name], scores[name] = _survey(settings, population, expected[name], survey, streams[name])
    amounts = _amounts(settings, population, truth, expected)
    return Outcomes(counts, fte, amounts, respondents, scores)


def _survey(
    settings: RegionSettings, population: Population, expected: FloatArray, survey: Survey, rng: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """Return respondents and mean scores (n, T); the scale cuts off less than one score in a thousand."""
    invited = survey.respondents + survey.per_patient * population.patients[:, None]
    respondents = 1 + rng.poisson(np.broadcast_to(invited, expected.shape))
    noise = survey.per_answer * rng.standard_normal(expected.shape) / np.sqrt(respondents)
    scores = expected + (noise if settings.sampling_noise else 0.0)
    return respondents, np.clip(scores, survey.low, survey.high)


def _amounts(
    settings: RegionSettings, population: Population, truth: Truth, expected: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Return amounts in euro by sector (n, T); the programme's fee is a sector of its own."""
    insured_years = population.registered / 4
    year = population.clock // 4
    amounts = {sector: expected[name] * insured_years for name, sector in _COST_SECTORS.items() if name in expected}
    if COST_GP in expected:
        before = truth.untreated[COST_GP]
        for sector, (in_2019, in_reference_year) in GP_SECTORS.items():
            share = np.interp(year, [2019, REFERENCE_YEAR], [in_2019, in_reference_year])
            # What the programme changes in the cost of GP care, it changes in the claims of consultations.
            change = expected[COST_GP] - before if sector == "gp_consult" else 0.0
            amounts[sector] = (share * before + change) * insured_years
        fee = np.interp(year, list(REGISTRATION_FEE), list(REGISTRATION_FEE.values()))
        amounts["gp_registration"] = fee * insured_years
    if settings.supplies_costs:
        rate = np.array([settings.payments.fee.get(int(y), 0.0) for y in year])
        amounts["mtvp_fee"] = np.where(population.enrolled, rate * population.registered, 0.0)
    return amounts


def _autoregressive(shocks: FloatArray, rho: float) -> FloatArray:
    """Turn standard normal shocks (…, T) into a stationary AR(1) of variance one."""
    out = np.empty_like(shocks)
    out[..., 0] = shocks[..., 0]
    for t in range(1, shocks.shape[-1]):
        out[..., t] = rho * out[..., t - 1] + np.sqrt(1 - rho**2) * shocks[..., t]
    return out


def _refuse_negative(expected: Mapping[str, FloatArray]) -> None:
    negative = [name for name, level in expected.items() if (level < 0).any()]
    if negative:
        raise CommandError(
            f"The effect on {', '.join(negative)} is larger than the level it works on; choose a smaller effect, "
            "scale: log, or less dependence on deprivation."
        )
