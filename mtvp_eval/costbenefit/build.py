"""Turn ledger, effects, prices and scenario into a FlowModel; what does not fit together is refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.costbenefit.effects import ALL_INSURERS, EURO, PricedEffects, QuantityBasis
from mtvp_eval.costbenefit.flows import FlowModel
from mtvp_eval.costbenefit.ledger import (
    EffectIsEuro,
    Ledger,
    LedgerLine,
    PriceByYear,
    PriceSource,
    Quantity,
    ShareOfPayerPrice,
    StatedPrice,
    TablePrice,
)
from mtvp_eval.costbenefit.parties import Evidence, Kind, Party
from mtvp_eval.costbenefit.prices import Index, Price, PriceRow, PriceTable
from mtvp_eval.costbenefit.profiles import delayed, read_persistence, read_share
from mtvp_eval.costbenefit.reading import Problems
from mtvp_eval.costbenefit.scenario import Scenario
from mtvp_eval.errors import LedgerError

PARTIES = tuple(Party)


@dataclass(frozen=True, slots=True)
class Assumption:
    """An amount or choice that nobody measured or published, as it must be shown beside every result."""

    where: str
    what: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredShare:
    """A share of a line that changes an amount: `path` (T,) by year, and how well it is known."""

    line: str
    name: str
    path: FloatArray
    evidence: Evidence
    source: str

    def changes(self, years: BoolArray) -> bool:
        """Return whether the share changes an amount in some of the years (T,)."""
        return bool((self.path[years] != _NEUTRAL[self.name]).any())

    def assumption(self) -> Assumption:
        """Return the share as it stands among the assumptions."""
        shares = ", ".join(f"{share:.2f}" for share in self.path)
        return Assumption(f"line {self.line}", f"{self.name} {shares}", self.source)


_NEUTRAL = {"cashable": 1.0, "avoidable": 1.0, "backfill": 0.0, "uptake": 1.0, "persistence": 1.0, "resource": 1.0}
"""Shares of a line, and the value of each that leaves its amounts as they are."""


def build_flows(ledger: Ledger, effects: PricedEffects, table: PriceTable, scenario: Scenario) -> FlowModel:
    """Return the coefficients of all lines in a scenario.

    Raises ``LedgerError`` that lists every line that does not fit: an unknown effect, a unit that differs between line,
    effect and price table, an amount without a published figure, a year without an index level, a share outside 0-1.
    """
    problems = Problems("The ledger, effects and scenario together")
    prices = scenario.prices(table)
    for what in _effects_against_scenario(effects, scenario):
        problems.add("effects", what)
    weight, shares, price_payer, price_resource = [], [], [], []
    for line in ledger.lines:
        where = f"line {line.id}"
        n, observed = scenario.n_years, scenario.observed_years
        share = {
            name: read_share(getattr(line, name), n, f"{where}.{name}", problems)
            for name in ("uptake", "cashable", "avoidable", "backfill")
        }
        own = line.persistence is not None
        path = (
            read_persistence(line.persistence, observed, n, f"{where}.persistence", problems)
            if own
            else scenario.persistence
        )
        unfilled = 1.0 - share["backfill"]
        lasting = path if line.effect else np.ones(n)
        cash, avoid = (delayed(share[name], line.delay) for name in ("cashable", "avoidable"))
        shares.append((lasting, cash, avoid, unfilled * line.kept, unfilled))
        weight.append(_weight(line, effects, scenario, share["uptake"], problems))
        payer = _amounts(line.price_payer, line, effects, prices, scenario, problems)
        resource = line.price_resource
        if line.unit == EURO and line.effect and payer.all():
            _later_totals_in_last_euros(weight[-1], line, effects, payer, scenario)
        price_payer.append(payer)
        price_resource.append(
            resource.share * payer
            if isinstance(resource, ShareOfPayerPrice)
            else _amounts(resource, line, effects, prices, scenario, problems)
        )
    problems.raise_if_any()
    persistence, cashable, avoidable, paid, unfilled = (np.stack(column) for column in zip(*shares, strict=True))
    return FlowModel(
        np.stack(weight),
        persistence,
        cashable,
        avoidable,
        paid,
        unfilled,
        np.stack(price_payer),
        np.stack(price_resource),
        np.array([PARTIES.index(line.payer) for line in ledger.lines]),
        np.array([PARTIES.index(line.receiver) for line in ledger.lines]),
        len(PARTIES),
    )


def _effects_against_scenario(effects: PricedEffects, scenario: Scenario) -> Iterator[str]:
    if effects.claims_of not in (ALL_INSURERS, scenario.insured_of):
        yield (
            f"estimated on the claims of insurer {effects.claims_of}, but the patient-years are of "
            f"{scenario.insured_of}; use that insurer's own insured (own_insured)"
        )
    if effects.basis is not QuantityBasis.TOTAL:
        return
    last = scenario.first_year + scenario.observed_years - 1
    for key in effects.key:
        if key.year is not None and not scenario.first_year <= key.year <= last:
            yield f"{key.outcome} {key.year} lies outside the observed years {scenario.first_year}-{last}"
    if (scenario.persistence[scenario.observed_years :] > 0).any() and any(
        not key.patient_years for key in effects.key
    ):
        yield "a total can only be extrapolated when the patient-years it covers are given"


def _weight(
    line: LedgerLine, effects: PricedEffects, scenario: Scenario, uptake: FloatArray, problems: Problems
) -> FloatArray:
    """Quantity of a line per unit of effect and constant (T, K+1)."""
    weight = np.zeros((scenario.n_years, effects.n + 1))
    if line.kind is Kind.ONE_OFF:
        if line.in_year not in scenario.years:
            problems.add(f"line {line.id}.in_year", f"lies outside {scenario.years[0]}-{scenario.years[-1]}")
        weight[scenario.years == line.in_year, -1] = line.quantity
    elif line.quantity_source is Quantity.CONTRACT:
        weight[:, -1] = line.quantity * uptake
    elif line.quantity_source is Quantity.INPUT:
        weight[:, -1] = line.quantity * scenario.patient_years * uptake
    else:
        _effect_weight(weight, line, effects, scenario, uptake, problems)
    return weight


def _effect_weight(
    weight: FloatArray,
    line: LedgerLine,
    effects: PricedEffects,
    scenario: Scenario,
    uptake: FloatArray,
    problems: Problems,
) -> None:
    """Fill the columns of one outcome: patient-years per effect, or the totals and their extrapolation."""
    position = effects.of(str(line.effect))
    if not len(position):
        problems.add(
            f"line {line.id}", f"unknown effect id {line.effect}; estimated are {', '.join(effects.outcomes())}"
        )
        return
    keys = [effects.key[i] for i in position]
    if any(key.unit != line.unit for key in keys):
        problems.add(f"line {line.id}", f"counts {line.unit}, but the effect {line.effect} is in {keys[0].unit}")
    if effects.basis is QuantityBasis.PER_PATIENT_YEAR:
        weight[:, position[0]] = scenario.patient_years * uptake
        return
    later = scenario.years >= scenario.first_year + scenario.observed_years
    covered = sum(key.patient_years or 0.0 for key in keys)
    for i, key in zip(position, keys, strict=True):
        weight[scenario.years == key.year, i] = 1.0
        weight[later, i] = scenario.patient_years[later] * uptake[later] / covered if covered else 0.0


def _later_totals_in_last_euros(
    weight: FloatArray, line: LedgerLine, effects: PricedEffects, path: FloatArray, scenario: Scenario
) -> None:
    """Extrapolated years average totals of all observed years: bring each to the euros of the last one first."""
    later = scenario.observed == 0.0
    for k in effects.of(str(line.effect)):
        year = effects.key[k].year
        if year is not None and scenario.first_year <= year < scenario.first_year + scenario.n_years and later.any():
            weight[later, k] *= path[year - scenario.first_year] / path[later][0]


def _euro_path(line: LedgerLine, effects: PricedEffects, index: Index, scenario: Scenario) -> FloatArray:
    """What one euro of an effect is in euros of the scenario's price year (T,).

    The totals of two calendar years may be in euros of two years; years after the observed ones follow the last total.
    """
    keys = [effects.key[k] for k in effects.of(str(line.effect))]
    if not keys:
        return np.zeros(scenario.n_years)
    last = max(keys, key=lambda key: key.year or 0).price_year
    own = {key.year: key.price_year for key in keys}
    years = [own.get(int(year), last) or 0 for year in scenario.years]
    return np.array([Price(1.0, year).moved_to(scenario.price_year, index).value for year in years])


def _amounts(
    source: PriceSource,
    line: LedgerLine,
    effects: PricedEffects,
    prices: PriceTable,
    scenario: Scenario,
    problems: Problems,
) -> FloatArray:
    """Price of a line in each year, in euros of the scenario's price year (T,); problems are noted."""
    year = scenario.price_year
    try:
        if isinstance(source, StatedPrice):
            return np.full(scenario.n_years, Price(source.value, source.price_year).moved_to(year, prices.index).value)
        if isinstance(source, TablePrice):
            if source.item in prices.items() and prices.unit(source.item) != line.unit:
                problems.add(
                    f"line {line.id}", f"counts {line.unit}, but {source.item} is per {prices.unit(source.item)}"
                )
            if source.issue is not None:
                return np.full(scenario.n_years, prices.price(source.item, source.issue, year).value)
            return np.array([_in_year(source.item, int(y), prices, line, year, problems) for y in scenario.years])
        if isinstance(source, PriceByYear):
            return _followed(source, line, effects, prices, scenario, problems)
        if isinstance(source, EffectIsEuro):
            return _euro_path(line, effects, prices.index, scenario)
    except LedgerError as error:
        problems.add(f"line {line.id}", str(error))
    return np.zeros(scenario.n_years)


def _followed(
    source: PriceByYear,
    line: LedgerLine,
    effects: PricedEffects,
    prices: PriceTable,
    scenario: Scenario,
    problems: Problems,
) -> FloatArray:
    """The amounts that follow one another, each in its own years; a one-off line needs that of its own year only."""
    path = np.zeros(scenario.n_years)
    for t, year in enumerate(scenario.years.tolist()):
        if line.kind is Kind.ONE_OFF and year != line.in_year:
            continue
        step = source.since(year)
        if step is None:
            problems.add(f"line {line.id}", f"has no amount in {year}: its first begins in {source.steps[0][0]}")
            continue
        only = replace(scenario, first_year=year, patient_years=scenario.patient_years[t : t + 1], observed_years=1)
        path[t] = _amounts(step, line, effects, prices, only, problems)[0]
    return path


def _in_year(item: str, year: int, prices: PriceTable, line: LedgerLine, price_year: int, problems: Problems) -> float:
    """Amount valid in one year; a one-off line needs it in its own year only."""
    if line.kind is Kind.ONE_OFF and year != line.in_year:
        return 0.0
    try:
        return prices.price(item, year, price_year).value
    except LedgerError as error:
        problems.add(f"line {line.id}", str(error))
        return 0.0


def assumptions(ledger: Ledger, effects: PricedEffects, scenario: Scenario) -> tuple[Assumption, ...]:
    """List every assumed amount and choice, to be shown wherever the result is."""
    found = [
        Assumption(
            f"inputs.{row.item}.{row.valid_from.year}", f"{row.value:g} {row.unit} of {row.price_year}", row.source
        )
        for row in scenario.supplied
        if row.evidence is Evidence.ASSUMED
    ]
    for line in ledger.lines:
        for name, price in line.stated_prices().items():
            if price.evidence is Evidence.ASSUMED:
                what = f"{price.value:g} EUR per {line.unit} of {price.price_year}"
                found.append(Assumption(f"line {line.id}.{name}", what, price.source))
        if line.evidence is Evidence.ASSUMED:
            found.append(Assumption(f"line {line.id}", line.label, line.source))
    shares = declared_shares(ledger, effects, scenario)
    found += [share.assumption() for share in shares if share.evidence is Evidence.ASSUMED]
    found += [
        Assumption(f"inputs.cpi.{year}", f"level {level:g} (2022 = 100)", "supplied")
        for year, level in scenario.levels.items()
    ]
    if scenario.insured_of != ALL_INSURERS and effects.claims_of == ALL_INSURERS:
        what = "effects of all insured taken for the insured of one insurer"
        found.append(Assumption("insured_of", what, f"insured_of {scenario.insured_of}"))
    if effects.assumed_independent:
        found.append(Assumption("effects", "effects assumed independent of one another", "declared"))
    if scenario.observed_years < scenario.n_years and (scenario.persistence[scenario.observed_years :] > 0).any():
        path = ", ".join(f"{share:.2f}" for share in scenario.persistence[scenario.observed_years :])
        found.append(Assumption("persistence", f"after the observed years {path}", "scenario"))
    return tuple(found)


def _key(row: PriceRow) -> str:
    """The key under which an amount was supplied."""
    return f"inputs.{row.item}" if row.valid_to is None else f"inputs.{row.item}.{row.valid_from.year}"


def declared_shares(ledger: Ledger, effects: PricedEffects, scenario: Scenario) -> list[DeclaredShare]:
    """Return every share of the ledger that changes an amount in the scenario.

    Nobody measured a share that stands between an estimated effect and money; a share of another line is as well known
    as that line. Shares that leave amounts as they are, and take-up where a total was observed, are left out.
    """
    found = []
    for line in ledger.lines:
        for name in _NEUTRAL:
            evidence = Evidence.ASSUMED if line.effect is not None else line.evidence
            found.append(DeclaredShare(line.id, name, _path(line, name, effects, scenario), evidence, line.source))
    every = np.ones(scenario.n_years, dtype=np.bool_)
    return [share for share in found if share.changes(every)]


def written_share(line: LedgerLine, name: str, scenario: Scenario) -> FloatArray:
    """Return a share of a line as written (T,), before any delay; `build_flows` says what is wrong in it."""
    return read_share(getattr(line, name), scenario.n_years, name, Problems(line.id))


def _path(line: LedgerLine, name: str, effects: PricedEffects, scenario: Scenario) -> FloatArray:
    """A share of a line in each year (T,), neutral where it does not count."""
    neutral = np.full(scenario.n_years, _NEUTRAL[name])
    if name == "resource":
        price = line.price_resource
        return neutral if not isinstance(price, ShareOfPayerPrice) or price.share == 0.0 else neutral * price.share
    if name == "persistence":
        own = line.persistence
        years = (scenario.observed_years, scenario.n_years)
        return neutral if own is None else read_persistence(own, *years, name, Problems(line.id))
    if name == "uptake":
        taken = uptake(line, effects, scenario)
        return np.where(np.isnan(taken), neutral, taken)
    return written_share(line, name, scenario)


def uptake(line: LedgerLine, effects: PricedEffects, scenario: Scenario) -> FloatArray:
    """Return the take-up of a line in each year (T,); not a number where its quantity does not follow it.

    A one-off sum follows no take-up, nor does the total of an effect that was observed, whoever took part.
    """
    path = written_share(line, "uptake", scenario)
    if line.kind is Kind.ONE_OFF:
        return np.full(scenario.n_years, np.nan)
    total = line.effect is not None and effects.basis is QuantityBasis.TOTAL
    return np.where(total & (scenario.observed > 0.0), np.nan, path)
