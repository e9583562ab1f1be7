"""Practice income under each form of payment, by hand: 1,000 patient-years, claims of 50.00 that fall by 2.00."""

import numpy as np
import pytest

from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import per_patient_year
from mtvp_eval.costbenefit.funding import Funding, FundingTerms, funded, read_funding
from mtvp_eval.costbenefit.ledger import StatedPrice
from mtvp_eval.costbenefit.ledger_reader import read_ledger
from mtvp_eval.costbenefit.net_benefit import net_benefit
from mtvp_eval.costbenefit.parties import Evidence, Party
from mtvp_eval.costbenefit.scenario import observed_scenario
from mtvp_eval.errors import LedgerError


def euro(value: float) -> StatedPrice:
    return StatedPrice(value, 2023, "test", Evidence.ASSUMED)


@pytest.fixture
def income(document, make_line, price_table):
    document["lines"] = [
        document["lines"][0],
        make_line(id="gp", receiver="gp_practice", sector="gp", quantity_source="effect:cost_gp", overlap_group="gp",
                  price_resource={"share_of_payer": 0}),
    ]  # fmt: skip
    ledger = read_ledger(document)
    effects = per_patient_year(["cost_gp"], ["euro"], [-2.0], [[1.0]], price_years=[2023])
    scenario = observed_scenario("b", 2023, np.array([1000.0]), 2023, DiscountProfile("none", 0.0, 0.0))

    def of(terms: FundingTerms) -> float:
        result = net_benefit(funded(ledger, terms), effects, price_table, scenario)
        assert result.total(Party.INSURER).mean == pytest.approx(-result.total(Party.GP_PRACTICE).mean)
        return result.total(Party.GP_PRACTICE).mean

    return of


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        # fee 11.52 and all claims: 11,520 - 2,000
        (FundingTerms(Funding.FEE_S1, euro(11.52)), 9_520),
        # surcharge 55, no claims any more: 55,000 - 50,000
        (FundingTerms(Funding.SURCHARGE_ONLY, euro(55.0), euro(50.0), kept=0.0), 5_000),
        # surcharge 30 and half the claims: 30,000 + 0.5 (50,000 - 2,000) - 50,000
        (FundingTerms(Funding.SURCHARGE_WITH_SERVICE, euro(30.0), euro(50.0), kept=0.5), 4_000),
        # revenue fixed at the past: nothing changes, though consults fall
        (FundingTerms(Funding.FIXED_REVENUE, euro(50.0), euro(50.0), kept=0.0), 0),
        # a grant of 20,000 a year whatever the list: 20,000 - 2,000, fewer consults are less income
        (FundingTerms(Funding.STAFF_GRANT, euro(20_000.0)), 18_000),
        (FundingTerms(Funding.INNOVATION_BUDGET, euro(1_500.0)), -500),
    ],
)
def test_income_of_practices(income, terms, expected):
    assert income(terms) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        (FundingTerms(Funding.SURCHARGE_ONLY, euro(55.0), kept=0.0), "needs past_claims"),
        (FundingTerms(Funding.SURCHARGE_ONLY, euro(55.0), euro(50.0), kept=0.5), "does not fit"),
        (FundingTerms(Funding.FEE_S1, euro(55.0), kept=0.5), "does not fit"),
    ],
)
def test_terms_that_do_not_fit_are_refused(income, terms, problem):
    with pytest.raises(LedgerError, match=problem):
        income(terms)


def by_year(*values: float) -> dict[int, dict]:
    return {
        2023 + i: {"value": v, "price_year": 2023, "source": "test", "evidence": "contract"}
        for i, v in enumerate(values)
    }


@pytest.fixture
def two_years(price_table):
    scenario = observed_scenario("b", 2023, np.array([1000.0, 2000.0]), 2023, DiscountProfile("none", 0.0, 0.0))
    effects = per_patient_year(["cost_hospital"], ["euro"], [-2.0], [[1.0]], price_years=[2023])
    return lambda ledger: net_benefit(ledger, effects, price_table, scenario)


def test_segment_3_and_then_1_is_one_line_whose_law_and_fee_change(document, two_years):
    document["lines"][0] |= {
        "law": {2024: "Zvw-S1", 2023: "Zvw-S3"}, "quantity": 1, "unit": "patient_year",
        "price_payer": by_year(11.52, 12.92), "price_resource": {"share_of_payer": 0.5},
    }  # fmt: skip
    result = two_years(read_ledger(document))
    assert result.gain_by_year(Party.GP_PRACTICE) == pytest.approx([1000 * 11.52 / 2, 2000 * 12.92 / 2])
    assert result.paid_tariff() == pytest.approx((11.52 + 2 * 12.92) / 3)
    frame = result.to_frame()
    fee = frame[(frame["line"] == "fee") & (frame["flow"] == "pays")].set_index("year")
    assert fee["law"].to_dict() == {2023: "Zvw-S3", 2024: "Zvw-S1"}
    assert fee["amount"].to_dict() == pytest.approx({2023: -11_520, 2024: -25_840})


def test_the_published_fee_may_be_followed_by_an_offer(document, two_years):
    document["lines"][0]["price_payer"] = by_year(0.0, 3.0) | {2023: {"item": "mtvp_fee"}}
    result = two_years(read_ledger(document))
    assert result.gain_by_year(Party.GP_PRACTICE) == pytest.approx([4 * 2.88 * 1000, 4 * 3.0 * 2000])
    document["lines"].append({**document["lines"][0], "id": "again", "overlap_group": "again"})
    with pytest.raises(LedgerError, match="pay the same tariff twice"):
        read_ledger(document)


def test_years_without_an_amount_and_wrong_years_are_refused(document, two_years):
    document["lines"][0]["price_payer"] = {2024: by_year(3.0)[2023]}
    with pytest.raises(LedgerError, match="line fee: has no amount in 2023: its first begins in 2024"):
        two_years(read_ledger(document))
    document["lines"][0] |= {"price_payer": {23: {"value": 3.0}}, "law": {2023: "S3"}}
    with pytest.raises(LedgerError) as error:
        read_ledger(document)
    for part in ("price_payer: must be a year", "price_payer.23: has no price_year", "law: must be one of Zvw-S1"):
        assert part in str(error.value)


def test_an_own_form_of_payment_may_change_its_amount(document, two_years):
    terms = read_funding({"grows": {"form": "fee_s1", "amount": by_year(10.0, 15.0)}}, None)["grows"]
    document["lines"][0]["law"] = {2023: "Zvw-S3", 2024: "Zvw-S1"}
    result = two_years(funded(read_ledger(document), terms))
    assert result.gain_by_year(Party.GP_PRACTICE) == pytest.approx([10_000, 30_000])
    assert result.ledger.line("fee").law_in(2023).value == "Zvw-S1"
    with pytest.raises(LedgerError, match=r"grows\.amount\.2024\.value: must be a number"):
        read_funding({"grows": {"form": "fee_s1", "amount": by_year(10.0, -1.0)}}, None)


AMOUNT = {"value": 13.5, "price_year": 2024, "source": "offer", "evidence": "contract"}


def test_own_forms_of_payment_are_read_with_their_amounts():
    before = StatedPrice(50.0, 2024, "extract", Evidence.OBSERVED)
    read = read_funding(
        {
            "offer": {"form": "staff_grant", "amount": AMOUNT},
            "half": {"form": "surcharge_with_service", "amount": AMOUNT, "kept": 0.5},
        },
        before,
    )
    assert (read["offer"].form, read["offer"].kept, read["offer"].past_claims) == (Funding.STAFF_GRANT, 1.0, None)
    assert (read["half"].kept, read["half"].past_claims) == (0.5, before)


def test_every_problem_of_own_forms_is_said():
    wrong = {
        "a": {"form": "gift", "amount": AMOUNT},
        "b": {"form": "fixed_revenue", "amount": AMOUNT},
        "c": {"form": "surcharge_with_service", "amount": AMOUNT | {"evidence": "hearsay"}},
        "d": {"form": "fee_s1", "amount": {"value": -1}, "kept": 0.5},
    }
    with pytest.raises(LedgerError) as error:
        read_funding(wrong, None)
    for part in (
        "a.form: must be one of fee_s3, fee_s1",
        "b.past_claims: is needed",
        "c.kept: is needed",
        "c.amount.evidence: must be one of",
        "d.amount: has no price_year",
        "d.kept: is 1 by the form fee_s1; leave it out",
    ):
        assert part in str(error.value)
