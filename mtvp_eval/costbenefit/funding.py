"""Ways the programme has been paid for, as changes of one ledger; and what a fee buys in a practice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from mtvp_eval.costbenefit.ledger import (
    Ledger,
    LedgerLine,
    PriceByYear,
    PriceSource,
    Quantity,
    ShareOfPayerPrice,
    StatedPrice,
)
from mtvp_eval.costbenefit.parties import Evidence, Kind, Law, Party, Sector
from mtvp_eval.costbenefit.reading import Problems, by_year
from mtvp_eval.errors import LedgerError


class Funding(StrEnum):
    """Forms of payment seen in the predecessor projects (Nivel 2021) and in the present programme."""

    FEE_S3 = "fee per registered patient, segment 3"
    FEE_S1 = "fee per registered patient, segment 1"
    SURCHARGE_ONLY = "surcharge on registration, no fee for service"
    SURCHARGE_WITH_SERVICE = "surcharge on registration, fee for (part of) service"
    FIXED_REVENUE = "fixed revenue on past years"
    STAFF_GRANT = "grant for staff"
    INNOVATION_BUDGET = "innovation budget of the insurer"


@dataclass(frozen=True, slots=True)
class FundingTerms:
    """Amounts of one form; every amount is an input with its own source.

    `amount`: what is paid, per patient-year for fee, surcharge and fixed revenue, a year for grant and budget.
    `past_claims`: fee-for-service claims per patient-year before the programme, needed where they stop or become fixed.
    `kept`: share of the fee for service that stays (0 for surcharge only and fixed revenue, 1 for fees and grants).
    """

    form: Funding
    amount: PriceSource
    past_claims: PriceSource | None = None
    kept: float = 1.0


FORMS = {form.name.lower(): form for form in Funding}
"""Forms of payment by the name that a settings file uses."""
_LAW = {Funding.FEE_S1: Law.ZVW_S1, Funding.FEE_S3: Law.ZVW_S3, Funding.INNOVATION_BUDGET: Law.ZVW_OTHER}
_YEARLY = (Funding.STAFF_GRANT, Funding.INNOVATION_BUDGET)
_STOPS_SERVICE = (Funding.SURCHARGE_ONLY, Funding.SURCHARGE_WITH_SERVICE, Funding.FIXED_REVENUE)


def stops_service(form: Funding) -> bool:
    """Whether (part of) the fee for service stops under a form, so that past claims must be known."""
    return form in _STOPS_SERVICE


def read_funding(mapping: Mapping[str, Any], past_claims: StatedPrice | None) -> dict[str, FundingTerms]:
    """Read forms of payment with a region's own amounts strictly, by the name each is given.

    Each has a `form` (one of `FORMS`), an `amount` (value, price_year, source, evidence: euros per patient-year, or
    euros for each calendar year, whole or part, of a grant or budget; or several, each under the calendar year from
    which it holds) and, where fee for service stops, the share `kept` and optionally `past_claims` in place of the
    region's own. Raises ``LedgerError`` with every problem.

    >>> amount = {"value": 13.5, "price_year": 2024, "source": "offer", "evidence": "contract"}
    >>> read_funding({"offer": {"form": "fee_s1", "amount": amount}}, None)["offer"].kept
    1.0
    """
    problems = Problems("cost_benefit: funding")
    read = {}
    for name, spec in mapping.items():
        where = str(name)
        if not problems.keys(spec, where, ("form", "amount"), ("kept", "past_claims")):
            continue
        form = FORMS.get(spec["form"]) if isinstance(spec["form"], str) else None
        if form is None:
            problems.add(f"{where}.form", f"must be one of {', '.join(FORMS)}")
            continue
        amount = _amount(spec["amount"], f"{where}.amount", problems)
        past = past_claims
        if spec.get("past_claims") is not None:
            past = _stated(spec["past_claims"], f"{where}.past_claims", problems)
        kept = _kept_share(form, spec.get("kept"), where, problems)
        if stops_service(form) and past is None:
            problems.add(f"{where}.past_claims", "is needed: no claims of general practice were supplied before it")
        read[where] = FundingTerms(form, amount, past if stops_service(form) else None, kept)
    problems.raise_if_any()
    return read


def _amount(spec: Any, where: str, problems: Problems) -> PriceSource:
    """Read an amount, or several by the calendar year from which each holds."""
    steps = [(problems.year(y, where), _stated(one, f"{where}.{y}", problems)) for y, one in by_year(spec)]
    return PriceByYear(tuple(steps)) if steps else _stated(spec, where, problems)


def _stated(spec: Any, where: str, problems: Problems) -> StatedPrice:
    """Read an amount with its price year, source and evidence; problems are noted."""
    if not problems.keys(spec, where, ("value", "price_year", "source", "evidence")):
        return StatedPrice(0.0, 0, "", Evidence.ASSUMED)
    if spec["evidence"] not in list(Evidence):
        problems.add(f"{where}.evidence", f"must be one of {', '.join(Evidence)}")
    known = Evidence(spec["evidence"]) if spec["evidence"] in list(Evidence) else Evidence.ASSUMED
    value = problems.number(spec["value"], f"{where}.value", low=0.0)
    return StatedPrice(value, problems.year(spec["price_year"], f"{where}.price_year"), str(spec["source"]), known)


def _kept_share(form: Funding, given: Any, where: str, problems: Problems) -> float:
    """The share of fee for service that stays: fixed by the form, but for a surcharge that leaves part of it."""
    if form is Funding.SURCHARGE_WITH_SERVICE:
        if given is None:
            problems.add(f"{where}.kept", "is needed: the share of fee for service that stays, between 0 and 1")
            return 1.0
        return problems.number(given, f"{where}.kept", 0.0, 1.0)
    fixed = 0.0 if form in _STOPS_SERVICE else 1.0
    if given is not None and given != fixed:
        problems.add(f"{where}.kept", f"is {fixed:g} by the form {spec_name(form)}; leave it out")
    return fixed


def spec_name(form: Funding) -> str:
    """Return the name of a form in a settings file.

    >>> spec_name(Funding.FIXED_REVENUE)
    'fixed_revenue'
    """
    return form.name.lower()


def funded(ledger: Ledger, terms: FundingTerms) -> Ledger:
    r"""Return the ledger with the fee replaced by another form of payment.

    With a share :math:`\varphi` of fee for service kept, a practice receives amount + φ (past claims + effect on
    claims) where it had past claims: the effect on claims is cash for the share kept only, and (1 - φ) of past claims
    stop. So a practice whose consults fall loses income under a fee for service, and keeps it under fixed revenue.

    Raises ``LedgerError`` when service stops and no past claims are given, or when the share kept does not fit.
    """
    stops = stops_service(terms.form)
    kept_by_form = {Funding.SURCHARGE_ONLY: 0.0, Funding.FIXED_REVENUE: 0.0}.get(terms.form)
    if not 0.0 <= terms.kept <= 1.0 or (not stops and terms.kept != 1.0) or (kept_by_form not in (None, terms.kept)):
        raise LedgerError(f"The share of fee for service kept ({terms.kept:g}) does not fit `{terms.form}`.")
    if stops and terms.past_claims is None:
        raise LedgerError(f"`{terms.form}` needs past_claims: what practices claimed per patient-year before it.")
    fee = ledger.line(ledger.fee)
    yearly = terms.form in _YEARLY
    paid = replace(
        fee,
        label=terms.form.value,
        law=_LAW.get(terms.form, fee.law),
        laws=() if terms.form in _LAW else fee.laws,
        quantity_source=Quantity.CONTRACT if yearly else Quantity.INPUT,
        quantity=1.0,
        unit="year" if yearly else "patient_year",
        price_payer=terms.amount,
    )
    lines = [paid if line.id == fee.id else _kept(line, terms.kept) for line in ledger.lines]
    if terms.past_claims is not None and terms.kept < 1.0:
        lines.append(_stopped(terms.past_claims, 1.0 - terms.kept))
    return replace(ledger, lines=tuple(lines))


def _kept(line: LedgerLine, share: float) -> LedgerLine:
    """A line of the practice's claims with the share of fee for service that is kept."""
    claims = line.effect is not None and line.receiver is Party.GP_PRACTICE and line.sector is Sector.GP
    return replace(line, kept=share) if claims else line


def _stopped(price: PriceSource, share: float) -> LedgerLine:
    """Past claims that are no longer paid: a flow from practice to insurer, as a negative quantity."""
    return LedgerLine(
        id="stopped_fee_for_service",
        label="fee for service that is no longer paid",
        payer=Party.INSURER,
        receiver=Party.GP_PRACTICE,
        sector=Sector.GP,
        law=Law.ZVW_S1,
        kind=Kind.STRUCTURAL,
        quantity_source=Quantity.INPUT,
        effect=None,
        quantity=-share,
        unit="patient_year",
        price_payer=price,
        price_resource=ShareOfPayerPrice(0.0),
        evidence=Evidence.CONTRACT,
        overlap_group="stopped_fee_for_service",
        source="funding terms",
    )


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a fee buys for the list of one full-time general practitioner: euros a year, and full-time equivalents."""

    euros: float
    fte: float
    minutes_per_consult: float


def fee_as_capacity(
    fee: float, patients_per_fte: float, cost_per_fte: float, consults: float, hours: float
) -> Capacity:
    r"""Return the capacity that a fee per patient-year pays for on the list of one full-time practitioner.

    .. math:: \text{euros} = f n, \quad fte = f n / c, \quad \text{minutes} = 60 \cdot fte \cdot hours / (n q)

    Parameters: `fee` per patient-year, `patients_per_fte` n, `cost_per_fte` c in euros a year of whoever is hired,
    `consults` q per patient-year, `hours` with patients of a full-time equivalent a year. None has a default. Raises
    ``LedgerError`` for one that is not positive.

    >>> round(fee_as_capacity(11.52, 2095, 120_000.0, 4.5, 1_400.0).euros)
    24134
    """
    if min(patients_per_fte, cost_per_fte, consults, hours) <= 0.0:
        raise LedgerError("Patients, cost, consults and hours per full-time equivalent must be positive.")
    euros = fee * patients_per_fte
    fte = euros / cost_per_fte
    return Capacity(euros, fte, 60.0 * fte * hours / (patients_per_fte * consults))
