"""What must hold for every ledger: identities, negative controls, invariances."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtvp_eval.costbenefit.contract import SharedSavings
from mtvp_eval.costbenefit.decision import acceptability, frontier
from mtvp_eval.costbenefit.discounting import Convention, DiscountProfile, discount_factors, nominal_rate
from mtvp_eval.costbenefit.effects import per_patient_year
from mtvp_eval.costbenefit.joint_interval import Uncertain
from mtvp_eval.costbenefit.ledger_reader import read_ledger
from mtvp_eval.costbenefit.net_benefit import NetBenefit, net_benefit
from mtvp_eval.costbenefit.parties import Horizon, Party, Perspective
from mtvp_eval.costbenefit.prices import read_price_table
from mtvp_eval.costbenefit.profiles import geometric
from mtvp_eval.costbenefit.scenario import Scenario
from mtvp_eval.costbenefit.spread import Dependence, Spread
from mtvp_eval.costbenefit.stakeholders import side_payments, stranded_cost, who_pays_who_gains
from mtvp_eval.costbenefit.voi import evppi_linear, evppi_regression, evsi_linear, unit_loss

TABLE = read_price_table(Path(__file__).parents[2] / "data_dictionary" / "prices")
SECTORS = ("hospital", "pharmacy", "mental_health", "district_nursing")
# amounts that add up in euros of 1e6: rounding of a few hundred double-precision operations
EURO = {"rel": 1e-10, "abs": 1e-6}

share = st.floats(0.0, 1.0)
money = st.floats(0.0, 500.0)


@st.composite
def results(draw) -> NetBenefit:
    """A programme with up to four sectors, any shares, prices, effects and horizon."""
    n = draw(st.integers(1, 4))
    lines = [
        {
            "id": sector, "label": sector, "payer": "insurer", "receiver": sector, "sector": sector, "law": "Zvw-other",
            "kind": "structural", "quantity_source": f"effect:{sector}", "unit": "visit", "evidence": "assumed",
            "price_payer": {"value": draw(money), "price_year": 2023, "source": "drawn", "evidence": "assumed"},
            "price_resource": {"value": draw(money), "price_year": 2022, "source": "drawn", "evidence": "assumed"},
            "cashable": draw(share), "avoidable": draw(share), "backfill": draw(share), "overlap_group": sector,
            "source": "drawn",
        }
        for sector in SECTORS[:n]
    ]  # fmt: skip
    fee = {
        "id": "fee", "label": "fee", "payer": "insurer", "receiver": "gp_practice", "sector": "gp", "law": "Zvw-S3",
        "kind": "structural", "quantity_source": "input", "quantity": 4, "unit": "patient_quarter",
        "evidence": "contract",
        "price_payer": {"item": "mtvp_fee", "issue": 2023}, "price_resource": {"share_of_payer": draw(share)},
        "overlap_group": "fee", "source": "drawn",
    }  # fmt: skip
    years = draw(st.integers(1, 5))
    observed = draw(st.integers(1, years))
    root = np.array(draw(st.lists(st.floats(-1, 1), min_size=n * n, max_size=n * n))).reshape(n, n)
    v = root @ root.T + 0.01 * np.ones((n, n)) + 0.01 * np.eye(n)
    mean = draw(st.lists(st.floats(-1, 1), min_size=n, max_size=n))
    effects = per_patient_year(SECTORS[:n], ["visit"] * n, mean, v)
    patients = np.array(draw(st.lists(st.floats(1, 1e4), min_size=years, max_size=years)))
    profile = DiscountProfile("drawn", draw(st.floats(0, 0.1)), 0.0)
    scenario = Scenario("drawn", 2024, patients, observed, geometric(observed, years, draw(share)), 2024, profile)
    return net_benefit(read_ledger({"currency": "EUR", "fee": "fee", "lines": [fee, *lines]}), effects, TABLE, scenario)


@settings(max_examples=60, deadline=None)
@given(results())
def test_society_gains_what_all_parties_gain_together(result):
    for horizon in Horizon:
        total = result.total(Perspective.SOCIETY, horizon)
        assert sum(result.total(p, horizon).mean for p in Party) == pytest.approx(total.mean, **EURO)
        assert sum(result.total(p, horizon).coefficient for p in Party) == pytest.approx(total.coefficient, **EURO)


@settings(max_examples=30, deadline=None)
@given(results(), st.floats(0.1, 10.0))
def test_all_prices_times_a_factor_is_the_result_times_the_factor(result, factor):
    flows = replace(
        result.flows, price_payer=result.flows.price_payer * factor, price_resource=result.flows.price_resource * factor
    )
    scaled = replace(result, flows=flows)
    for whose in Perspective:
        assert scaled.total(whose).mean == pytest.approx(factor * result.total(whose).mean, **EURO)
        assert scaled.total(whose).sd == pytest.approx(factor * result.total(whose).sd, **EURO)


@settings(max_examples=30, deadline=None)
@given(results())
def test_no_effect_leaves_the_fee_once_and_no_uncertainty_no_value_of_information(result):
    none = replace(result, effects=replace(result.effects, mean=np.zeros(result.effects.n)))
    fee = 4 * 2.88 * 107.3 / 103.8
    assert none.total(Perspective.INSURER).mean == pytest.approx(-fee * result.patient_years(discounted=True), **EURO)
    certain = replace(result, effects=replace(result.effects, covariance=np.zeros((result.effects.n,) * 2)))
    total = certain.total(Perspective.INSURER)
    assert total.sd == 0.0
    assert float(unit_loss(total.mean, total.sd)) == 0.0


@settings(max_examples=30, deadline=None)
@given(results())
def test_the_insurer_breaks_even_at_the_break_even_tariff(result):
    tariff = result.break_even_tariff().mean
    if tariff <= 0.0:
        return
    fee = [line.id for line in result.ledger.lines].index("fee")
    factor = np.where(np.arange(len(result.ledger.lines)) == fee, tariff / result.paid_tariff(), 1.0)[:, None]
    at_tariff = replace(result, flows=replace(result.flows, price_payer=result.flows.price_payer * factor))
    assert at_tariff.total(Perspective.INSURER).mean == pytest.approx(0.0, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(results())
def test_cash_that_equals_avoided_cost_strands_nothing(result):
    flows = replace(result.flows, avoidable=result.flows.cashable, price_resource=result.flows.price_payer)
    for sector in SECTORS[: result.effects.n]:
        stranded = stranded_cost(replace(result, flows=flows), Party(sector)).stranded
        assert stranded == pytest.approx(np.zeros(len(stranded)), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(results())
def test_partial_information_is_worth_at_most_perfect_information(result):
    total = result.total(Perspective.INSURER)
    c, v = total.coefficient[:-1], result.effects.covariance
    perfect = float(unit_loss(total.mean, total.sd))
    slack = 1e-9 * max(total.sd, 1.0)  # rounding of products of the size of the standard deviation
    assert (evppi_linear(total.mean, c, v).evppi <= perfect + slack).all()
    assert evsi_linear(total.mean, c, v, v) <= perfect + slack
    assert evsi_linear(total.mean, c, v, 1e9 * v) <= evsi_linear(total.mean, c, v, v) + slack


@settings(max_examples=30, deadline=None)
@given(results())
def test_who_pays_who_gains_balances(result):
    frame = who_pays_who_gains(result)
    assert frame["pays"].sum() == pytest.approx(frame["receives"].sum(), **EURO)
    net = frame["net"].to_numpy()
    assert net == pytest.approx((frame["receives"] - frame["pays"] - frame["resource_cost"]).to_numpy(), **EURO)
    paid = side_payments(net)
    if paid is None:
        assert net.sum() < 0.0
    else:
        assert paid.sum() == pytest.approx(0.0, abs=1e-6 + 1e-9 * np.abs(net).sum())
        assert (net + paid >= -1e-6 - 1e-9 * np.abs(net).sum()).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=10), st.floats(0, 0.2), st.floats(0, 0.2))
def test_real_and_nominal_present_values_agree(flow, rate, inflation):
    real = np.array(flow)
    nominal = real * (1 + inflation) ** np.arange(len(real))
    # convention with the first year undiscounted: nominal flows grow from the first year on
    pv = discount_factors(rate, len(real)) @ real
    assert discount_factors(nominal_rate(rate, inflation), len(real)) @ nominal == pytest.approx(pv, rel=1e-9, abs=1e-6)


@given(st.floats(0, 0.2), st.integers(1, 20))
def test_conventions_differ_by_half_a_year(rate, years):
    first, mid, end = (discount_factors(rate, years, c) for c in Convention)
    assert first == pytest.approx(mid * (1 + rate) ** 0.5)
    assert mid == pytest.approx(end * (1 + rate) ** 0.5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_the_order_of_options_changes_nothing(seed, options):
    rng = np.random.default_rng(seed)
    effects, costs = rng.normal(size=(80, options)), rng.normal(size=(80, options))
    order, grid = rng.permutation(options), np.linspace(0, 5, 9)
    one, other = acceptability(effects, costs, grid), acceptability(effects[:, order], costs[:, order], grid)
    assert other.ceac == pytest.approx(one.ceac[order], abs=1e-12)
    assert other.evpi == pytest.approx(one.evpi, abs=1e-12)
    assert one.ceac.sum(axis=0) == pytest.approx(np.ones(9))
    before = frontier(costs.mean(axis=0), effects.mean(axis=0)).status
    after = frontier(costs.mean(axis=0)[order], effects.mean(axis=0)[order]).status
    assert list(after) == [before[i] for i in order]


@given(st.floats(0.001, 0.2), share)
def test_a_contract_pays_exactly_at_its_minimum(minimum, part):
    contract = SharedSavings(part, minimum)
    assert float(contract.payment_rate(minimum)) == pytest.approx(part * minimum)
    assert float(contract.payment_rate(minimum * 0.999)) == 0.0
    assert float(contract.payment_rate(0.0)) == 0.0


@settings(max_examples=30, deadline=None)
@given(results(), st.sampled_from(list(Dependence)), st.floats(0.01, 0.5))
def test_every_draw_of_prices_and_uptake_keeps_what_all_parties_gain_together(result, dependence, cv):
    spread = Spread(price={line.id: cv for line in result.ledger.lines}, uptake=cv, dependence=dependence)
    uncertain = Uncertain.of(result, spread, 1, n_draws=20)
    society = uncertain.total(Perspective.SOCIETY, Horizon.ALL)
    parties = sum(uncertain.total(party, Horizon.ALL).location for party in Party)
    assert parties == pytest.approx(society.location, **EURO)


@settings(max_examples=30, deadline=None)
@given(results(), st.floats(0.01, 0.5))
def test_more_uncertainty_never_makes_information_worth_less(result, cv):
    alone = Uncertain.of(result, Spread(), 1).total(Perspective.INSURER).expected_loss()
    spread = Spread(price={line.id: cv for line in result.ledger.lines})
    wider = Uncertain.of(result, spread, 1, n_draws=400).total(Perspective.INSURER)
    # 400 stratified quantiles of a gamma have a mean below 1 by up to 1e-3, which scales location and spread alike
    moved = abs(float(wider.location.mean()) - result.total(Perspective.INSURER).mean)
    assert wider.expected_loss() >= alone * (1.0 - 2e-3) - moved - 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_two_parameters_are_worth_no_less_than_one_but_for_noise(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2000, 2))
    net = np.column_stack([np.zeros(2000), 0.2 + x[:, 0] + 0.5 * x[:, 1] + rng.normal(size=2000)])
    both = evppi_regression(net, x, rng, permutations=20)
    for one in (0, 1):
        single = evppi_regression(net, x[:, [one]], rng, permutations=20)
        assert both.value >= single.value - both.floor
    perfect = np.maximum(net[:, 1], 0.0).mean() - max(net[:, 1].mean(), 0.0)
    assert both.value <= perfect + both.floor


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_side_payments_leave_nobody_with_a_loss_and_move_no_more_than_the_losses(net):
    gains = np.array(net)
    moved = side_payments(gains)
    if moved is None:
        assert gains.sum() < 0.0
        return
    assert moved.sum() == pytest.approx(0.0, abs=1e-6)
    assert (gains + moved >= -1e-3).all()  # an exact zero sum of rounded millions
    assert moved[moved > 0].sum() == pytest.approx(-gains[gains < 0].sum(), **EURO)
