"""Ways the programme has been paid for, as changes of one ledger; and what a fee buys in a practice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from mtvp_eval.costbenefit.ledger import Ledger, LedgerLine, PriceSource, Quantity, ShareOfPayerPrice
from mtvp_eval.costbenefit.parties import Evidence, Kind, Law, Party, Sector
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


_LAW = {Funding.FEE_S1: Law.ZVW_S1, Funding.FEE_S3: Law.ZVW_S3, Funding.INNOVATION_BUDGET: Law.ZVW_OTHER}
_YEARLY = (Funding.STAFF_GRANT, Funding.INNOVATION_BUDGET)
_STOPS_SERVICE = (Funding.SURCHARGE_ONLY, Funding.SURCHARGE_WITH_SERVICE, Funding.FIXED_REVENUE)


def funded(ledger: Ledger, terms: FundingTerms) -> Ledger:
    r"""Return the ledger with the fee replaced by another form of payment.

    With a share :math:`\varphi` of fee for service kept, a practice receives amount + φ (past claims + effect on
    claims) where it had past claims: the effect on claims is cash for the share kept only, and (1 - φ) of past claims
    stop. So a practice whose consults fall loses income under a fee for service, and keeps it under fixed revenue.

    Raises ``LedgerError`` when service stops and no past claims are given, or when the share kept does not fit.
    """
    stops = terms.form in _STOPS_SERVICE
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
    return replace(line, cashable=_times(line.cashable, share)) if claims and share < 1.0 else line


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


def _times(share: Any, factor: float) -> Any:
    """A share as written in the ledger, times a factor."""
    if isinstance(share, dict):
        return {key: value if key == "lag_years" else value * factor for key, value in share.items()}
    return [value * factor for value in share] if isinstance(share, list) else share * factor


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
