"""The worked example against its arithmetic, recomputed independently in R by whoever recorded it.

Tolerance 1e-9 relative: sums of about thirty products of double-precision numbers of up to 1e6 euros.
"""

import json

import numpy as np
import pytest

from mtvp_eval.costbenefit.discounting import Convention
from mtvp_eval.costbenefit.parties import Horizon, Party, Perspective
from mtvp_eval.costbenefit.stakeholders import stranded_cost

close = {"rel": 1e-9, "abs": 1e-6}  # abs: a millionth of a euro, for the zeros of pharmacy and regional organisation


@pytest.fixture(scope="module")
def expected(shared_dir):
    return json.loads((shared_dir / "reference/cea/worked_example.json").read_text(encoding="utf-8"))


@pytest.mark.shared
def test_by_year_and_party(worked, expected):
    assert worked.scenario.patient_years.tolist() == pytest.approx(expected["patient_years"], **close)
    for party, by_year in expected["stakeholder_by_year"].items():
        assert worked.gain_by_year(Party(party)).tolist() == pytest.approx(by_year, **close), party
    assert worked.society_by_year().tolist() == pytest.approx(expected["society_by_year"], **close)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("key", "convention"),
    [("pv", Convention.YEAR1_UNDISCOUNTED), ("pv_mid_year", Convention.MID_YEAR), ("pv_end_year", Convention.END_YEAR)],
)
def test_present_values(worked_with, expected, key, convention):
    result = worked_with(scenario_changes={"convention": convention})
    for party, value in expected[key].items():
        whose = Perspective.SOCIETY if party == "society" else Party(party)
        assert result.total(whose, Horizon.ALL).mean == pytest.approx(value, **close), party


@pytest.mark.shared
def test_break_even_gradient_and_joint_uncertainty(worked, expected):
    uncertainty = expected["joint_uncertainty"]
    npv = worked.total(Perspective.INSURER, Horizon.ALL)
    assert worked.break_even_tariff(Horizon.ALL).mean == pytest.approx(expected["break_even_tariff_2024eur"], **close)
    assert worked.patient_years(Horizon.ALL, discounted=True) == pytest.approx(expected["pv_patient_years"], **close)
    assert npv.sd == pytest.approx(uncertainty["npv_sd_joint"], **close)
    assert npv.interval() == pytest.approx(tuple(uncertainty["ci95_joint"]), **close)
    assert npv.probability_positive() == pytest.approx(uncertainty["P(NPV>0)"], **close)
    assert worked.gradient(Perspective.INSURER, Horizon.ALL) == pytest.approx(
        np.array(uncertainty["gradient"]), **close
    )


@pytest.mark.shared
def test_hospital(worked, expected):
    hospital = stranded_cost(worked)
    want = expected["hospital"]
    assert hospital.full_value == pytest.approx(np.array(want["full_value_of_volume_drop"]), **close)
    assert hospital.revenue_loss == pytest.approx(np.array(want["revenue_loss(=insurer cash saving)"]), **close)
    assert hospital.cost_avoided == pytest.approx(np.array(want["cost_avoided"]), **close)
    assert hospital.stranded == pytest.approx(np.array(want["stranded = revenue loss - cost avoided"]), **close)
    assert hospital.not_yet_cash == pytest.approx(np.array(want["not_yet_cashed_by_insurer"]), **close)


def test_stored_numbers(worked):
    """Main numbers of the same record, kept with the project for machines that do not have it."""
    assert worked.total(Perspective.INSURER, Horizon.ALL).mean == pytest.approx(30939.096220195952, **close)
    assert worked.total(Party.GP_PRACTICE, Horizon.ALL).mean == pytest.approx(383316.6510612916, **close)
    assert worked.total(Party.HOSPITAL, Horizon.ALL).mean == pytest.approx(-628028.4752442028, **close)
    assert worked.total(Perspective.SOCIETY, Horizon.ALL).mean == pytest.approx(-213772.72796271532, **close)
    assert worked.break_even_tariff(Horizon.ALL).mean == pytest.approx(12.087608836689853, **close)
    assert worked.total(Perspective.INSURER, Horizon.ALL).sd == pytest.approx(868929.5115296711, **close)


def test_society_is_the_sum_over_parties(worked):
    for horizon in Horizon:
        parties = sum(worked.total(party, horizon).mean for party in Party)
        assert parties == pytest.approx(worked.total(Perspective.SOCIETY, horizon).mean, **close)
