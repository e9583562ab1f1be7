"""Intervals of everything uncertain: exact without other inputs, equal to joint draws with them, wide as declared."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import stdtr
from scipy.stats import beta

from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import EffectKey, totals
from mtvp_eval.costbenefit.joint_draws import joint_draws
from mtvp_eval.costbenefit.joint_interval import JointTotal, Uncertain
from mtvp_eval.costbenefit.ledger_reader import read_ledger
from mtvp_eval.costbenefit.net_benefit import net_benefit
from mtvp_eval.costbenefit.parties import Horizon, Party, Perspective
from mtvp_eval.costbenefit.scenario import read_scenario
from mtvp_eval.costbenefit.spread import Dependence, Spread, read_spread
from mtvp_eval.errors import LedgerError

WIDE = Spread(
    price={"fee": 0.2, "hospital": 0.1},
    cashable={"hospital": 0.15},
    avoidable={"hospital": 0.15},
    lag={"hospital": [0.5, 0.5]},
    decay=(0.2, 0.1),
    uptake=0.1,
)


@pytest.mark.parametrize("horizon", list(Horizon))
@pytest.mark.parametrize("whose", [*Perspective, Party.HOSPITAL, Party.GP_PRACTICE])
def test_without_other_inputs_it_is_the_interval_of_the_effects(result, whose, horizon):
    exact, joint = result.total(whose, horizon), Uncertain.of(result, Spread(), 1).total(whose, horizon)
    assert len(joint.location) == 1
    # the quantile is found to 1e-12 of its range, amounts are sums of a few rounded products
    assert joint.interval() == pytest.approx(exact.interval(), rel=1e-9)
    assert joint.probability_positive() == pytest.approx(exact.probability_positive(), abs=1e-12)


def test_the_fee_that_breaks_even_agrees_with_the_closed_form(result):
    exact, joint = result.break_even_tariff(), Uncertain.of(result, Spread(), 1).break_even_tariff()
    assert joint.interval() == pytest.approx(exact.interval(), rel=1e-9)


@pytest.mark.parametrize("horizon", list(Horizon))
def test_it_is_the_distribution_of_joint_draws_of_everything(result, horizon):
    weights = result.scenario.factors() * (result.scenario.observed if horizon is Horizon.OBSERVED else 1.0)
    mixed = Uncertain.of(result, WIDE, 2).total(Perspective.INSURER, horizon)
    drawn = joint_draws(result, WIDE, 40_000, np.random.default_rng(3))
    value = drawn.present_value(weights)[:, list(Party).index(Party.INSURER)]
    for level in (0.5, 0.95):
        low, high = mixed.interval(level)
        # four Monte Carlo errors of a share from 40,000 draws, and as much again for the 2,000 of the mixture
        error = 4 * np.sqrt(level * (1 - level) / 40_000) + 4 * np.sqrt(level * (1 - level) / 2_000)
        assert ((value > low) & (value < high)).mean() == pytest.approx(level, abs=error)
    assert mixed.probability_positive() == pytest.approx((value > 0).mean(), abs=0.02)


def test_the_mixture_over_stratified_draws_is_the_integral_over_the_share(result):
    mixed = Uncertain.of(result, Spread(cashable={"hospital": 0.15}), 9).total(Perspective.INSURER)
    size = 0.25 / 0.15**2 - 1.0  # a beta with mean .5 and standard deviation .15

    def exactly_below(x):
        # in the observed year the insurer has k (15,000 + 2,000 t_8) - 11,520 with a cash share k
        def given(k):
            return stdtr(8.0, (x + 11_520 - 15_000 * k) / (2_000 * k)) * beta.pdf(k, size / 2, size / 2)

        return quad(given, 0.0, 1.0, epsabs=1e-10)[0]

    for level in (0.5, 0.8, 0.95, 0.99):
        low, high = mixed.interval(level)
        # midpoints of 2,000 strata: of the order 1 / 2,000^2, more where the share's quantile is steep, near 0 and 1;
        # as many plain draws would be off by sqrt(p (1 - p) / 2,000), hundreds of times as far
        assert exactly_below(low) == pytest.approx(0.5 - level / 2, abs=1e-5)
        assert exactly_below(high) == pytest.approx(0.5 + level / 2, abs=1e-5)
    assert mixed.probability_positive() == pytest.approx(1.0 - exactly_below(0.0), abs=1e-5)


def test_the_variance_is_that_of_effect_price_and_share_together(result):
    spread = Spread(price={"fee": 0.2}, cashable={"hospital": 0.2}, dependence=Dependence.INDEPENDENT)
    total = Uncertain.of(result, spread, 4).total(Perspective.INSURER)
    # price (.2 x 11,520)^2 + share (.2 x 15,000)^2 + effect 4e6 (.5^2 + .2^2); 3 %: the chance correlation of two
    # stratified inputs over 2,000 draws is below .07, and its term is 2 x .07 x .2 x 11,520 x .2 x 15,000
    exact = (0.2 * 11_520) ** 2 + (0.2 * 15_000) ** 2 + 4e6 * (0.5**2 + 0.2**2)
    assert total.sd**2 == pytest.approx(exact, rel=0.06)
    assert total.location.mean() == pytest.approx(result.total(Perspective.INSURER).mean, rel=1e-3)


@pytest.mark.parametrize("refilled", [0.0, 0.4])
@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_the_spread_of_a_share_is_that_of_the_ledger_whatever_part_is_refilled_or_kept(
    result, price_table, refilled, kept
):
    lines = [replace(line, backfill=refilled, kept=kept if line.effect else 1.0) for line in result.ledger.lines]
    made = net_benefit(replace(result.ledger, lines=tuple(lines)), result.effects, price_table, result.scenario)
    spread = Spread(cashable={"hospital": 0.15}, avoidable={"hospital": 0.15})
    cash = Uncertain.of(made, spread, 8).total(Perspective.INSURER)
    # the share .5 has sd .15 in the ledger; what is not refilled and kept scales both. 2e-3: mean and sd of 2,000
    # stratified draws of a beta differ by less
    assert cash.location.std() == pytest.approx(0.15 * 15_000 * (1 - refilled) * kept, rel=2e-3)
    assert cash.location.mean() == pytest.approx(made.total(Perspective.INSURER).mean, rel=2e-3)
    used = Uncertain.of(made, spread, 8).total(Perspective.SOCIETY)
    assert used.location.std() == pytest.approx(0.15 * 15_000 * (1 - refilled), rel=2e-3)


def test_an_uncertain_lag_moves_the_estimate_to_the_middle_of_its_interval(document, price_table, result):
    spread = Spread(lag={"hospital": [0.25, 0.5, 0.25]}, cashable={"hospital": 0.15})
    made = net_benefit(spread.on(result.ledger), result.effects, price_table, result.scenario)
    # cash .5, 1, 1 comes on average .5, .5 + .25 x .5, .5 + .75 x .5
    assert made.flows.cashable[1] == pytest.approx([0.5, 0.625, 0.875])
    joint = Uncertain.of(made, spread, 10).total(Perspective.INSURER, Horizon.ALL)
    # lag and share are stratified apart: the chance correlation of two permutations of 2,000 is below .07
    slack = 0.07 * 0.15 * 15_000
    assert joint.location.mean() == pytest.approx(made.total(Perspective.INSURER, Horizon.ALL).mean, abs=slack)
    at_once = result.total(Perspective.INSURER, Horizon.ALL).mean
    assert abs(joint.location.mean() - at_once) > 10 * slack


def test_decay_varies_around_the_persistence_of_each_scenario(price_table, result):
    steep = replace(result.scenario, persistence=np.array([1.0, 0.6, 0.36]))
    spread = Spread(decay=(0.2, 0.1))
    for scenario in (result.scenario, steep):
        made = net_benefit(result.ledger, result.effects, price_table, scenario)
        joint = Uncertain.of(made, spread, 11).total(Perspective.INSURER, Horizon.ALL)
        # linear in the drawn factors, whose mean is 1 to rounding
        assert joint.location.mean() == pytest.approx(made.total(Perspective.INSURER, Horizon.ALL).mean, rel=1e-9)
        # the second year: 15,000 x persistence x (1 - d) / 0.8; 2e-3: the sd of 2,000 stratified draws of a beta
        second = Uncertain.of(made, spread, 11).total(Perspective.INSURER, Horizon.ALL, np.array([0.0, 1.0, 0.0]))
        expected = 15_000 * scenario.persistence[1] * 0.1 / 0.8
        assert second.location.std() == pytest.approx(expected, rel=2e-3)


def test_amounts_that_rise_together_widen_the_interval(document, make_line, price_table):
    document["lines"][0]["price_payer"] = {"item": "mtvp_fee", "issue": 2023}
    document["lines"].append(
        make_line(
            id="support", receiver="rho", sector="organisation", quantity_source="input", quantity=1, cashable=None,
            unit="patient_year", overlap_group="support", evidence="assumed",
            price_payer={"value": 11.52, "price_year": 2023, "source": "test", "evidence": "assumed"},
        )
    )  # fmt: skip
    settings = {"first_year": 2023, "patient_years": [1000.0], "price_year": 2023, "discount": "none"}
    scenario = read_scenario(settings, {"none": DiscountProfile("none", 0.0, 0.0)}, price_table)
    effects = totals([EffectKey("cost_hospital", "euro", 2023, 2023, 1000.0)], [0.0], [[0.0]])
    made = net_benefit(read_ledger(document), effects, price_table, scenario)
    both = {"fee": 0.1, "support": 0.1}
    apart, together = (
        Uncertain.of(made, Spread(price=both, dependence=how), 5).total(Perspective.INSURER).sd
        for how in (Dependence.INDEPENDENT, Dependence.COMMON)
    )
    assert together == pytest.approx(0.1 * 2 * 11_520, rel=2e-3)
    assert apart == pytest.approx(0.1 * np.sqrt(2) * 11_520, rel=0.04)  # chance correlation below .07


def test_a_certain_amount_has_no_width():
    assert JointTotal(np.full(3, 5.0), np.zeros(3), np.inf, np.zeros((3, 1))).interval() == (5.0, 5.0)
    assert JointTotal(np.zeros(1), np.zeros(1), np.inf, np.zeros((1, 1))).probability_positive() == 0.5


def test_expected_loss_against_brute_force(result):
    total = Uncertain.of(result, Spread(cashable={"hospital": 0.15}), 6).total(Perspective.INSURER)
    z = np.random.default_rng(7).standard_normal((400, len(total.location)))
    value = total.location + z * total.scale
    brute = np.maximum(value, 0.0).mean() - max(value.mean(), 0.0)
    assert total.expected_loss() == pytest.approx(brute, rel=0.02)  # four Monte Carlo errors of 800,000 draws


def test_a_line_declares_its_spread_and_the_question_has_the_last_word(result):
    assert read_spread({}, result.ledger).cashable == {"hospital": 0.15}
    assert read_spread({"cashable": {"hospital": 0.1}}, result.ledger).cashable == {"hospital": 0.1}
    assert read_spread({"cashable": {"hospital": 0}}, result.ledger).n_inputs == 0
    assert read_spread({}, result.ledger).dependence is Dependence.COMMON
    with pytest.raises(LedgerError, match="dependence: must be one of common, independent"):
        read_spread({"dependence": "none"}, result.ledger)


def test_a_bad_spread_of_a_line_is_said_with_its_line(document):
    document["lines"][1]["spread"] = {"cashabel": 0.1, "price": -1}
    with pytest.raises(LedgerError) as error:
        read_ledger(document)
    for part in ("line hospital.spread: unknown key cashabel", "line hospital.spread.price: must be a number"):
        assert part in str(error.value)
