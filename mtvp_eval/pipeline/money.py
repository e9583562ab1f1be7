"""Effects on cost -> euros per party and year, or the plain reason why not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.config import EvaluationConfig, MoneyChoices
from mtvp_eval.costbenefit.discounting import read_discount_profiles
from mtvp_eval.costbenefit.effects import EffectKey, PricedEffects, refuse_unseparable_fee, totals
from mtvp_eval.costbenefit.ledger import Ledger, LedgerLine, Quantity, ShareOfPayerPrice, StatedPrice
from mtvp_eval.costbenefit.ledger_reader import load_ledger
from mtvp_eval.costbenefit.net_benefit import NetBenefit, net_benefit
from mtvp_eval.costbenefit.parties import Evidence, Kind, Law, Party, Sector
from mtvp_eval.costbenefit.prices import read_price_table
from mtvp_eval.costbenefit.scenario import read_scenario
from mtvp_eval.data.extracts import Extract
from mtvp_eval.data.link import Linked
from mtvp_eval.design.staggered import Cell, StaggeredDesign
from mtvp_eval.errors import LedgerError
from mtvp_eval.pipeline.effects import Effects
from mtvp_eval.project import resource


@dataclass(frozen=True, slots=True, eq=False)
class Money:
    """Net benefit over the observed patient-quarters, or the reason why there is none.

    `not_supplied` are ledger lines whose effect was not estimated: what a total leaves out is never silent.
    """

    net_benefit: NetBenefit | None
    refused: str
    not_supplied: tuple[str, ...] = ()


def price_effects(
    config: EvaluationConfig, linked: Linked, programme_costs: Extract | None, design: StaggeredDesign, effects: Effects
) -> Money:
    """Price the joint effects on cost through the region's ledger, and count one-off costs as booked.

    Only patient-quarters of identified cells count, for the fee as well as for the effects; nothing is annualised.

    Raises
    ------
    LedgerError
        If the ledger, the price tables and the inputs of the question do not fit together.
    """
    if config.money is None:
        return Money(None, "evaluation.yaml has no section cost_benefit.")
    if effects.money is None or linked.costs is None:
        return Money(None, "The extracts hold no cost of which an effect could be estimated.")
    try:
        refuse_unseparable_fee(linked.costs.fee_separable, "costs")
    except LedgerError as error:
        return Money(None, str(error))
    patient_years = _patient_years(design, effects.money_cells)
    priced = _priced(effects, design)
    ledger = load_ledger(resource("data_dictionary") / "ledgers" / f"{config.money.ledger}.yaml")
    ledger, missing = ledger.supplied(priced.outcomes())
    ledger = replace(ledger, lines=(*ledger.lines, *booked_transition(programme_costs, design)))
    return Money(_net_benefit(config.money, ledger, priced, patient_years), "", missing)


def booked_transition(programme_costs: Extract | None, design: StaggeredDesign) -> tuple[LedgerLine, ...]:
    """Return one-off lines for the transition costs booked from the first start to the last estimated quarter.

    They count in full in the year they were booked (cash view). Structural costs of the programme are priced per
    patient-year by the ledger, so the booked ones are not counted again.
    """
    if programme_costs is None:
        return ()
    columns = programme_costs.columns
    inside = (
        (columns["kind"] == "transition")
        & (columns["quarter"] >= int(design.cohorts[0]) - design.anticipation)
        & (columns["quarter"] <= int(design.clock[-1]))
    )
    booked: dict[tuple[int, str, str, int], float] = {}
    for row in np.flatnonzero(inside):
        key = (
            int(columns["quarter"][row]) // 4, str(columns["payer"][row]), str(columns["receiver"][row]),
            int(columns["price_year"][row]),
        )  # fmt: skip
        booked[key] = booked.get(key, 0.0) + float(columns["amount_eur"][row])
    return tuple(
        LedgerLine(
            id=f"transition_{year}_{payer}_{receiver}",
            label="one-off cost of the transition, as booked",
            payer=Party(payer),
            receiver=Party(receiver),
            sector=Sector.ORGANISATION,
            law=Law.ORGANISATION,
            kind=Kind.ONE_OFF,
            quantity_source=Quantity.CONTRACT,
            effect=None,
            quantity=1.0,
            unit="programme",
            price_payer=StatedPrice(amount, price_year, "extract programme_costs", Evidence.CONTRACT),
            price_resource=ShareOfPayerPrice(1.0),
            evidence=Evidence.CONTRACT,
            overlap_group=f"transition_{payer}",
            source="extract programme_costs",
            in_year=year,
        )
        for (year, payer, receiver, price_year), amount in booked.items()
    )  # fmt: skip


def _patient_years(design: StaggeredDesign, cells: tuple[tuple[Cell, ...], ...]) -> dict[int, float]:
    """Observed patient-years by calendar year: the frozen lists of the identified cells, a fourth of a year each."""
    patients = dict(zip(design.cohorts.tolist(), design.cohort_patients.tolist(), strict=True))
    seen = {cell for year in cells for cell in year}
    out: dict[int, float] = {}
    for cohort, period in sorted(seen, key=lambda cell: cell[1]):
        out[period // 4] = out.get(period // 4, 0.0) + patients[cohort] / 4
    return out


def _priced(effects: Effects, design: StaggeredDesign) -> PricedEffects:
    money = effects.money
    assert money is not None
    keys = []
    for key, cells in zip(money.index, effects.money_cells, strict=True):
        year = cells[0][1] // 4
        covered = sum(_patient_years(design, (cells,)).values())
        keys.append(EffectKey(key.outcome, "euro", price_year=year, year=year, patient_years=covered))
    return totals(keys, money.estimate, money.covariance(), df=money.df())


def _net_benefit(
    choices: MoneyChoices, ledger: Ledger, priced: PricedEffects, patient_years: dict[int, float]
) -> NetBenefit:
    folder = resource("data_dictionary") / "prices"
    table = read_price_table(folder)
    first, last = min(patient_years), max(patient_years)
    scenario = read_scenario(
        {
            "name": "observed",
            "first_year": first,
            "price_year": choices.price_year,
            "discount": choices.discount_profile,
            "inputs": dict(choices.inputs),
        },
        read_discount_profiles(folder),
        table,
        np.array([patient_years.get(year, 0.0) for year in range(first, last + 1)]),
    )
    return net_benefit(ledger, priced, table, scenario)
