"""What the result depends on, one input at a time; and scenarios side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.build import declared_shares, uptake, written_share
from mtvp_eval.costbenefit.discounting import discount_factors
from mtvp_eval.costbenefit.effects import PricedEffects
from mtvp_eval.costbenefit.flows import FlowModel
from mtvp_eval.costbenefit.ledger import Ledger, LedgerLine, PriceByYear, StatedPrice, items_of
from mtvp_eval.costbenefit.net_benefit import NetBenefit, critical_value, net_benefit
from mtvp_eval.costbenefit.parties import Evidence, Horizon, Perspective
from mtvp_eval.costbenefit.prices import PriceTable
from mtvp_eval.costbenefit.scenario import Scenario
from mtvp_eval.costbenefit.spread import Spread
from mtvp_eval.errors import LedgerError

_DELAYED = ("cashable", "avoidable")
"""Shares that a lag delays."""


class Input(StrEnum):
    """What a one-way range changes."""

    EFFECT = "effect"
    PRICE = "price"
    CASHABLE = "cashable"
    AVOIDABLE = "avoidable"
    BACKFILL = "backfill"
    UPTAKE = "uptake"
    LAG = "lag"
    PERSISTENCE = "persistence"
    DISCOUNT = "discount"


@dataclass(frozen=True, slots=True)
class Range:
    """A low and a high value of one input with their origin.

    For `price` and `persistence` (after the observed years) the values are factors on the ledger's; for `cashable`,
    `avoidable`, `backfill` and `uptake` they are shares in all years, or with `inner` in the years whose share lies
    between 0 and 1; for `lag` years; for `discount` a yearly rate. `name` is the line.
    """

    what: Input
    name: str
    low: float
    high: float
    origin: str
    inner: bool = False


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

    `declared`: the spread that the question or the ledger gives, at `level`; a lag from its fewest to its most years.
    `half`: an assumed amount without a declared spread, from half less to half more. `whole`: an assumed share without
    one, from nothing to all. `profiles`: lowest and highest of the discount `rates`. What is certain has no range: an
    amount or share that is published, agreed, or declared to be exactly known, and a share that is 0 or 1 by its path.
    """
    z, ranges, observed = critical_value(np.inf, level), [], result.scenario.observed > 0.0
    shares = declared_shares(result.ledger, result.effects, result.scenario)
    assumed = {(s.line, s.name) for s in shares if s.evidence is Evidence.ASSUMED and s.changes(observed)}
    sizes = {Input.CASHABLE: spread.cashable, Input.AVOIDABLE: spread.avoidable}
    for i, line in enumerate(result.ledger.lines):
        ranges += _price_range(line, result.scenario, spread.price, z)
        for what in (Input.CASHABLE, Input.AVOIDABLE, Input.BACKFILL, Input.UPTAKE):
            declared = sizes.get(what, {})
            if line.id in declared:
                ranges += _share_range(what, line.id, _shares(result.flows, what)[i, observed], z * declared[line.id])
            elif (line.id, what.value) in assumed:
                ranges.append(Range(what, line.id, 0.0, 1.0, "whole"))
        late = np.flatnonzero(spread.lag.get(line.id, ()))
        if len(late) > 1:
            ranges.append(Range(Input.LAG, line.id, float(late[0]), float(late[-1]), "declared"))
    return [*ranges, Range(Input.DISCOUNT, "discount", min(rates), max(rates), "profiles")]


def _price_range(line: LedgerLine, scenario: Scenario, declared: Mapping[str, float], z: float) -> list[Range]:
    if line.id in declared:
        half = z * declared[line.id]
        return [Range(Input.PRICE, line.id, max(0.0, 1.0 - half), 1.0 + half, "declared")] if half else []
    return [Range(Input.PRICE, line.id, 0.5, 1.5, "half")] if _assumed_price(line, scenario) else []


def _share_range(what: Input, line: str, path: FloatArray, half: float) -> list[Range]:
    """The declared range of a share around its mean over the years in which it can vary; none where it cannot."""
    inner = path[(path > 0.0) & (path < 1.0)]
    if not len(inner) or not half:
        return []
    centre = float(inner.mean())
    return [Range(what, line, max(0.0, centre - half), min(1.0, centre + half), "declared", inner=True)]


def _shares(flows: FlowModel, what: Input) -> FloatArray:
    return flows.cashable if what is Input.CASHABLE else flows.avoidable


def _assumed_price(line: LedgerLine, scenario: Scenario) -> bool:
    """Whether the payer's price of a line is an amount that nobody published or agreed."""
    price, years = line.price_payer, scenario.years[scenario.observed > 0.0].tolist()
    used = {price.since(year) for year in years} if isinstance(price, PriceByYear) else {price}
    items = {item for one in used if one is not None for item in items_of(one)}
    stated = any(isinstance(one, StatedPrice) and one.evidence is Evidence.ASSUMED for one in used)
    supplied = (row for row in scenario.supplied_observed() if row.evidence is Evidence.ASSUMED)
    return stated or any(row.item in items for row in supplied)


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
    return replace(result, flows=_flows_at(result, one, value))


def _flows_at(result: NetBenefit, one: Range, value: float) -> FlowModel:
    """The flows with one input at another value."""
    flows, lines, scenario = result.flows, result.ledger.lines, result.scenario
    if one.what is Input.PERSISTENCE:
        effect = np.array([line.effect is not None for line in lines])
        factor = np.where(effect[:, None] & (scenario.observed < 1.0), value, 1.0)
        return replace(flows, persistence=flows.persistence * factor)
    line = np.array([one.name == entry.id for entry in lines])[:, None]
    if not line.any():
        raise LedgerError(f"The range names {one.name}, which is no line of the ledger.")
    if one.what in (Input.CASHABLE, Input.AVOIDABLE):
        path = _shares(flows, one.what)
        moved = np.where(line & ((path > 0.0) & (path < 1.0)) if one.inner else line, value, path)
        cash = one.what is Input.CASHABLE
        return replace(flows, cashable=moved) if cash else replace(flows, avoidable=moved)
    if one.what is Input.LAG:
        late = {name: np.stack([_late(entry, name, scenario, int(value)) for entry in lines]) for name in _DELAYED}
        cashable, avoidable = (np.where(line, late[name], getattr(flows, name)) for name in _DELAYED)
        return replace(flows, cashable=cashable, avoidable=avoidable)
    if one.what is Input.BACKFILL:
        unfilled = np.where(line, 1.0 - value, flows.unfilled)
        kept = np.array([entry.kept for entry in lines])[:, None]
        return replace(flows, unfilled=unfilled, paid=np.where(line, kept * unfilled, flows.paid))
    if one.what is Input.UPTAKE:
        taken = np.stack([uptake(entry, result.effects, scenario) for entry in lines])
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(line & (taken > 0.0), value / taken, 1.0)
        return replace(flows, weight=flows.weight * scale[:, :, None])
    factor = np.where(line, value, 1.0)
    return replace(flows, price_payer=flows.price_payer * factor, price_resource=flows.price_resource * factor)


def _late(line: LedgerLine, name: str, scenario: Scenario, years: int) -> FloatArray:
    """A share of a line as it comes when it comes so many years later than written."""
    return written_share(line, name, scenario)[np.maximum(np.arange(scenario.n_years) - years, 0)]


def revision_table(
    ledger: Ledger, effects: PricedEffects, table: PriceTable, scenario: Scenario, before: date, after: date
) -> Any:
    """Return the result with the prices known on two days side by side, so that a retroactive revision is seen.

    Rows as in `scenario_table`; the later day's `minus_base` is what the revision changed. ``date.max`` means now.
    """
    named = {day: "prices known now" if day == date.max else f"prices known on {day}" for day in (before, after)}
    days = {name: table.known_on(day) for day, name in named.items()}
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
