"""Closed forms computed apart from this project; 1e-9 relative unless a regression or a Monte Carlo is behind it."""

import json
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.costbenefit.contract import SharedSavings, under_noise
from mtvp_eval.costbenefit.discounting import (
    Convention,
    annuity_factor,
    discount_factors,
    nominal_rate,
    yearly_equivalent,
)  # fmt: skip
from mtvp_eval.costbenefit.friction import friction_cost, friction_period, mean_friction_period
from mtvp_eval.costbenefit.plane import Difference, fieller
from mtvp_eval.costbenefit.prices import read_rows
from mtvp_eval.costbenefit.profiles import geometric, half_life, linear_to_zero
from mtvp_eval.costbenefit.reading import Problems
from mtvp_eval.costbenefit.voi import evppi_linear, evppi_regression, unit_loss

pytestmark = pytest.mark.shared
PRICES = Path(__file__).parents[3] / "data_dictionary" / "prices"
close = {"rel": 1e-9, "abs": 1e-12}


@pytest.fixture(scope="module")
def expected(shared_dir):
    return json.loads((shared_dir / "reference/cea/analytic_reference.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "case", ["significant_effect", "effect_not_significant", "both_not_significant", "cost_saving_SE_quadrant"]
)
def test_ratio_and_net_benefit(expected, case):
    want = expected["fieller_ceac_evpi"][case]
    d = Difference(want["de"], want["dc"], want["se_e"] ** 2, want["se_c"] ** 2, want["cov"])
    found = fieller(d)
    assert want["fieller95"]["type"].startswith(found.shape.value)
    if want["fieller95"]["limits"]:
        assert (found.low, found.high) == pytest.approx(tuple(want["fieller95"]["limits"]), **close)
    else:
        assert np.isnan([found.low, found.high]).all()
    assert d.icer == pytest.approx(want["ICER"], **close)
    k = np.array(want["k"], dtype=float)
    inb, sd = d.inb(k)
    assert inb == pytest.approx(np.array(want["INB"]), rel=1e-9, abs=1e-9)
    assert sd == pytest.approx(np.array(want["INB_sd"]), **close)
    assert d.normal_ceac(k) == pytest.approx(np.array(want["CEAC"]), **close)
    # 1e-9 absolute: at a z of 4 the two terms of the loss cancel to a ten-thousandth of their size
    assert d.normal_evpi(k) == pytest.approx(np.array(want["EVPI"]), rel=1e-9, abs=1e-9)
    # 1e-5: scipy integrates the bivariate normal to about that
    for quadrant, share in d.quadrant_probabilities().items():
        assert share == pytest.approx(want["plane_share_bivariate_normal"][quadrant], abs=1e-5)
    points = d.ellipse(points=400) - (d.effect, d.cost)
    v = np.array([[d.var_effect, d.covariance], [d.covariance, d.var_cost]])
    assert np.einsum("ij,jk,ik->i", points, np.linalg.inv(v), points) == pytest.approx(want["ellipse95"]["chi2_2"])


def test_discounting(expected):
    want = expected["discounting"]
    flow = np.array(want["flow"])
    for convention in Convention:
        assert discount_factors(want["rate"], 4, convention) @ flow == pytest.approx(want[convention.value], **close)
    assert discount_factors(0.04, 4) @ flow == pytest.approx(want["NL_2016 costs 4% (year1 undiscounted)"], **close)
    assert discount_factors(0.015, 4).sum() == pytest.approx(want["NL effects 1.5% of [1,1,1,1]"], **close)
    assert discount_factors(0.0225, 4) @ flow == pytest.approx(want["MKBA 2.25%"], **close)
    assert nominal_rate(0.03, 0.025) == pytest.approx(expected["real_nominal_identity"]["nominal_rate"], **close)


def test_annuities(expected):
    want = expected["annuity"]
    assert annuity_factor(0.025, 10) == pytest.approx(want["2.5%,10"], **close)
    assert annuity_factor(0.03, 5) == pytest.approx(want["3%,5"], **close)
    end = yearly_equivalent(200_000, 0.03, 5, convention=Convention.END_YEAR)
    assert end == pytest.approx(want["EUR200000 over 5 y at 3% end-year"], **close)
    assert yearly_equivalent(200_000, 0.03, 5) == pytest.approx(want["due"], **close)


def test_linear_normal_value_of_information(expected):
    want = expected["evppi_linear_normal"]
    value = evppi_linear(100.0, np.array([300.0, 150.0, 50.0]), np.eye(3))
    assert value.evppi == pytest.approx(np.array([want[f"EVPPI_X{i}"] for i in (1, 2, 3)]), **close)
    assert float(unit_loss(100.0, np.sqrt(300.0**2 + 150.0**2 + 50.0**2))) == pytest.approx(want["EVPI"], **close)


def test_regression_finds_the_closed_forms(expected):
    rng = np.random.default_rng(20261)
    x = rng.standard_normal((20_000, 3))
    inb = 100 + x @ np.array([300.0, 150.0, 50.0])
    nb = np.column_stack([np.zeros(len(inb)), inb])
    want = expected["evppi_linear_normal"]
    # 3 %: 20,000 draws leave a standard error of about 1 % of these values
    for columns, name in (([0], "EVPPI_X1"), ([1], "EVPPI_X2"), ([0, 1], "EVPPI_X1X2")):
        found = evppi_regression(nb, x[:, columns], rng, permutations=20)
        assert found.value == pytest.approx(want[name], rel=0.03)
        assert found.cross_fitted == pytest.approx(want[name], rel=0.05)
        assert found.distinguishable


def test_regression_of_a_product(expected):
    rng = np.random.default_rng(20262)
    x = np.column_stack([rng.normal(0.2, 1.0, 20_000), rng.normal(1.0, 0.5, 20_000)])
    nb = np.column_stack([np.zeros(20_000), 100 * x[:, 0] * x[:, 1]])
    found = evppi_regression(nb, x[:, [0]], rng, permutations=20)
    # 3 %: Monte Carlo error of 20,000 draws
    assert found.value == pytest.approx(expected["evppi_product"]["EVPPI_X1"], rel=0.03)
    weak = evppi_regression(nb, x[:, [1]], rng, permutations=50)
    assert weak.value < 1.0  # exact 0.085, far below the noise of the estimate


def test_shared_savings(expected):
    want = expected["shared_savings"]
    months, benchmark = 125_000, 500.0
    one_sided = {"share": 0.5, "minimum_rate": 0.01}
    two_sided = {**one_sided, "loss_share": 0.3, "minimum_loss_rate": 0.01, "loss_cap": 0.05}
    cases = {
        "axene_no_msr": SharedSavings(0.5, 0.0),
        "axene_msr_1pct": SharedSavings(**one_sided),
        "exactly_at_msr": SharedSavings(**one_sided),
        "above_msr_first_dollar": SharedSavings(**one_sided),
        "above_msr_excess_only": SharedSavings(**one_sided, excess_only=True),
        "cap_binds": SharedSavings(**one_sided, cap=0.10),
        "loss_within_corridor": SharedSavings(**two_sided),
        "loss_first_dollar": SharedSavings(**two_sided),
        "loss_cap_binds": SharedSavings(**two_sided),
    }
    for name, contract in cases.items():
        saving = want[name]["savings_pmpm"] / benchmark
        paid = float(contract.payment_rate(saving)) * benchmark * months
        assert paid == pytest.approx(want[name]["payment_to_provider"], **close), name


def test_shared_savings_under_noise(expected):
    for case, want in expected["shared_savings_noise"]["grid"].items():
        true, se, msr = (float(part.split("=")[1]) for part in case.split(","))
        found = under_noise(true, se, 0.5, msr)
        assert found.probability == pytest.approx(want["P_payment"], **close)
        assert found.expected == pytest.approx(want["expected_payment_rate_share50"], **close)
        assert found.overpayment == pytest.approx(want["overpayment_vs_true_share50"], **close)


def test_friction_costs(expected):
    want = expected["friction"]
    assert friction_period(423.7, 1462) == pytest.approx(want["2023"], **close)
    assert friction_period(444.4, 1507) == pytest.approx(want["table_2022"], **close)
    rows = {(row.item, row.price_year): row.value for row in read_rows(PRICES / "friction.csv", Problems("friction"))}
    years = range(2019, 2024)
    mean = mean_friction_period(
        [rows["open_vacancies", y] for y in years], [rows["filled_vacancies", y] for y in years]
    )
    assert mean == pytest.approx(want["table_5yr_2023"], **close)
    # 1e-6: the recorded example prints the friction period with two decimals more than it needs
    assert friction_cost(200, mean, 24 / 7, 41.39544) == pytest.approx(want["value"], rel=1e-6)
    assert friction_cost(10, mean, 24 / 7, 41.39544) == pytest.approx(want["short_absence_10_days"], rel=1e-6)


def test_decay(expected):
    want = expected["decay"]
    assert geometric(2, 4, 0.2) == pytest.approx(np.array(want["geometric 20%/yr after 2 observed years"]), **close)
    assert linear_to_zero(2, 7, 5) == pytest.approx(np.array(want["linear to 0 in 5 yrs after observed"]), **close)
    assert half_life(2, 5, 3) == pytest.approx(np.array(want["half-life 3 yr"]), **close)
