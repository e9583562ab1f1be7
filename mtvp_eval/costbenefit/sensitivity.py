"""What the result depends on, one input at a time; and scenarios side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.discounting import discount_factors
from mtvp_eval.costbenefit.effects import PricedEffects
from mtvp_eval.costbenefit.ledger import Ledger, LedgerLine, StatedPrice, TablePrice
from mtvp_eval.costbenefit.net_benefit import NetBenefit, critical_value, net_benefit
from mtvp_eval.costbenefit.parties import Evidence, Horizon, Perspective
from mtvp_eval.costbenefit.prices import PriceTable
from mtvp_eval.costbenefit.scenario import Scenario
from mtvp_eval.costbenefit.spread import Spread
from mtvp_eval.errors import LedgerError


class Input(StrEnum):
    """What a one-way range changes."""

    EFFECT = "effect"
    PRICE = "price"
    CASHABLE = "cashable"
    AVOIDABLE = "avoidable"
    PERSISTENCE = "persistence"
    DISCOUNT = "discount"


@dataclass(frozen=True, slots=True)
class Range:
    """A low and a high value of one input with their origin.

    For `price` and `persistence` (after the observed years) the values are factors on the ledger's; for `cashable` and
    `avoidable` they are shares in all years; for `discount` a yearly rate. `name` is the line.
    """

    what: Input
    name: str
    low: float
    high: float
    origin: str


def effect_ranges(result: NetBenefit, level: float = 0.95) -> list[Range]:
    """Return the interval of every effect as a range, one at a time; their correlation is in the joint draws only."""
    se = result.effects.standard_errors()
    ranges = []
    for i, key in enumerate(result.effects.key):
        half = critical_value(float(result.effects.df[i]), level) * se[i]
        name = key.outcome if key.year is None else f"{key.outcome} {key.year}"
        mean = float(result.effects.mean[i])
        ranges.append(Range(Input.EFFECT, name, mean - half, mean + half, f"{100 * level:g} % interval"))
    return ranges


def input_ranges(result: NetBenefit, spread: Spread, rates: Sequence[float], level: float = 0.95) -> list[Range]:
    """Return a range for every input that was not estimated, with its origin in one word.

    `declared`: the spread that the question gives, at `level`. `half`: an assumed amount without a declared spread,
    from half less to half more. `whole`: an assumed share without one, from nothing to all. `profiles`: lowest and
    highest of the discount `rates`. An amount that is published or agreed has no range.
    """
    z, ranges = critical_value(np.inf, level), []
    for i, line in enumerate(result.ledger.lines):
        if line.id in spread.price:
            half = z * spread.price[line.id]
            ranges.append(Range(Input.PRICE, line.id, max(0.0, 1.0 - half), 1.0 + half, "declared"))
        elif _assumed_price(line, result.scenario):
            ranges.append(Range(Input.PRICE, line.id, 0.5, 1.5, "half"))
        for what, declared, path in (
            (Input.CASHABLE, spread.cashable, result.flows.cashable),
            (Input.AVOIDABLE, spread.avoidable, result.flows.avoidable),
        ):
            share = path[i, result.scenario.observed > 0.0]
            if line.id in declared:
                half, centre = z * declared[line.id], float(share.mean())
                ranges.append(Range(what, line.id, max(0.0, centre - half), min(1.0, centre + half), "declared"))
            elif line.effect is not None and (share != 1.0).any():
                ranges.append(Range(what, line.id, 0.0, 1.0, "whole"))
    return [*ranges, Range(Input.DISCOUNT, "discount", min(rates), max(rates), "profiles")]


def _assumed_price(line: LedgerLine, scenario: Scenario) -> bool:
    """Whether the payer's price of a line is an amount that nobody published or agreed."""
    price = line.price_payer
    if isinstance(price, StatedPrice):
        return price.evidence is Evidence.ASSUMED
    if not isinstance(price, TablePrice):
        return False
    return any(row.item == price.item and row.evidence is Evidence.ASSUMED for row in scenario.supplied_observed())


def tornado(
    result: NetBenefit,
    ranges: Sequence[Range],
    whose: Perspective = Perspective.INSURER,
    horizon: Horizon = Horizon.OBSERVED,
) -> Any:
    """Return the present value at the ends of each range, widest first.

    Columns input, name, low_value, high_value, at_low, at_high, width, origin; `result` itself is the centre.
    """
    import pandas as pd

    rows = []
    for one in ranges:
        ends = [
            _at_value(result, one, value).total(whose, horizon, _rate(result, one, value)).mean
            for value in (one.low, one.high)
        ]
        rows.append((one.what.value, one.name, one.low, one.high, *ends, abs(ends[1] - ends[0]), one.origin))
    columns = ["input", "name", "low_value", "high_value", "at_low", "at_high", "width", "origin"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values("width", ascending=False, kind="stable", ignore_index=True)


def _rate(result: NetBenefit, one: Range, value: float) -> FloatArray | None:
    scenario = result.scenario
    return discount_factors(value, scenario.n_years, scenario.convention) if one.what is Input.DISCOUNT else None


def _at_value(result: NetBenefit, one: Range, value: float) -> NetBenefit:
    """The result with one input at another value."""
    if one.what is Input.DISCOUNT:
        return result
    if one.what is Input.EFFECT:
        names = [k.outcome if k.year is None else f"{k.outcome} {k.year}" for k in result.effects.key]
        mean = result.effects.mean.copy()
        mean[names.index(one.name)] = value
        return replace(result, effects=replace(result.effects, mean=mean))
    flows, later = result.flows, result.scenario.observed < 1.0
    if one.what is Input.PERSISTENCE:
        effect = np.array([line.effect is not None for line in result.ledger.lines])
        factor = np.where(effect[:, None] & later, value, 1.0)
        return replace(result, flows=replace(flows, persistence=flows.persistence * factor))
    line = np.array([one.name == entry.id for entry in result.ledger.lines])[:, None]
    if not line.any():
        raise LedgerError(f"The range names {one.name}, which is no line of the ledger.")
    if one.what is Input.CASHABLE:
        return replace(result, flows=replace(flows, cashable=np.where(line, value, flows.cashable)))
    if one.what is Input.AVOIDABLE:
        return replace(result, flows=replace(flows, avoidable=np.where(line, value, flows.avoidable)))
    factor = np.where(line, value, 1.0)
    changed = replace(flows, price_payer=flows.price_payer * factor, price_resource=flows.price_resource * factor)
    return replace(result, flows=changed)


def revision_table(
    ledger: Ledger, effects: PricedEffects, table: PriceTable, scenario: Scenario, before: date, after: date
) -> Any:
    """Return the result with the prices known on two days side by side, so that a retroactive revision is seen.

    Rows as in `scenario_table`; the later day's `minus_base` is what the revision changed.
    """
    days = {f"prices known on {day}": table.known_on(day) for day in (before, after)}
    return scenario_table({name: net_benefit(ledger, effects, known, scenario) for name, known in days.items()})


def scenario_table(results: Mapping[str, NetBenefit], horizon: Horizon = Horizon.OBSERVED) -> Any:
    """Return scenarios side by side; the first is the base, none is averaged with another.

    Columns scenario, perspective, net_benefit, std_error, probability_positive, per_patient_year, minus_base.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    base: dict[Perspective, float] = {}
    for name, result in results.items():
        years = result.patient_years(horizon, discounted=True)
        for whose in Perspective:
            total = result.total(whose, horizon)
            base.setdefault(whose, total.mean)
            rows.append(
                {
                    "scenario": name,
                    "perspective": whose.value,
                    "net_benefit": total.mean,
                    "std_error": total.sd,
                    "probability_positive": total.probability_positive(),
                    "per_patient_year": total.mean / years,
                    "minus_base": total.mean - base[whose],
                }
            )
    return pd.DataFrame(rows)
