"""Guards against counting the same euro twice; every broken guard is returned, none is silent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtvp_eval.costbenefit.effects import EURO
from mtvp_eval.costbenefit.ledger import LedgerLine, ShareOfPayerPrice, StatedPrice, items_of
from mtvp_eval.costbenefit.parties import HEALTHCARE_SECTORS, Party, Sector

_CAPITATION_UNITS = ("patient_quarter", "patient_year")


def double_counting(lines: Sequence[LedgerLine], fee: str) -> Iterator[tuple[str, str]]:
    """Yield (line, problem) for every guard that is broken.

    The guards, beside one line per overlap group, which the reader keeps: one use per effect; a total and its sectors
    not both; volume times price and cost of one sector not both; referrals and hospital products are the same saving;
    capitation is not driven by volume; a price item flows once between the same two parties; the resource cost of extra
    work in a practice is either priced per contact or counted as the practice's outlay; the fee is no effect.
    """
    effects = [line for line in lines if line.effect is not None]
    yield from _repeated(effects, [str(line.effect) for line in effects], "price the same effect {} twice")
    tariffs = [(line, item) for line in lines for item in items_of(line.price_payer)]
    yield from _repeated(
        [line for line, _ in tariffs],
        [f"{item}, {line.payer} to {line.receiver}" for line, item in tariffs],
        "pay the same tariff twice ({})",
    )
    yield from _totals_and_parts(effects)
    for sector in sorted({line.sector for line in effects}):
        within = [line for line in effects if line.sector == sector]
        volumes = [line for line in within if line.unit != EURO]
        if volumes and len(volumes) < len(within):
            yield _named(within), f"{sector}: volume times price and cost of the same sector; keep one of the two"
        if sector is Sector.HOSPITAL and len(volumes) > 1:
            yield _named(volumes), "referrals and hospital products are the same saving; keep one volume line"
    for line in effects:
        if line.unit in _CAPITATION_UNITS:
            yield (
                f"line {line.id}",
                "capitation is not driven by volume: an effect cannot be priced per registered patient",
            )
        if line.id == fee:
            yield f"line {line.id}", "the fee is paid by contract and is no effect; use quantity_source input"
    yield from _practice_work_twice(lines, effects)


def _totals_and_parts(effects: Sequence[LedgerLine]) -> Iterator[tuple[str, str]]:
    totals = [line for line in effects if line.sector is Sector.TOTAL]
    parts = [line for line in effects if line.sector in HEALTHCARE_SECTORS and line.sector is not Sector.TOTAL]
    if totals and parts:
        yield (
            _named([*totals, *parts]),
            "a total and its own sectors; keep the total or the sectors, and show the residual",
        )
    if len(totals) > 1:
        yield _named(totals), "two totals; keep one"


def _practice_work_twice(lines: Sequence[LedgerLine], effects: Sequence[LedgerLine]) -> Iterator[tuple[str, str]]:
    """Extra work at a resource price while the party's own outlay on that work is a line as well."""
    bearers = {line.payer: line.id for line in lines if line.receiver is Party.SUPPLIERS and line.effect is None}
    for line in effects:
        if line.receiver in bearers and not _costs_nothing(line):
            yield (
                f"line {line.id}",
                f"the resource cost of this work is already in line {bearers[line.receiver]}; set price_resource to "
                "{share_of_payer: 0}, or leave that line out",
            )


def _costs_nothing(line: LedgerLine) -> bool:
    """Whether the line carries no resource cost of its own."""
    price = line.price_resource
    if isinstance(price, ShareOfPayerPrice):
        return price.share == 0.0
    return isinstance(price, StatedPrice) and price.value == 0.0


def _repeated(lines: Sequence[LedgerLine], groups: Sequence[str], what: str) -> Iterator[tuple[str, str]]:
    for group in sorted(set(groups)):
        members = [line for line, own in zip(lines, groups, strict=True) if own == group]
        if len(members) > 1:
            yield _named(members), what.format(group)


def _named(lines: Sequence[LedgerLine]) -> str:
    return "lines " + ", ".join(line.id for line in lines)
