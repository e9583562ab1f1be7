"""The ledger: who pays whom for what, in which quantity, at which two prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from mtvp_eval.costbenefit.parties import Evidence, Kind, Law, Party, Sector


class Quantity(StrEnum):
    """Where the quantity of a line comes from.

    `effect`: an estimated effect. `input`: `quantity` units per patient-year. `contract`: `quantity` units a year, or
    once, whatever the number of patients.
    """

    EFFECT = "effect"
    INPUT = "input"
    CONTRACT = "contract"


@dataclass(frozen=True, slots=True)
class TablePrice:
    """The price table's amount: the one valid in each year, or the one of year `issue` held constant in real terms."""

    item: str
    issue: int | None = None


@dataclass(frozen=True, slots=True)
class StatedPrice:
    """An amount stated in the ledger, with its price year, source and evidence."""

    value: float
    price_year: int
    source: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ShareOfPayerPrice:
    """Resource cost as a share of what the payer pays."""

    share: float


@dataclass(frozen=True, slots=True)
class EffectIsEuro:
    """The effect is measured in euro: its price is 1 euro of the effect's own price year."""


@dataclass(frozen=True, slots=True)
class PriceByYear:
    """Amounts that follow one another: each holds from its first calendar year until the next begins."""

    steps: tuple[tuple[int, TablePrice | StatedPrice], ...]

    def since(self, year: int) -> TablePrice | StatedPrice | None:
        """Return the amount that holds in a calendar year; None before the first."""
        return since(self.steps, year)


PriceSource = TablePrice | StatedPrice | PriceByYear | ShareOfPayerPrice | EffectIsEuro
T = TypeVar("T")


def since(steps: Sequence[tuple[int, T]], year: int) -> T | None:
    """Return what holds in a calendar year of steps in order of their first years; None before the first.

    >>> since([(2023, "S3"), (2025, "S1")], 2024), since([(2023, "S3")], 2022)
    ('S3', None)
    """
    begun = [value for first, value in steps if first <= year]
    return begun[-1] if begun else None


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One flow between two parties; shares are as written and become one number a year in a scenario.

    `spread` says how uncertain the line's own amount and shares are; see `spread.Spread`. `kept` is the share of a fee
    for service that a form of payment leaves; see `funding.funded`. `delay` are the chances that cash and avoided cost
    come 0, 1, 2, … years later than written. `law` is that of the first year; those that follow it stand in `laws` with
    their first calendar years.
    """

    id: str
    label: str
    payer: Party
    receiver: Party
    sector: Sector
    law: Law
    kind: Kind
    quantity_source: Quantity
    effect: str | None
    quantity: float
    unit: str
    price_payer: PriceSource
    price_resource: PriceSource
    evidence: Evidence
    overlap_group: str
    source: str
    uptake: Any = 1.0
    persistence: Any = None
    cashable: Any = 1.0
    avoidable: Any = 1.0
    backfill: Any = 0.0
    in_year: int | None = None
    owner: str = ""
    spread: Mapping[str, Any] | None = None
    kept: float = 1.0
    delay: tuple[float, ...] = (1.0,)
    laws: tuple[tuple[int, Law], ...] = ()

    def law_in(self, year: int) -> Law:
        """Return the law or budget under which the line is paid in a calendar year."""
        return since(self.laws, year) or self.law

    def stated_prices(self) -> dict[str, StatedPrice]:
        """Return the amounts that the line states itself, of payer and resource, as `stated` names them."""
        return {**stated("price_payer", self.price_payer), **stated("price_resource", self.price_resource)}


def items_of(price: PriceSource) -> tuple[str, ...]:
    """Return the items of the price table that a price takes its amounts from."""
    steps = [one for _, one in price.steps] if isinstance(price, PriceByYear) else [price]
    return tuple(dict.fromkeys(one.item for one in steps if isinstance(one, TablePrice)))


def stated(name: str, price: PriceSource) -> dict[str, StatedPrice]:
    """Return the amounts that a price states itself, by name and, where they follow one another, their first year.

    >>> offer = StatedPrice(3.0, 2024, "offer", Evidence.CONTRACT)
    >>> list(stated("price_payer", PriceByYear(((2023, TablePrice("mtvp_fee")), (2025, offer)))))
    ['price_payer.2025']
    """
    if isinstance(price, StatedPrice):
        return {name: price}
    steps = price.steps if isinstance(price, PriceByYear) else ()
    return {f"{name}.{year}": one for year, one in steps if isinstance(one, StatedPrice)}


@dataclass(frozen=True, slots=True)
class Ledger:
    """Lines of one programme; `fee` is the id of the line that pays the programme to practices."""

    lines: tuple[LedgerLine, ...]
    fee: str
    currency: str = "EUR"

    def line(self, line_id: str) -> LedgerLine:
        """Return one line by its id."""
        return next(line for line in self.lines if line.id == line_id)

    def effects_only(self) -> Ledger:
        """Return the lines that price an effect, for a placebo period: nothing was paid then, so all of it is noise."""
        return replace(self, lines=tuple(line for line in self.lines if line.effect is not None))

    def supplied(self, outcomes: Iterable[str]) -> tuple[Ledger, tuple[str, ...]]:
        """Return the ledger with the effects that were estimated, and the ids of the lines that were not.

        The second part must be shown as "not supplied": what is missing from a total is never silent.
        """
        known = set(outcomes)
        missing = tuple(line.id for line in self.lines if line.effect is not None and line.effect not in known)
        return replace(self, lines=tuple(line for line in self.lines if line.id not in missing)), missing
