"""The worked example: net benefit of a ledger with invented effects and published tariffs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.costbenefit.discounting import read_discount_profiles
from mtvp_eval.costbenefit.effects import PricedEffects, per_patient_year
from mtvp_eval.costbenefit.ledger import Ledger
from mtvp_eval.costbenefit.ledger_reader import load_ledger
from mtvp_eval.costbenefit.net_benefit import NetBenefit, net_benefit
from mtvp_eval.costbenefit.prices import PriceTable, read_price_table
from mtvp_eval.costbenefit.scenario import Scenario, read_scenario

HERE = Path(__file__).parent
PRICES = Path(__file__).parents[3] / "data_dictionary" / "prices"


@pytest.fixture(scope="session")
def price_table() -> PriceTable:
    return read_price_table(PRICES)


@pytest.fixture(scope="session")
def worked_ledger() -> Ledger:
    return load_ledger(HERE / "worked_example.yaml")


@pytest.fixture(scope="session")
def worked_effects() -> PricedEffects:
    se = np.array([0.02, 0.006, 2.0])
    corr = np.array([[1, 0.3, 0.2], [0.3, 1, 0.5], [0.2, 0.5, 1]])
    return per_patient_year(
        ["gp_consult", "hospital_episode", "pharmacy_cost"],
        ["consult", "episode", "euro"],
        [0.03, -0.018, -4.0],
        corr * np.outer(se, se),
        price_years=[None, None, 2023],
    )


@pytest.fixture(scope="session")
def worked_scenario(price_table: PriceTable) -> Scenario:
    settings = {
        "name": "worked example",
        "first_year": 2024,
        "years": 4,
        "observed_years": 2,
        "enrolled": 50_000,
        "participation": [0.625, 1, 1, 1],
        "persistence": {"geometric": 0.2},
        "price_year": 2024,
        "discount": "zin2024",
    }
    return read_scenario(settings, read_discount_profiles(PRICES), price_table)


@pytest.fixture(scope="session")
def worked(
    worked_ledger: Ledger, worked_effects: PricedEffects, price_table: PriceTable, worked_scenario: Scenario
) -> NetBenefit:
    return net_benefit(worked_ledger, worked_effects, price_table, worked_scenario)


@pytest.fixture(scope="session")
def worked_with(worked: NetBenefit, price_table: PriceTable):
    """The worked example with other effects or another scenario."""

    def build(**changes) -> NetBenefit:
        parts = {"ledger": worked.ledger, "effects": worked.effects, "scenario": worked.scenario}
        scenario_changes = changes.pop("scenario_changes", {})
        parts.update(changes)
        parts["scenario"] = replace(parts["scenario"], **scenario_changes)
        return net_benefit(parts["ledger"], parts["effects"], price_table, parts["scenario"])

    return build
