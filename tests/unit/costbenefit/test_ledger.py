from pathlib import Path

import pytest

from mtvp_eval.costbenefit.ledger_reader import load_ledger, read_ledger
from mtvp_eval.errors import CommandError, LedgerError

TEMPLATE = Path(__file__).parents[3] / "data_dictionary" / "ledgers" / "mtvp.yaml"
STATED = {"value": 100.0, "price_year": 2023, "source": "test", "evidence": "assumed"}


def refusal(document) -> str:
    with pytest.raises(LedgerError) as error:
        read_ledger(document)
    return str(error.value)


def test_a_right_ledger_is_read(document):
    ledger = read_ledger(document)
    assert [line.id for line in ledger.lines] == ["fee", "hospital"]
    assert ledger.line("hospital").effect == "cost_hospital"


def test_the_template_is_a_right_ledger_and_lists_what_is_not_supplied():
    ledger, missing = load_ledger(TEMPLATE).supplied(["cost_gp", "cost_hospital", "cost_pharmacy"])
    assert ledger.fee in [line.id for line in ledger.lines]
    assert missing == ("diagnostics_cost", "mental_health_cost", "district_nursing_cost")


def test_all_problems_are_said_at_once(document, make_line):
    document["lines"] += [
        make_line(id="a", payer=None, overlap_group="a", sector="pharmacy", quantity_source="effect:a"),
        make_line(id="b", recever="hospital", overlap_group="b", sector="pharmacy", quantity_source="effect:b"),
        make_line(id="c", overlap_group="c", law="Zvv", sector="pharmacy", quantity_source="effect:c"),
        make_line(id="d", overlap_group="d", unit="visit", quantity_source="effect:d", sector="pharmacy"),
        make_line(
            id="e",
            overlap_group="e",
            unit="visit",
            quantity_source="effect:e",
            sector="pharmacy",
            price_payer={"value": 10, "source": "s", "evidence": "assumed"},
        ),
        make_line(
            id="f",
            overlap_group="f",
            unit="visit",
            quantity_source="effect:f",
            sector="pharmacy",
            price_payer={**STATED, "currency": "USD"},
        ),
    ]
    message = refusal(document)
    for part in (
        "breaks 6 rules",
        "line a: has no payer",
        "did you mean receiver?",
        "line c.law: must be one of Zvw-S1",
        "line d: has no price_payer",
        "line e.price_payer: has no price_year",
        "line f.price_payer.currency: must be EUR",
    ):
        assert part in message


def test_a_line_without_payer_is_read_to_its_end_and_still_measures_the_same_euros(document, make_line):
    document["lines"] += [
        make_line(
            id="a", payer=None, sector="pharmasy", cashable=1.2, avoidable={"before": 0.2, "after": 0.8},
            persistence=[0.9, 1.0], uptake=[1.0, -1.0], backfill="half",
        ),
        make_line(id="a", overlap_group="b", sector="pharmacy", quantity_source="effect:a", kind=None),
    ]  # fmt: skip
    message = refusal(document)
    for part in (
        "breaks 10 rules",
        "line a: has no payer",
        "line a.sector: must be one of",
        "line a.cashable: must be a number between 0 and 1",
        "line a.avoidable: has no lag_years",
        "line a.persistence: must be 1 in the observed years",
        "line a.uptake[1]: must be a number between 0 and 1",
        "line a.backfill: must be a number between 0 and 1",
        "line a: has no kind",
        "line a: id given twice",
        "lines hospital, a: measure the same euros (overlap group hospital)",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "other", "quantity_source": "effect:other", "sector": "pharmacy"}, "overlap group hospital"),
        ({"id": "other", "overlap_group": "b", "sector": "pharmacy"}, "same effect cost_hospital twice"),
        (
            {"id": "all", "overlap_group": "b", "sector": "total", "quantity_source": "effect:cost_total"},
            "a total and its own",
        ),
        (
            {
                "id": "visits",
                "overlap_group": "b",
                "quantity_source": "effect:visits",
                "unit": "visit",
                "price_payer": STATED,
            },
            "volume times price and cost",
        ),
        (
            {"id": "hospital", "overlap_group": "b", "sector": "pharmacy", "quantity_source": "effect:b"},
            "id given twice",
        ),
        (
            {"id": "x", "overlap_group": "b", "payer": "hospital", "sector": "pharmacy", "quantity_source": "effect:b"},
            "the same party",
        ),
        (
            {
                "id": "x",
                "overlap_group": "b",
                "sector": "gp",
                "quantity_source": "effect:list",
                "unit": "patient_quarter",
                "price_payer": STATED,
            },
            "capitation is not driven by volume",
        ),
        (
            {"id": "x", "overlap_group": "b", "sector": "gp", "kind": "one_off", "quantity_source": "effect:b"},
            "cannot repeat",
        ),
        (
            {"id": "x", "overlap_group": "b", "sector": "gp", "quantity_source": "effect:b", "cashable": None},
            "no cashable share",
        ),
    ],
)
def test_double_counting_and_misuse_are_refused(document, make_line, changes, problem):
    document["lines"].append(make_line(**changes))
    assert problem in refusal(document)


def test_referrals_and_hospital_products_are_one_saving(document, make_line):
    volumes = [
        make_line(id=unit, overlap_group=unit, unit=unit, quantity_source=f"effect:{unit}", price_payer=STATED)
        for unit in ("referral", "episode")
    ]
    document["lines"] = [document["lines"][0], *volumes]
    assert "referrals and hospital products are the same saving" in refusal(document)


def test_the_fee_flows_once_and_is_no_effect(document):
    document["lines"].append({**document["lines"][0], "id": "fee_again", "overlap_group": "again"})
    assert "pay the same tariff twice (mtvp_fee" in refusal(document)
    document["lines"][2:] = []
    document["fee"] = "hospital"
    assert "the fee is paid by contract and is no effect" in refusal(document)
    document["fee"] = "nothing"
    assert "fee: names no line" in refusal(document)


def test_work_of_a_practice_is_not_priced_beside_its_own_outlay(document, make_line):
    outlay = make_line(
        id="outlay",
        payer="gp_practice",
        receiver="suppliers",
        sector="gp",
        quantity_source="input",
        quantity=1,
        unit="patient_year",
        price_payer=STATED,
        overlap_group="work",
        cashable=None,
    )
    consult = make_line(
        id="consult",
        receiver="gp_practice",
        sector="gp",
        quantity_source="effect:consults",
        unit="consult",
        price_payer=STATED,
        price_resource={"item": "gp_consult_average"},
        overlap_group="consult",
    )
    document["lines"] += [outlay, consult]
    assert "already in line outlay" in refusal(document)
    document["lines"][-1]["price_resource"] = {"share_of_payer": 0}
    read_ledger(document)


def test_a_key_given_twice_is_refused(tmp_path):
    path = tmp_path / "ledger.yaml"
    path.write_text("currency: EUR\nfee: a\nfee: b\nlines: []\n", encoding="utf-8")
    with pytest.raises(CommandError, match=r"ledger\.yaml, line 1: the key fee stands there twice"):
        load_ledger(path)


def test_other_currencies_are_refused(document):
    document["currency"] = "USD"
    assert "currency: must be EUR" in refusal(document)
