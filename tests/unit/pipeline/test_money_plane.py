"""Cost against one outcome: the moments of a joint normal by hand, and the chances that follow from them."""

from types import SimpleNamespace

import numpy as np
import pytest

from mtvp_eval.config import EffectivenessChoices
from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import EffectKey, PricedEffects, QuantityBasis, totals
from mtvp_eval.costbenefit.joint_interval import Uncertain
from mtvp_eval.costbenefit.ledger_reader import read_ledger
from mtvp_eval.costbenefit.net_benefit import net_benefit
from mtvp_eval.costbenefit.parties import Perspective
from mtvp_eval.costbenefit.prices import read_price_table
from mtvp_eval.costbenefit.scenario import read_scenario
from mtvp_eval.costbenefit.spread import Spread
from mtvp_eval.errors import LedgerError
from mtvp_eval.pipeline.money_plane import Against, acceptability, against, plane
from tests.unit.costbenefit.conftest import FEE, PROJECT, line

CHOICES = EffectivenessChoices("pleasure", (0.0, 10.0, 40.0), "test")
# a saving of 5 euro a patient-year (sd 3) and a gain of 0.4 (sd 0.2), correlated .5: savings come with gains
SAVING, SD, GAIN, SD_GAIN, RHO = 5.0, 3.0, 0.4, 0.2, 0.5
FEE_PAID = 4 * 2.88


@pytest.fixture
def made():
    document = {"currency": "EUR", "fee": "fee", "lines": [dict(FEE), line()]}
    document["lines"][0]["price_payer"] = {"item": "mtvp_fee", "issue": 2023}
    table = read_price_table(PROJECT / "data_dictionary" / "prices")
    settings = {"first_year": 2023, "patient_years": [1000.0], "price_year": 2023, "discount": "none"}
    scenario = read_scenario(settings, {"none": DiscountProfile("none", 0.0, 0.0)}, table)
    key = EffectKey("cost_hospital", "euro", 2023, 2023, 1000.0)
    effects = totals([key], [-1000 * SAVING], [[(1000 * SD) ** 2]])
    result = net_benefit(read_ledger(document), effects, table, scenario)
    cross = -RHO * 1000 * SD * SD_GAIN  # the effect on cost is minus the saving
    extended = PricedEffects(
        (key, EffectKey("pleasure", "gain", year=2023)), np.array([-1000 * SAVING, GAIN]),
        np.array([[(1000 * SD) ** 2, cross], [cross, SD_GAIN**2]]), np.full(2, np.inf), QuantityBasis.TOTAL,
    )  # fmt: skip
    return Against(Uncertain.of(result, Spread(), 1), extended, CHOICES)


def test_gain_and_cost_per_patient_year_with_their_covariance(made):
    row = plane(made, 0.95).set_index("perspective").loc["insurer"]
    cost = FEE_PAID - SAVING
    assert row[["effect", "cost"]].tolist() == pytest.approx([GAIN, cost])
    assert row[["var_effect", "var_cost", "covariance"]].tolist() == pytest.approx(
        [SD_GAIN**2, SD**2, -RHO * SD * SD_GAIN]
    )
    assert row["quadrant"] == "NE"
    assert row["icer"] == pytest.approx(cost / GAIN)


def test_net_benefit_and_chances_are_those_of_the_joint_normal(made):
    d, _ = made.difference(Perspective.INSURER)
    rows = acceptability(made, 0.95).set_index(["perspective", "willingness_to_pay"]).loc["insurer"]
    k = np.array(CHOICES.willingness_to_pay)
    mean, sd = d.inb(k)
    assert rows["inb"].to_numpy(float) == pytest.approx(mean)
    assert rows["low"].to_numpy(float) == pytest.approx(mean - 1.959963985 * sd, rel=1e-8)
    assert rows["probability"].to_numpy(float) == pytest.approx(100 * d.normal_ceac(k))
    assert rows["evpi"].to_numpy(float) == pytest.approx(d.normal_evpi(k))
    # the option with the higher mean loses exactly the value of perfect information
    least = rows[["loss_programme", "loss_without"]].min(axis=1)
    assert least.to_numpy(float) == pytest.approx(rows["evpi"].to_numpy(float))
    assert rows["frontier"].tolist() == pytest.approx(
        [p if m > 0 else 100 - p for p, m in zip(rows["probability"], mean, strict=True)]
    )


def test_limits_of_the_ratio_are_where_the_interval_touches_zero(made):
    row = plane(made, 0.95).set_index("perspective").loc["insurer"]
    assert row["shape"] == "interval"
    d, _ = made.difference(Perspective.INSURER)
    mean, sd = d.inb(np.array([row["low"], row["high"]]))
    assert np.abs(mean / sd) == pytest.approx([1.959963985] * 2, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "direction", "said"),
    [("absent", None, "no effect per patient on absent"), ("cost_hospital", "down", "would be counted twice")],
)
def test_an_outcome_that_cannot_be_set_against_cost_is_refused(made, name, direction, said):
    from mtvp_eval.estimands.estimand import Weighting

    outcomes = {name: SimpleNamespace(direction=direction)} if direction else {}
    joint = SimpleNamespace(index=[SimpleNamespace(outcome=name, estimand="overall", weighting=Weighting.PATIENT)])
    evaluation = SimpleNamespace(
        dictionary=SimpleNamespace(outcomes=outcomes), effects=SimpleNamespace(joint=joint, money=object())
    )
    with pytest.raises(LedgerError, match=said):
        against(evaluation, made.uncertain, EffectivenessChoices(name, (1.0,), "test"))
