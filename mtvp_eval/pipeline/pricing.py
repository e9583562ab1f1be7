"""What turns effects into euros but the effects themselves, and the results that stand beside one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtvp_eval.config import Extrapolation, MoneyChoices
from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import PricedEffects
from mtvp_eval.costbenefit.funding import Funding
from mtvp_eval.costbenefit.ledger import Ledger
from mtvp_eval.costbenefit.net_benefit import NetBenefit, net_benefit
from mtvp_eval.costbenefit.prices import Price, PriceTable
from mtvp_eval.costbenefit.scenario import Scenario, read_scenario
from mtvp_eval.data.panel import Panel

BASELINE_QUARTERS = 4
"""Quarters before the first start of which the cost supplied is averaged: one of each season."""


@dataclass(frozen=True, slots=True, eq=False)
class Pricing:
    """Everything that turns effects into euros but the effects themselves."""

    choices: MoneyChoices
    ledger: Ledger
    table: PriceTable
    profiles: Mapping[str, DiscountProfile]

    def scenario(self, years: Mapping[int, float], later: Extrapolation | None = None) -> Scenario:
        """Return the scenario of observed patient-years by calendar year, and of later years where given."""
        first, last = min(years), max(years)
        volume = [years.get(year, 0.0) for year in range(first, last + 1)]
        settings = {
            "name": "observed",
            "first_year": first,
            "price_year": self.choices.price_year,
            "discount": self.choices.discount_profile,
            "inputs": dict(self.choices.inputs),
            "insured_of": self.choices.insured_of,
        }
        if later is not None:
            settings |= {"name": later.name, "observed_years": len(volume), "persistence": later.persistence}
            volume += later.patient_years
        return read_scenario(settings, self.profiles, self.table, np.array(volume))

    def net_benefit(self, effects: PricedEffects, years: Mapping[int, float]) -> NetBenefit:
        """Return the net benefit on the observed horizon."""
        return net_benefit(self.ledger, effects, self.table, self.scenario(years))


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """The net benefit with one choice changed, or why it could not be computed; `form` where payment was changed."""

    group: str
    name: str
    result: NetBenefit | None
    note: str = ""
    form: Funding | None = None


def cost_before(panel: Panel, name: str, first: int, pricing: Pricing) -> float:
    """Patient-weighted mean of a cost in the last quarters before the first start, in euros of the price year."""
    inside = np.flatnonzero((panel.clock >= first - BASELINE_QUARTERS) & (panel.clock < first))
    means = []
    for t in inside:
        seen = np.isfinite(panel.outcomes[name][:, t])
        mean = float(np.average(panel.outcomes[name][seen, t], weights=panel.weight[seen]))
        moved = Price(mean, int(panel.clock[t]) // 4).moved_to(pricing.choices.price_year, pricing.table.index)
        means.append(moved.value)
    return float(np.mean(means))
