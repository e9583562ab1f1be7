"""Levels, noise and seasons are those of the calibration, within Monte Carlo error."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.clock import quarter
from mtvp_eval.simulate.calibration import QUARTERLY_CORRELATION, SERIES, Kind
from mtvp_eval.simulate.outcomes import COUNT_COLUMNS, deviation_sd, growth_factor
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.scenarios import SCENARIOS
from mtvp_eval.simulate.settings import Bending

PRACTICES = 3000


@pytest.fixture(scope="module")
def many(plain):
    """Three thousand practices without a programme: only levels and noise."""
    return simulate_region(
        replace(plain, practices=PRACTICES, effects=replace(plain.effects, scenario=SCENARIOS["null"])), seed=1
    )


@pytest.fixture(scope="module")
def seen(many):
    """Outcome -> practices x quarters, counts and amounts as the extracts show them."""
    activity, shape = many.extracts["activity"], (PRACTICES, 24)
    patients = activity["registered_patients"].to_numpy().reshape(shape)
    rates = {}
    for outcome, column in COUNT_COLUMNS.items():
        below = (
            activity["consults"].to_numpy().reshape(shape) / 100 if outcome == "long_consult_share" else patients / 1000
        )
        rates[outcome] = activity[column].to_numpy().reshape(shape) / below
    costs = many.extracts["costs"].set_index("sector")
    for outcome, sectors in {"cost_hospital": ["hospital"], "cost_pharmacy": ["pharmacy"],
                             "cost_gp": ["gp_consult", "gp_chain", "gp_other"]}.items():  # fmt: skip
        amounts = sum(costs.loc[sector, "amount_eur"].to_numpy().reshape(shape) for sector in sectors)
        rates[outcome] = amounts / (patients / 4)
    return rates


@pytest.mark.parametrize("outcome", list(SERIES))
@pytest.mark.parametrize("year", [2019, 2020, 2021, 2022, 2023, 2024])
def test_levels_of_each_year_are_those_of_the_calibration(seen, outcome, year):
    values = seen[outcome][:, 4 * (year - 2019) : 4 * (year - 2018)].mean(axis=1)
    level = np.interp(year, list(SERIES[outcome].by_year), list(SERIES[outcome].by_year.values()))
    error = values.std(ddof=1) / np.sqrt(PRACTICES)
    assert values.mean() == pytest.approx(level, abs=4 * error)  # four Monte Carlo errors over 42 comparisons


@pytest.mark.parametrize("outcome", list(SERIES))
def test_yearly_growth_has_variance_a_plus_b_over_list_size(many, seen, outcome):
    series = SERIES[outcome]
    year = np.log(seen[outcome].reshape(PRACTICES, 6, 4).mean(axis=2))
    growth = year[:, 5] - year[:, 4]
    growth = growth - growth.mean()
    expected = series.a + series.b / many.truth.patients
    if series.kind is Kind.SHARE:
        expected = expected + 2 * 0.85 / 0.15 / (4.6 * many.truth.patients)  # and the binomial part
    order = np.argsort(many.truth.patients)
    for third in np.array_split(order, 3):  # small, middle and large lists
        ratio = np.mean(growth[third] ** 2 / expected[third])
        # A mean of 1,000 squared standard normals has standard error √(2/1000) = .045; four of them, and 2 % for the
        # curvature of the logarithm.
        assert ratio == pytest.approx(1, abs=0.20)


@pytest.mark.parametrize("outcome", [name for name, series in SERIES.items() if series.kind is not Kind.SHARE])
def test_practices_differ_as_municipalities_do(many, outcome):
    series = SERIES[outcome]
    mean_level = np.log(many.truth.untreated[outcome]).mean(axis=1)
    sd = deviation_sd(series, many.truth.patients)
    rho = QUARTERLY_CORRELATION
    lag = np.abs(np.arange(24)[:, None] - np.arange(24))
    of_deviations = np.mean(sd**2) * (rho**lag).mean()  # variance of the mean of 24 quarters of AR(1)
    # Standard error of a variance: √(2/3000) = 2.6 % of it; four of them.
    assert mean_level.var() - of_deviations == pytest.approx(np.log1p(series.between**2), rel=0.12)


def test_referrals_fell_and_recovered(seen):
    quarters = seen["referrals_per_1000"].mean(axis=0)
    at = {name: quarters[quarter(name) - quarter("2019Q1")] for name in ("2019Q2", "2020Q2", "2021Q2")}
    assert at["2020Q2"] < 0.7 * at["2019Q2"]
    # 2020 as a whole 19 % below 2019 (Nivel); practices agree to within 0.3 %.
    assert quarters[4:8].mean() / quarters[:4].mean() == pytest.approx(0.81, abs=0.01)


def test_tariffs_jumped_in_2023(seen):
    quarters = seen["cost_gp"].mean(axis=0)
    # GP cost without registration fee and programme fee: 168.01 to 183.81 euro.
    assert quarters[16:20].mean() / quarters[12:16].mean() == pytest.approx(183.81 / 168.01, abs=0.005)


def test_season_leaves_the_year_as_it_is():
    clock = quarter("2019Q1") + np.arange(24)
    for series in SERIES.values():
        for year, level in series.by_year.items():
            if 2019 <= year <= 2024:
                assert series.level(clock)[clock // 4 == year].mean() == pytest.approx(level, rel=1e-12)


def test_series_of_a_practice_move_together(many):
    def deviations(name):
        log = np.log(many.truth.untreated[name])
        log = log - log.mean(axis=0)
        return (log - log.mean(axis=1, keepdims=True)).ravel()

    def correlation(one, other):
        return np.corrcoef(deviations(one), deviations(other))[0, 1]

    # The product of what each shares with all: 0.7 x 0.7, 0.5 x 0.5, and none. 72,000 correlated cells: error < .01.
    assert correlation("consults_per_1000", "cost_gp") == pytest.approx(0.49, abs=0.03)
    assert correlation("cost_hospital", "cost_pharmacy") == pytest.approx(0.25, abs=0.03)
    assert correlation("long_consult_share", "cost_gp") == pytest.approx(0.0, abs=0.03)


def test_counts_are_more_dispersed_than_poisson(many):
    counts = many.extracts["activity"]["consults"].to_numpy().reshape(PRACTICES, 24)
    sd = deviation_sd(SERIES["consults_per_1000"], many.truth.patients)
    growth = np.log(counts[:, 21] / counts[:, 20])
    poisson = np.mean(1 / counts[:, 21] + 1 / counts[:, 20])
    expected = poisson + np.mean(2 * (1 - QUARTERLY_CORRELATION) * sd**2)
    assert growth.var() == pytest.approx(expected, rel=0.12)  # four standard errors of a variance of 3,000
    assert growth.var() > 3 * poisson


def test_growth_factor_by_brute_force():
    rng, rho = np.random.default_rng(0), 0.6
    x = np.empty((200_000, 8))
    x[:, 0] = rng.standard_normal(len(x))
    for t in range(1, 8):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * rng.standard_normal(len(x))
    growth = x[:, 4:].mean(axis=1) - x[:, :4].mean(axis=1)
    assert growth_factor(rho) == pytest.approx(growth.var(), rel=0.013)  # four times √(2/200,000)


def test_deprivation_and_list_size_bend_levels_and_trends(plain):
    bending = Bending(0.05, -0.03, 0.01, -0.02)
    truth = simulate_region(replace(plain, practices=PRACTICES, bending=bending), seed=2).truth
    log = np.log(truth.untreated["consults_per_1000"])
    log = log - log.mean(axis=0)
    size = (np.log(truth.patients) - np.log(3800) + 0.125) / 0.5
    region = simulate_region(replace(plain, practices=PRACTICES, bending=bending), seed=2)
    deprivation = region.extracts["practices"]["deprivation"].to_numpy()
    X = np.column_stack([np.ones(PRACTICES), deprivation, size])
    reference = quarter("2023Q1") - quarter("2019Q1")
    level = np.linalg.lstsq(X, log[:, reference], rcond=None)[0]
    trend = np.linalg.lstsq(X, (log[:, -4:].mean(axis=1) - log[:, :4].mean(axis=1)) / 5, rcond=None)[0]
    # Residual deviation 0.11 and 0.01 a year, 3,000 practices: errors .002 and .0002; x 1.2 for list sizes (cut).
    assert level[1:] == pytest.approx([0.05, -0.03], abs=0.010)
    assert trend[1:] == pytest.approx([0.01, -0.02], abs=0.001)
