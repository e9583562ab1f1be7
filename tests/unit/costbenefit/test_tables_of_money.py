"""Checklist, cost-consequence, stakeholders and budget tables on small inputs."""

from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.costbenefit.budget_impact import (
    budget_impact,
    implausible_saving,
    payback,
    programme_return,
    saving_rate,
)
from mtvp_eval.costbenefit.checklist import NOT_REPORTED, fill_checklist
from mtvp_eval.costbenefit.consequence import Consequence, cost_consequence
from mtvp_eval.costbenefit.contract import minimum_rate_for, under_noise
from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import EffectKey, totals
from mtvp_eval.costbenefit.ledger_reader import read_ledger
from mtvp_eval.costbenefit.net_benefit import net_benefit
from mtvp_eval.costbenefit.parties import Party
from mtvp_eval.costbenefit.scenario import observed_scenario
from mtvp_eval.costbenefit.stakeholders import side_payments, who_pays_who_gains
from mtvp_eval.errors import LedgerError

CHEERS = Path(__file__).parents[3] / "data_dictionary" / "checklists" / "cheers2022.yaml"


@pytest.fixture
def result(document, price_table):
    document["lines"][1]["avoidable"] = 0.4
    effects = totals([EffectKey("cost_hospital", "euro", 2023, 2023, 1000.0)], [-15_000.0], [[4e6]])
    scenario = observed_scenario("base", 2023, np.array([1000.0]), 2023, DiscountProfile("zin2024", 0.03, 0.015))
    return net_benefit(read_ledger(document), effects, price_table, scenario)


def test_checklist_has_28_rows_and_says_what_is_not_reported():
    table = fill_checklist(CHEERS, {"title": "#title", "ledger": "tables.xlsx, ledger"})
    assert len(table) == 28
    assert table.loc[0, "place"] == "#title"
    assert table.loc[13, "place"] == "tables.xlsx, ledger"
    assert (table["place"] == NOT_REPORTED).sum() == 26


def test_cost_consequence(result):
    table = cost_consequence(result, [Consequence("work pleasure", "points of 10", 0.4, -0.1, 0.9)]).set_index("what")
    assert table.loc["net cost, insurer", "estimate"] == pytest.approx(-3.48)
    assert table.loc["net cost, insurer", "high"] == pytest.approx(-3.48 + 1.959964 * 2.0)
    assert table.loc["work pleasure", "estimate"] == 0.4


def test_who_pays_who_gains(result):
    table = who_pays_who_gains(result).set_index("party")
    # the hospital loses 15,000 revenue and avoids 40 % of it
    assert table.loc["hospital", "net"] == pytest.approx(-9_000)
    assert table.loc["hospital", "probability_gain"] < 0.001
    assert table.loc["gp_practice", "net"] == pytest.approx(11_520)
    assert table.loc["insurer", "net"] == pytest.approx(3_480)
    assert not table["wrong_pocket"].any()  # the party that pays also gains
    paid = side_payments(table["net"].to_numpy())
    # 9,000 in proportion to gains of 3,480 and 11,520
    assert dict(zip(table.index, paid, strict=True)) == pytest.approx(
        {"insurer": -2_088, "gp_practice": -6_912, "hospital": 9_000}
    )


def test_a_payer_that_loses_while_others_gain_is_flagged(document, price_table, result):
    document["lines"][1]["cashable"] = 0.0
    scenario = result.scenario
    lost = net_benefit(read_ledger(document), result.effects, price_table, scenario)
    table = who_pays_who_gains(lost).set_index("party")
    assert table.loc["insurer", "net"] == pytest.approx(-11_520)
    assert table["wrong_pocket"].to_dict() == {"insurer": True, "gp_practice": False, "hospital": False}


def test_budget_impact_and_return(result):
    row = budget_impact(result).iloc[0]
    parts = (row["programme"], row["induced"], row["savings"], row["net_budget_impact"])
    assert parts == pytest.approx((11_520, 0, 15_000, -3_480))
    assert (row["low"], row["high"]) == pytest.approx((-3_480 - 3_919.93, -3_480 + 3_919.93), abs=0.01)
    assert programme_return(result).roi == pytest.approx(3_480 / 11_520)
    with pytest.raises(LedgerError, match="no return"):
        programme_return(result, Party.MUNICIPALITY)


def test_the_saving_a_contract_sees(result):
    rate = saving_rate(result, 3_000.0)
    assert (rate.mean, rate.sd) == pytest.approx((15 / 3_000, 2 / 3_000))
    box = under_noise(rate.mean, rate.sd, 0.5, minimum_rate_for(rate.sd, 0.10))
    assert box.probability == pytest.approx(1.0, abs=1e-6)  # 7.5 standard errors above zero
    with pytest.raises(LedgerError, match="positive total cost"):
        saving_rate(result, 0.0)


def test_a_saving_above_what_was_ever_shown_is_flagged(result):
    assert implausible_saving(result, 3_000.0) is None  # 15 of 3,000 is 0.5 %
    assert "3.0 % of total cost" in str(implausible_saving(result, 500.0))


@pytest.mark.parametrize(
    ("flow", "years", "stays"),
    [
        ([-100.0, 40.0], None, False),
        ([10.0, 5.0], 0.0, True),
        ([-100.0, 100.0, -10.0], 2.0, False),
        ([-100.0, 200.0], 1.5, True),
    ],
)
def test_payback(flow, years, stays):
    found = payback(np.array(flow))
    assert (found.years, found.stays) == (years, stays)
