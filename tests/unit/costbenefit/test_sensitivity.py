"""Joint draws against the exact linear answer; one-way ranges against arithmetic."""

from datetime import date

import numpy as np
import pytest

from mtvp_eval.costbenefit.effects import per_patient_year
from mtvp_eval.costbenefit.joint_draws import draw_effects, joint_draws, multiplier_draws
from mtvp_eval.costbenefit.net_benefit import net_benefit
from mtvp_eval.costbenefit.parties import Horizon, Party, Perspective
from mtvp_eval.costbenefit.prices import PriceRow
from mtvp_eval.costbenefit.sensitivity import Input, Range, effect_ranges, revision_table, scenario_table, tornado
from mtvp_eval.costbenefit.spread import Spread, read_spread
from mtvp_eval.errors import LedgerError

INSURER = list(Party).index(Party.INSURER)


def test_draws_of_effects_alone_are_the_exact_linear_map(result):
    draws = joint_draws(result, Spread(), 50, np.random.default_rng(1))
    weights = result.scenario.factors()
    coefficient = result.total(Perspective.INSURER, Horizon.ALL).coefficient
    exact = draws.effects @ coefficient[:-1] + coefficient[-1]
    assert draws.present_value(weights)[:, INSURER] == pytest.approx(exact, rel=1e-12)
    # every draw keeps the identity: the sum over parties is minus the resource cost
    assert draws.gains.sum(axis=1) == pytest.approx(-draws.resource, abs=1e-8)


def test_effects_are_drawn_from_the_family_of_their_intervals():
    v = np.array([[4.0, 1.0], [1.0, 1.0]])
    effects = per_patient_year(["a", "b"], ["visit", "visit"], [1.0, 2.0], v, df=8.0)
    draws = draw_effects(effects, 40_000, np.random.default_rng(2)) - effects.mean
    # share beyond the t limits: 5 %, Monte Carlo error .0011, four of them
    outside = (np.abs(draws / effects.standard_errors()) > 2.306004).mean(axis=0)
    assert outside == pytest.approx(np.full(2, 0.05), abs=0.0044)
    assert np.corrcoef(draws.T)[0, 1] == pytest.approx(0.5, abs=0.03)


def test_multipliers_have_the_clustered_covariance():
    rng = np.random.default_rng(3)
    influence = rng.normal(size=(60, 2))
    influence -= influence.mean(axis=0)
    cluster = np.arange(60) // 2
    sums = influence.reshape(30, 2, 2).sum(axis=1)
    draws = multiplier_draws(np.array([1.0, 2.0]), influence, cluster, 40_000, rng)
    # 4 %: four Monte Carlo errors of a variance from 40,000 draws
    assert np.cov(draws.T) == pytest.approx(sums.T @ sums / 60**2, rel=0.04, abs=2e-4)


def test_other_inputs_keep_their_means(result):
    spread = Spread(price={"fee": 0.2}, cashable={"hospital": 0.2}, decay=(0.2, 0.1), uptake=0.1)
    draws = joint_draws(result, spread, 20_000, np.random.default_rng(4))
    pv = draws.present_value(result.scenario.factors())[:, INSURER]
    exact = result.total(Perspective.INSURER, Horizon.ALL).mean
    assert pv.mean() == pytest.approx(exact, abs=4 * pv.std() / np.sqrt(len(pv)))
    # the observed year: variances of the price (.2 x 11,520)^2, of the cash share (.2 x 15,000)^2 and of the effect,
    # 4e6 x 8/6 for the t, times (.5^2 + .2^2); uptake and decay are known there. 4 %: four Monte Carlo errors
    variance = (0.2 * 11_520) ** 2 + (0.2 * 15_000) ** 2 + 4e6 * 8 / 6 * (0.5**2 + 0.2**2)
    assert draws.gains[:, INSURER, 0].var() == pytest.approx(variance, rel=0.04)


def test_a_lag_delays_cash(result):
    late = joint_draws(result, Spread(lag={"hospital": [0.0, 1.0]}), 10, np.random.default_rng(5))
    now = joint_draws(result, Spread(), 10, np.random.default_rng(5), effects=late.effects)
    difference = (late.gains - now.gains)[:, INSURER]
    # cash share .5, 1, 1 becomes .5, .5, 1: only the second year loses half of 0.8 x the effect
    assert difference[:, [0, 2]] == pytest.approx(np.zeros((10, 2)), abs=1e-9)
    assert difference[:, 1] == pytest.approx(0.5 * 0.8 * late.effects[:, 0], rel=1e-12)


def test_a_spread_over_unknown_lines_or_impossible_shares_is_refused(result):
    rng = np.random.default_rng(6)
    with pytest.raises(LedgerError, match="no line of the ledger"):
        joint_draws(result, Spread(price={"hospitol": 0.1}), 10, rng)
    with pytest.raises(LedgerError, match="too large for its mean"):
        joint_draws(result, Spread(cashable={"hospital": 0.6}), 10, rng)


def test_tornado(result):
    ranges = [
        *effect_ranges(result),
        Range(Input.PRICE, "fee", 0.9, 1.1, "contract"),
        Range(Input.CASHABLE, "hospital", 0.0, 1.0, "assumed"),
        Range(Input.DISCOUNT, "", 0.0, 0.03, "guideline"),
    ]
    table = tornado(result, ranges).set_index("input")
    # observed year: insurer 0.5 x 15,000 - 11,520 = -4,020
    assert table.loc["price", ["at_low", "at_high"]].tolist() == pytest.approx([-4_020 + 1_152, -4_020 - 1_152])
    assert table.loc["cashable", ["at_low", "at_high"]].tolist() == pytest.approx([-11_520, 3_480])
    assert table.loc["effect", "width"] == pytest.approx(2 * 2.306004 * 2_000 * 0.5, rel=1e-6)
    assert table.loc["discount", "width"] == pytest.approx(0.0, abs=1e-9)  # one observed year, not discounted
    assert table["width"].is_monotonic_decreasing


def test_scenarios_stand_side_by_side(result):
    table = scenario_table({"base": result, "again": result})
    assert table["minus_base"].abs().max() == 0.0
    assert list(table["scenario"].unique()) == ["base", "again"]


def test_a_spread_is_read_strictly(result):
    written = {"price": {"fee": 0.1}, "lag": {"hospital": [0.5, 0.5]}, "decay": {"mean": 0.2, "sd": 0.05}}
    spread = read_spread(written, result.ledger)
    assert (spread.price, spread.decay, spread.uptake) == ({"fee": 0.1}, (0.2, 0.05), 0.0)
    wrong = {
        "prise": {},
        "cashable": {"hospitol": 0.1, "hospital": 0.7},
        "lag": {"hospital": [0.5]},
        "decay": {"mean": 2},
    }
    for decay, said in (({"mean": 0, "sd": 0.1}, "which cannot vary"), ({"mean": 0.1, "sd": 0.4}, "must be below 0.3")):
        with pytest.raises(LedgerError, match=f"decay: .*{said}"):
            read_spread({"decay": decay}, result.ledger)
    with pytest.raises(LedgerError) as error:
        read_spread(wrong, result.ledger)
    for part in ("did you mean price?", "did you mean hospital?", "cashable.hospital: must be", "sums to one", "no sd"):
        assert part in str(error.value)


def test_a_retroactive_revision_is_seen(result, price_table):
    revised = PriceRow(
        "mtvp_fee", 3.00, "EUR per patient_quarter", 2023, date(2023, 4, 1), date(2023, 12, 31), "revision",
        date(2024, 3, 1), "test",
    )  # fmt: skip
    table = revision_table(
        result.ledger,
        result.effects,
        price_table.with_rows([revised]),
        result.scenario,
        date(2023, 12, 31),
        date(2024, 6, 1),
    )
    change = table[table["perspective"] == "insurer"]["minus_base"].tolist()
    assert change == pytest.approx([0.0, -4 * 0.12 * 1000])


def test_a_placebo_period_prices_effects_alone(result, price_table):
    placebo = net_benefit(result.ledger.effects_only(), result.effects, price_table, result.scenario)
    assert placebo.total(Perspective.INSURER).mean == pytest.approx(0.5 * 15_000)
