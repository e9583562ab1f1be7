"""What stands beside the net benefit: placebo year, other methods, profiles, forms of payment, extrapolations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mtvp_eval.clock import quarter_label
from mtvp_eval.config import BaselineCost, EvaluationConfig
from mtvp_eval.costbenefit.net_benefit import NetBenefit, net_benefit
from mtvp_eval.costbenefit.prices import Price
from mtvp_eval.costbenefit.spread import Spread
from mtvp_eval.data.panel import Panel
from mtvp_eval.errors import MtvpError
from mtvp_eval.pipeline.cost_totals import by_method, placebo_year
from mtvp_eval.pipeline.insured import Counted
from mtvp_eval.pipeline.methods import ALWAYS, can_be_priced
from mtvp_eval.pipeline.money_funding import forms_of_payment
from mtvp_eval.pipeline.pricing import BASELINE_QUARTERS, Pricing, Variant, cost_before


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """What the report shows beside the headline.

    `placebo_window` is the first and last quarter of the placebo year, `baseline_value` the baseline in euros of the
    question's price year.
    """

    variants: tuple[Variant, ...]
    extrapolations: tuple[NetBenefit, ...]
    placebo: NetBenefit | None
    placebo_window: tuple[int, int]
    placebo_refused: str
    spread: Spread
    baseline: BaselineCost
    baseline_value: float
    rates: tuple[float, ...]


def beside(config: EvaluationConfig, pricing: Pricing, result: NetBenefit, whose: Counted, spread: Spread) -> Beside:
    """Compute what stands beside a net benefit.

    Raises
    ------
    LedgerError
        If a declared extrapolation, baseline or form of payment does not fit; what merely cannot be estimated is noted.
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
    return Beside(
        variants=(*variants, *forms_of_payment(pricing, result, whose.panel, first)),
        extrapolations=tuple(
            net_benefit(pricing.ledger, result.effects, pricing.table, pricing.scenario(years, later))
            for later in choices.extrapolations
        ),
        placebo=placebo,
        placebo_window=window,
        placebo_refused=refused,
        spread=spread,
        baseline=baseline,
        baseline_value=value.value,
        rates=tuple(profile.cost_rate for profile in pricing.profiles.values()),
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
    cost = sum(cost_before(panel, name, first, pricing) for name in names)
    span = f"{quarter_label(first - BASELINE_QUARTERS)}-{quarter_label(first - 1)}"
    return BaselineCost(cost, year, "observed", f"extract costs, {len(names)} sectors, {span}")
