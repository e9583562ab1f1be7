"""What stands beside the net benefit: placebo year, other methods, profiles, forms of payment, extrapolations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.clock import quarter_label
from mtvp_eval.config import BaselineCost, EvaluationConfig, Extrapolation, MoneyChoices
from mtvp_eval.costbenefit.budget_impact import saving_rate
from mtvp_eval.costbenefit.discounting import DiscountProfile
from mtvp_eval.costbenefit.effects import PricedEffects
from mtvp_eval.costbenefit.funding import Capacity, Funding, FundingTerms, fee_as_capacity, funded
from mtvp_eval.costbenefit.joint_draws import Spread
from mtvp_eval.costbenefit.ledger import Ledger, StatedPrice
from mtvp_eval.costbenefit.net_benefit import NetBenefit, Total, net_benefit
from mtvp_eval.costbenefit.parties import Evidence
from mtvp_eval.costbenefit.prices import Price, PriceTable
from mtvp_eval.costbenefit.scenario import Scenario, read_scenario
from mtvp_eval.data.panel import Panel
from mtvp_eval.errors import MtvpError
from mtvp_eval.pipeline.cost_totals import by_method, placebo_year
from mtvp_eval.pipeline.insured import Counted
from mtvp_eval.pipeline.methods import ALWAYS, can_be_priced

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
    """The net benefit with one choice changed, or why it could not be computed."""

    group: str
    name: str
    result: NetBenefit | None
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """What the report shows beside the headline; `placebo_window` is the first and last quarter of the placebo year."""

    variants: tuple[Variant, ...]
    extrapolations: tuple[NetBenefit, ...]
    placebo: NetBenefit | None
    placebo_window: tuple[int, int]
    placebo_refused: str
    spread: Spread
    baseline: BaselineCost
    saving: Total
    rates: tuple[float, ...]
    capacity: Capacity | None


def beside(config: EvaluationConfig, pricing: Pricing, result: NetBenefit, whose: Counted, spread: Spread) -> Beside:
    """Compute what stands beside a net benefit.

    Raises
    ------
    LedgerError
        If a declared extrapolation, baseline or capacity does not fit; what merely cannot be estimated is noted.
    """
    choices, names = pricing.choices, result.effects.outcomes()
    years = {int(y): float(v) for y, v in zip(result.scenario.years, result.scenario.patient_years, strict=True)}
    first = int(whose.drawn.staggered.cohorts[0])
    baseline = choices.baseline or _supplied_cost(whose.panel, names, first, pricing)
    value = Price(baseline.value, baseline.price_year).moved_to(
        choices.price_year, result.scenario.prices(pricing.table).index
    )
    placebo, window, refused = _placebo(config, pricing, whose, names)
    variants = [Variant("base", "base", result), *_methods(config, pricing, whose, names)]
    variants += [
        Variant("discount", name, replace(result, scenario=replace(result.scenario, discount=profile)))
        for name, profile in pricing.profiles.items()
    ]
    capacity = choices.capacity
    return Beside(
        variants=(*variants, *_funding(pricing, result, whose.panel, first)),
        extrapolations=tuple(
            net_benefit(pricing.ledger, result.effects, pricing.table, pricing.scenario(years, later))
            for later in choices.extrapolations
        ),
        placebo=placebo,
        placebo_window=window,
        placebo_refused=refused,
        spread=spread,
        baseline=baseline,
        saving=saving_rate(result, value.value),
        rates=tuple(profile.cost_rate for profile in pricing.profiles.values()),
        capacity=None
        if capacity is None
        else fee_as_capacity(
            result.paid_tariff(), capacity.patients_per_fte, capacity.cost_per_fte, capacity.consults, capacity.hours
        ),
    )


def _placebo(
    config: EvaluationConfig, pricing: Pricing, whose: Counted, names: tuple[str, ...]
) -> tuple[NetBenefit | None, tuple[int, int], str]:
    """Price the placebo year through the lines that price an effect: nothing was paid then, so all of it is noise."""
    try:
        effects, years, window = placebo_year(whose, names, config.estimation)
        ledger, _ = pricing.ledger.effects_only().supplied(effects.outcomes())
        return replace(pricing, ledger=ledger).net_benefit(effects, years), window, ""
    except MtvpError as error:
        return None, (0, 0), str(error)


def _methods(config: EvaluationConfig, pricing: Pricing, whose: Counted, names: tuple[str, ...]) -> Iterator[Variant]:
    given = config.estimation
    for method in dict.fromkeys((*ALWAYS, "lottery_default", *given.sensitivity)):
        if method == given.estimator or not can_be_priced(method):
            continue
        try:
            yield Variant("method", method, pricing.net_benefit(*by_method(whose, names, config.estimation, method)))
        except MtvpError as error:
            yield Variant("method", method, None, str(error))


def _supplied_cost(panel: Panel, names: tuple[str, ...], first: int, pricing: Pricing) -> BaselineCost:
    """Mean cost of the priced outcomes in the year before the first start, in euros of the question's price year."""
    year = pricing.choices.price_year
    cost = sum(_before(panel, name, first, pricing) for name in names)
    span = f"{quarter_label(first - BASELINE_QUARTERS)}-{quarter_label(first - 1)}"
    return BaselineCost(cost, year, "observed", f"extract costs, {len(names)} sectors, {span}")


def _before(panel: Panel, name: str, first: int, pricing: Pricing) -> float:
    """Patient-weighted mean of a cost in the last quarters before the first start, in euros of the price year."""
    inside = np.flatnonzero((panel.clock >= first - BASELINE_QUARTERS) & (panel.clock < first))
    means = []
    for t in inside:
        seen = np.isfinite(panel.outcomes[name][:, t])
        mean = float(np.average(panel.outcomes[name][seen, t], weights=panel.weight[seen]))
        moved = Price(mean, int(panel.clock[t]) // 4).moved_to(pricing.choices.price_year, pricing.table.index)
        means.append(moved.value)
    return float(np.mean(means))


def _funding(pricing: Pricing, result: NetBenefit, panel: Panel, first: int) -> Iterator[Variant]:
    """The forms of payment of the predecessor projects, each paying what the fee paid before any effect.

    What differs is then who carries the effect on claims, and nothing else: no amount is invented.
    """
    year = pricing.choices.price_year
    fee = result.paid_tariff()
    claims = "cost_gp" in result.effects.outcomes()
    past = _before(panel, "cost_gp", first, pricing) if claims else 0.0
    a_year = fee * result.patient_years() / result.scenario.n_years
    forms = [(Funding.FEE_S1, fee, 1.0), (Funding.STAFF_GRANT, a_year, 1.0), (Funding.INNOVATION_BUDGET, a_year, 1.0)]
    if claims:
        forms += [
            (Funding.SURCHARGE_WITH_SERVICE, fee + 0.5 * past, 0.5),
            (Funding.SURCHARGE_ONLY, fee + past, 0.0),
            (Funding.FIXED_REVENUE, fee + past, 0.0),
        ]
    before = StatedPrice(past, year, "extract costs, the year before the first start", Evidence.OBSERVED)
    for form, amount, kept in forms:
        price = StatedPrice(amount, year, "what the fee paid", Evidence.CONTRACT)
        terms = FundingTerms(form, price, before if kept < 1.0 else None, kept)
        ledger = funded(result.ledger, terms)
        yield Variant("funding", form.name.lower(), net_benefit(ledger, result.effects, pricing.table, result.scenario))
