"""A ledger of two lines with numbers that can be checked by hand."""

from pathlib import Path

import pytest

from mtvp_eval.costbenefit.prices import PriceTable, read_price_table

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
