"""Effects on cost -> euros per party and year, or the plain reason why not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from mtvp_eval.config import EvaluationConfig
from mtvp_eval.costbenefit.discounting import read_discount_profiles
from mtvp_eval.costbenefit.ledger import LedgerLine, Quantity, ShareOfPayerPrice, StatedPrice
from mtvp_eval.costbenefit.ledger_reader import load_ledger
from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.costbenefit.parties import Evidence, Kind, Law, Party, Sector
from mtvp_eval.costbenefit.prices import read_price_table
from mtvp_eval.costbenefit.sensitivity import revision_table
from mtvp_eval.costbenefit.spread import read_spread
from mtvp_eval.data.extracts import Extract
from mtvp_eval.data.link import Linked
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import CommandError
from mtvp_eval.pipeline.cost_totals import patient_years, priced
from mtvp_eval.pipeline.effects import Effects
from mtvp_eval.pipeline.insured import Counted
from mtvp_eval.pipeline.money_beside import Beside, beside
from mtvp_eval.pipeline.pricing import Pricing
from mtvp_eval.project import resource
from mtvp_eval.report.inputs import NoMoney
from mtvp_eval.report.sentences import why_no_money


@dataclass(frozen=True, slots=True, eq=False)
class Money:
    """Net benefit over the observed patient-quarters with what stands beside it, or the reason why there is none.

    `not_supplied` are ledger lines whose effect was not estimated: what a total leaves out is never silent.
    """

    net_benefit: NetBenefit | None
    refused: NoMoney | None
    not_supplied: tuple[str, ...] = ()
    beside: Beside | None = None


def price_effects(
    config: EvaluationConfig,
    linked: Linked,
    programme_costs: Extract | None,
    whose: Counted,
    effects: Effects,
    outcomes: Collection[str],
) -> Money:
    """Price the joint effects on cost through the region's ledger, and count one-off costs as booked.

    Only patient-quarters of identified cells count, for the fee as well as for the effects; nothing is annualised. A
    line may price any of `outcomes`, those of the dictionary; what was not estimated of them is named as left out.

    Raises
    ------
    LedgerError
        If the ledger, the price tables and the inputs of the question do not fit together.
    """
    if config.money is None:
        return Money(None, NoMoney("no_section"))
    if effects.money is None or linked.costs is None:
        return Money(None, NoMoney("no_cost"))
    unknown = {k.outcome: why for k, why in zip(effects.money.index, effects.money.no_error, strict=True) if why}
    if unknown:
        return Money(None, NoMoney("no_error", tuple(unknown.items())))
    if not linked.costs.fee_separable:
        return Money(None, NoMoney("fee"))
    design = whose.drawn.staggered
    years = patient_years(design, effects.money_cells)
    found = priced(effects.money, effects.money_cells, design, whose.claims_of)
    ledger = load_ledger(resource("data_dictionary") / "ledgers" / f"{config.money.ledger}.yaml", outcomes)
    spread = read_spread(config.money.spread, ledger)
    ledger, missing = ledger.supplied(found.outcomes())
    spread = spread.within([line.id for line in ledger.lines])
    ledger = spread.on(ledger)
    ledger = replace(ledger, lines=(*ledger.lines, *booked_transition(programme_costs, design)))
    folder = resource("data_dictionary") / "prices"
    pricing = Pricing(config.money, ledger, read_price_table(folder), read_discount_profiles(folder))
    result = pricing.net_benefit(found, years)
    return Money(result, None, missing, beside(config, pricing, result, whose, spread))


def prices_known_on(money: Money, when: date) -> Any:
    """Return the result with the prices known on a day beside the result with those known now.

    Raises
    ------
    CommandError
        If there is no net benefit to price again.
    LedgerError
        If an amount was not known on that day.
    """
    result = money.net_benefit
    if result is None:
        assert money.refused is not None
        said = why_no_money(money.refused, {}, "en")
        raise CommandError(f"There is no net benefit to price again: {said}")
    table = read_price_table(resource("data_dictionary") / "prices")
    return revision_table(result.ledger, result.effects, table, result.scenario, when, date.max)


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
