"""Effects on cost -> euros per party and year, or the plain reason why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.config import EvaluationConfig, MoneyChoices
from mtvp_eval.costbenefit.discounting import read_discount_profiles
from mtvp_eval.costbenefit.effects import EffectKey, PricedEffects, refuse_unseparable_fee, totals
from mtvp_eval.costbenefit.ledger import Ledger
from mtvp_eval.costbenefit.ledger_reader import load_ledger
from mtvp_eval.costbenefit.net_benefit import NetBenefit, net_benefit
from mtvp_eval.costbenefit.prices import read_price_table
from mtvp_eval.costbenefit.scenario import read_scenario
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


def price_effects(config: EvaluationConfig, linked: Linked, design: StaggeredDesign, effects: Effects) -> Money:
    """Price the joint effects on cost through the region's ledger.

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
    return Money(_net_benefit(config.money, ledger, priced, patient_years), "", missing)


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
