"""A ledger of two lines with numbers that can be checked by hand."""

from pathlib import Path

import pytest

from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import EffectKey, totals
from mtvp_eval.costbenefit.ledger_reader import read_ledger
from mtvp_eval.costbenefit.net_benefit import net_benefit
from mtvp_eval.costbenefit.prices import PriceTable, read_price_table
from mtvp_eval.costbenefit.scenario import read_scenario

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def price_table() -> PriceTable:
    return read_price_table(PROJECT / "data_dictionary" / "prices")


def line(**changes) -> dict:
    entry = {
        "id": "hospital",
        "label": "hospital care",
        "payer": "insurer",
        "receiver": "hospital",
        "sector": "hospital",
        "law": "Zvw-other",
        "kind": "structural",
        "quantity_source": "effect:cost_hospital",
        "unit": "euro",
        "price_resource": {"share_of_payer": 1},
        "cashable": 1,
        "evidence": "observed",
        "overlap_group": "hospital",
        "source": "test",
    }
    entry.update(changes)
    return {key: value for key, value in entry.items() if value is not None}


FEE = line(
    id="fee",
    label="programme fee",
    receiver="gp_practice",
    sector="gp",
    law="Zvw-S3",
    quantity_source="input",
    quantity=4,
    unit="patient_quarter",
    price_payer={"item": "mtvp_fee"},
    price_resource={"share_of_payer": 0},
    evidence="contract",
    overlap_group="fee",
    cashable=None,
)


@pytest.fixture
def make_line():
    return line


@pytest.fixture
def document():
    return {"currency": "EUR", "fee": "fee", "lines": [dict(FEE), line()]}


@pytest.fixture
def result(document, price_table):
    """One observed year and two after it; half the saving on hospital care is cash at first, 35 % is cost avoided."""
    document["lines"][0]["price_payer"] = {"item": "mtvp_fee", "issue": 2023}
    document["lines"][1] |= {
        "cashable": {"before": 0.5, "after": 1, "lag_years": 1}, "avoidable": 0.35, "spread": {"cashable": 0.15},
    }  # fmt: skip
    settings = {
        "first_year": 2023, "patient_years": [1000.0, 1000.0, 1000.0], "observed_years": 1, "price_year": 2023,
        "discount": "zin2024", "persistence": {"geometric": 0.2},
    }  # fmt: skip
    scenario = read_scenario(settings, {"zin2024": DiscountProfile("zin2024", 0.03, 0.015)}, price_table)
    effects = totals([EffectKey("cost_hospital", "euro", 2023, 2023, 1000.0)], [-15_000.0], [[4e6]], df=8.0)
    return net_benefit(read_ledger(document), effects, price_table, scenario)
