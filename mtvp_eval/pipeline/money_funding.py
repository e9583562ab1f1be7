"""Forms of payment side by side: those of the predecessor projects at what the fee paid, and the question's own."""

from __future__ import annotations

from collections.abc import Iterator

from mtvp_eval.costbenefit.funding import Funding, FundingTerms, funded, read_funding, spec_name, stops_service
from mtvp_eval.costbenefit.ledger import StatedPrice
from mtvp_eval.costbenefit.net_benefit import NetBenefit, net_benefit
from mtvp_eval.costbenefit.parties import Evidence
from mtvp_eval.data.panel import Panel
from mtvp_eval.pipeline.pricing import Pricing, Variant, cost_before

CLAIMS = "cost_gp"
"""Outcome that holds what practices claim, fee for service included."""
_HALF = 0.5


def forms_of_payment(pricing: Pricing, result: NetBenefit, panel: Panel, first: int) -> Iterator[Variant]:
    """Price the result under each form of payment; `first` is the first quarter of the programme.

    The forms of the predecessor projects pay what the fee paid before any effect: what differs is then who carries the
    effect on claims, and nothing else. The forms that the question declares pay their own amounts.

    Raises
    ------
    LedgerError
        If a declared form does not fit.
    """
    year, claims = pricing.choices.price_year, CLAIMS in result.effects.outcomes()
    before = StatedPrice(
        cost_before(panel, CLAIMS, first, pricing) if claims else 0.0,
        year,
        "extract costs, the year before the first start",
        Evidence.OBSERVED,
    )
    for terms in _as_the_fee(result, before, year, claims):
        yield _variant("funding", spec_name(terms.form), terms, pricing, result)
    for name, terms in read_funding(pricing.choices.funding, before if claims else None).items():
        yield _variant("funding_own", name, terms, pricing, result)


def _as_the_fee(result: NetBenefit, before: StatedPrice, year: int, claims: bool) -> Iterator[FundingTerms]:
    """Terms that pay what the fee paid, and past claims where these stop."""
    fee = result.paid_tariff()
    a_year = fee * result.patient_years() / result.scenario.n_years
    kept = {Funding.SURCHARGE_WITH_SERVICE: _HALF, Funding.SURCHARGE_ONLY: 0.0, Funding.FIXED_REVENUE: 0.0}
    for form in (Funding.FEE_S1, Funding.STAFF_GRANT, Funding.INNOVATION_BUDGET, *(kept if claims else ())):
        stops = stops_service(form)
        share = kept.get(form, 1.0)
        yearly = form in (Funding.STAFF_GRANT, Funding.INNOVATION_BUDGET)
        amount = a_year if yearly else fee + (1.0 - share) * before.value
        price = StatedPrice(amount, year, "what the fee paid", Evidence.CONTRACT)
        yield FundingTerms(form, price, before if stops else None, share)


def _variant(group: str, name: str, terms: FundingTerms, pricing: Pricing, result: NetBenefit) -> Variant:
    ledger = funded(result.ledger, terms)
    made = net_benefit(ledger, result.effects, pricing.table, result.scenario)
    return Variant(group, name, made, form=terms.form)
