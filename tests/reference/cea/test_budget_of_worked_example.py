"""Budget impact, payback and return of the worked example; 1e-9 as in `test_worked_example.py`."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.costbenefit.budget_impact import break_even_effect, budget_impact, payback, programme_return
from mtvp_eval.costbenefit.parties import Horizon, Party, Perspective
from mtvp_eval.costbenefit.voi import evppi_linear, unit_loss

close = {"rel": 1e-9, "abs": 1e-6}


@pytest.fixture(scope="module")
def expected(shared_dir):
    return json.loads((shared_dir / "reference/cea/worked_example.json").read_text(encoding="utf-8"))


@pytest.mark.shared
def test_budget_impact(worked, expected):
    table = budget_impact(worked)
    want = expected["undiscounted_budget_impact_insurer_by_year (cost positive)"]
    assert table["net_budget_impact"].to_numpy() == pytest.approx(np.array(want), **close)
    parts = table["programme"] + table["induced"] - table["savings"]
    assert parts.to_numpy() == pytest.approx(np.array(want), **close)
    assert table["freed_capacity"].to_numpy() == pytest.approx(
        np.array(expected["hospital"]["not_yet_cashed_by_insurer"]), **close
    )


@pytest.mark.shared
def test_payback_and_return(worked, expected):
    assert payback(worked.gain_by_year(Party.INSURER)).years == pytest.approx(
        expected["payback"]["insurer_example"], **close
    )
    demo = np.array(expected["payback"]["demo_flows"])
    discounted = payback(demo * 1.03 ** -np.arange(4.0))
    assert discounted.years == pytest.approx(expected["payback"]["demo_discounted_3pct"], **close)
    found, want = programme_return(worked, horizon=Horizon.ALL), expected["bcr"]
    assert found.net_ratio == pytest.approx(want["A: (gross savings - induced costs)/programme cost"], **close)
    assert found.gross_ratio == pytest.approx(want["B: gross savings/(programme+induced cost)"], **close)
    assert found.roi == pytest.approx(want["roi_A = NPV/programme cost"], **close)


@pytest.mark.shared
def test_value_of_information(worked, expected):
    want = expected["joint_uncertainty"]
    npv = worked.total(Perspective.INSURER, Horizon.ALL)
    evpi = float(unit_loss(npv.mean, npv.sd))
    assert evpi == pytest.approx(want["EVPI (decide on insurer NPV, per programme)"], **close)
    value = evppi_linear(npv.mean, npv.coefficient[:-1], worked.effects.covariance)
    for i, name in enumerate(want["order"]):
        exact = want["EVPPI_exact_linear_normal"][name]
        assert value.sd[i] == pytest.approx(exact["sd_conditional_mean"], **close)
        assert value.evppi[i] == pytest.approx(exact["EVPPI"], **close)
        assert value.evppi[i] <= evpi


def test_break_even_effect(worked, worked_with):
    wanted = break_even_effect(worked, "hospital_episode", horizon=Horizon.ALL)
    moved = replace(worked.effects, mean=np.where(np.arange(3) == 1, wanted, worked.effects.mean))
    scaled = worked_with(effects=moved)
    # a thousandth of a cent on flows of millions
    assert scaled.total(Perspective.INSURER, Horizon.ALL).mean == pytest.approx(0.0, abs=1e-5)
