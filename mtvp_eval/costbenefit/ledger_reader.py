"""Read a ledger strictly from YAML: every problem of every line is said at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from mtvp_eval.costbenefit.effects import EURO
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
from mtvp_eval.costbenefit.ledger_rules import double_counting
from mtvp_eval.costbenefit.parties import Evidence, Kind, Law, Party, Sector
from mtvp_eval.costbenefit.profiles import read_persistence, read_share
from mtvp_eval.costbenefit.reading import Problems, by_year
from mtvp_eval.costbenefit.spread import check_size, read_line_spread
from mtvp_eval.settings import load_yaml, nearest

E = TypeVar("E", bound=StrEnum)

_REQUIRED = (
    "id",
    "label",
    "payer",
    "receiver",
    "sector",
    "law",
    "kind",
    "quantity_source",
    "unit",
    "price_resource",
    "evidence",
    "overlap_group",
    "source",
)
_SHAPE = ("quantity_source", "kind", "unit")
"""Keys without which nothing else that a line says can be checked."""
_STAND_IN = {
    "id": "", "label": "", "payer": "insurer", "receiver": "suppliers", "sector": "gp", "law": "own means",
    "price_resource": {"share_of_payer": 0}, "evidence": "assumed", "overlap_group": "", "source": "",
}  # fmt: skip
"""What stands in for a key that is missing, so that the rest of the line is checked as well."""
_SHARES = ("uptake", "cashable", "avoidable", "backfill")
_OPTIONAL = (
    "quantity",
    "price_payer",
    "uptake",
    "persistence",
    "cashable",
    "avoidable",
    "backfill",
    "in_year",
    "owner",
    "spread",
)


def load_ledger(path: Path, known: Collection[str] | None = None) -> Ledger:
    """Read a ledger from a YAML file; see `read_ledger`."""
    return read_ledger(load_yaml(path), path.name, known)


def read_ledger(document: Any, name: str = "The ledger", known: Collection[str] | None = None) -> Ledger:
    """Read a ledger strictly; unknown keys, missing keys, bad values and double counting are refused together.

    Parameters: `document` with the keys currency, fee and lines (a list); `known` names every effect that a line may
    price (an effect that no outcome has is a slip of the pen, not one that was not supplied). Raises ``LedgerError``
    that lists every problem with the id of its line.
    """
    problems = Problems(name)
    if not problems.keys(document, "", ("currency", "fee", "lines")):
        problems.raise_if_any()
    if document["currency"] != "EUR":
        problems.add("currency", "must be EUR; convert amounts before they enter the ledger")
    if not isinstance(document["lines"], list):
        problems.add("lines", "must be a list")
        problems.raise_if_any()
    lines = [
        line
        for position, entry in enumerate(document["lines"])
        if (line := _line(entry, position, problems)) is not None
    ]
    written = [entry for entry in document["lines"] if isinstance(entry, Mapping)]
    ids = [str(entry["id"]) for entry in written if entry.get("id") is not None]
    for twice in sorted({i for i in ids if ids.count(i) > 1}):
        problems.add(f"line {twice}", "id given twice")
    _overlaps(written, problems)
    if document["fee"] not in [entry.get("id") for entry in written]:
        problems.add("fee", "names no line of this ledger")
    if known is not None:
        _unknown_effects(written, known, problems)
    for where, what in double_counting(lines, document["fee"]):
        problems.add(where, what)
    problems.raise_if_any()
    return Ledger(tuple(lines), document["fee"], document["currency"])


def _overlaps(written: Sequence[Mapping[str, Any]], problems: Problems) -> None:
    """Note every overlap group of two lines or more, of lines that cannot be built for another reason as well."""
    groups: dict[str, list[str]] = {}
    for entry in written:
        if entry.get("overlap_group") is not None:
            groups.setdefault(str(entry["overlap_group"]), []).append(str(entry.get("id")))
    for group, lines in sorted(groups.items()):
        if len(lines) > 1:
            problems.add(f"lines {', '.join(lines)}", f"measure the same euros (overlap group {group})")


def _unknown_effects(written: Sequence[Mapping[str, Any]], known: Collection[str], problems: Problems) -> None:
    """Note every effect that no outcome has, of lines that cannot be built for another reason as well."""
    for entry in written:
        source = str(entry.get("quantity_source"))
        effect = source.removeprefix("effect:").strip()
        if source.startswith("effect:") and effect and effect not in known:
            problems.add(f"line {entry.get('id')}", f"unknown effect id {effect}; {nearest(effect, known)}")


def _line(entry: Any, position: int, problems: Problems) -> LedgerLine | None:
    """Read one line; None when it cannot be built, with the reasons noted."""
    where = f"line {entry.get('id', position + 1)}" if isinstance(entry, Mapping) else f"line {position + 1}"
    before = len(problems.found)
    problems.keys(entry, where, _REQUIRED, _OPTIONAL)
    if not isinstance(entry, Mapping) or any(entry.get(key) is None for key in _SHAPE):
        return None
    given = {key: value for key, value in entry.items() if value is not None}
    entry = {**_STAND_IN, **given}
    for name in _SHARES:
        written = given.get(name, 1.0)
        read_share(written, len(written) if isinstance(written, list) else 1, f"{where}.{name}", problems)
    lasting = given.get("persistence")
    read_persistence(lasting, 1, len(lasting) if isinstance(lasting, list) else 1, f"{where}.persistence", problems)
    source, effect = _quantity_source(entry["quantity_source"], where, problems)
    quantity = _quantity(entry, source, where, problems)
    kind = _member(Kind, entry["kind"], f"{where}.kind", problems)
    if kind is Kind.ONE_OFF:
        if source is Quantity.EFFECT or entry.get("in_year") is None:
            problems.add(where, "a one-off line needs in_year (a calendar year) and no effect: it cannot repeat")
        elif source is Quantity.INPUT:
            problems.add(where, "a one-off line is a sum: use quantity_source contract")
        else:
            problems.year(entry["in_year"], f"{where}.in_year")
    elif entry.get("in_year") is not None:
        problems.add(where, "in_year belongs to a one-off line")
    if source is Quantity.EFFECT and entry.get("cashable") is None:
        problems.add(where, "has no cashable share: say how much of the effect becomes cash for the payer, by year")
    if source is not Quantity.EFFECT and entry.get("persistence") is not None:
        problems.add(where, "persistence belongs to an effect")
    laws = _laws(entry["law"], f"{where}.law", problems)
    line = LedgerLine(
        id=str(entry["id"]),
        label=str(entry["label"]),
        payer=_member(Party, entry["payer"], f"{where}.payer", problems),
        receiver=_member(Party, entry["receiver"], f"{where}.receiver", problems),
        sector=_member(Sector, entry["sector"], f"{where}.sector", problems),
        law=laws[0][1],
        laws=laws if len(laws) > 1 else (),
        kind=kind,
        quantity_source=source,
        effect=effect,
        quantity=quantity,
        unit=str(entry["unit"]),
        price_payer=_price_payer(entry, source, where, problems),
        price_resource=_price(entry["price_resource"], f"{where}.price_resource", problems, of_payer=True),
        evidence=_member(Evidence, entry["evidence"], f"{where}.evidence", problems),
        overlap_group=str(entry["overlap_group"]),
        source=str(entry["source"]),
        uptake=entry.get("uptake", 1.0),
        persistence=entry.get("persistence"),
        cashable=entry.get("cashable", 1.0),
        avoidable=entry.get("avoidable", 1.0),
        backfill=entry.get("backfill", 0.0),
        in_year=entry.get("in_year"),
        owner=str(entry.get("owner", "")),
        spread=read_line_spread(entry.get("spread"), f"{where}.spread", problems),
    )
    for name, size in (line.spread or {}).items():
        check_size(line, name, size, f"{where}.spread.{name}", problems)
    if line.payer == line.receiver and {"payer", "receiver"} <= set(given):
        problems.add(where, "payer and receiver are the same party")
    return line if len(problems.found) == before else None


def _member(kind: type[E], value: Any, where: str, problems: Problems) -> E:
    """Return the member of an enumeration; note a problem and return the first member otherwise."""
    if value in [member.value for member in kind]:
        return kind(value)
    problems.add(where, f"must be one of {', '.join(kind)}")
    return next(iter(kind))


def _laws(given: Any, where: str, problems: Problems) -> tuple[tuple[int, Law], ...]:
    """Read one law, or several by the calendar year from which each holds."""
    if not isinstance(given, Mapping):
        return ((0, _member(Law, given, where, problems)),)
    steps = [(problems.year(year, where), _member(Law, law, where, problems)) for year, law in given.items()]
    return tuple(sorted(steps)) or ((0, _member(Law, given, where, problems)),)


def _quantity_source(text: Any, where: str, problems: Problems) -> tuple[Quantity, str | None]:
    if isinstance(text, str) and text.startswith("effect:") and text.removeprefix("effect:").strip():
        return Quantity.EFFECT, text.removeprefix("effect:").strip()
    if text in ("input", "contract"):
        return Quantity(text), None
    problems.add(f"{where}.quantity_source", "must be effect:<id>, input or contract")
    return Quantity.INPUT, None


def _quantity(entry: Mapping[str, Any], source: Quantity, where: str, problems: Problems) -> float:
    given = entry.get("quantity")
    if source is Quantity.EFFECT:
        if given is not None:
            problems.add(where, "quantity comes from the effect; leave it out")
        return 1.0
    if given is None:
        per = "per patient-year" if source is Quantity.INPUT else "a year or once"
        problems.add(where, f"has no quantity ({entry['unit']} {per})")
        return 0.0
    return problems.number(given, f"{where}.quantity")


def _price_payer(entry: Mapping[str, Any], source: Quantity, where: str, problems: Problems) -> PriceSource:
    given = entry.get("price_payer")
    if source is Quantity.EFFECT and entry["unit"] == EURO:
        if given is not None:
            problems.add(where, "an effect in euro already holds the payer's price; leave price_payer out")
        return EffectIsEuro()
    if given is None:
        problems.add(where, "has no price_payer")
        return EffectIsEuro()
    return _price(given, f"{where}.price_payer", problems, of_payer=False)


def _price(spec: Any, where: str, problems: Problems, of_payer: bool) -> PriceSource:
    """Read one of the ways to write a price; several by the calendar year from which each holds follow one another."""
    steps = [
        (problems.year(year, where), _price(one, f"{where}.{year}", problems, of_payer=False))
        for year, one in by_year(spec)
    ]
    if steps:
        return PriceByYear(tuple((year, one) for year, one in steps if isinstance(one, TablePrice | StatedPrice)))
    if isinstance(spec, Mapping) and "item" in spec:
        problems.keys(spec, where, ("item",), ("issue",))
        issue = spec.get("issue")
        return TablePrice(str(spec["item"]), problems.year(issue, f"{where}.issue") if issue is not None else None)
    if of_payer and isinstance(spec, Mapping) and "share_of_payer" in spec:
        problems.keys(spec, where, ("share_of_payer",))
        return ShareOfPayerPrice(problems.number(spec["share_of_payer"], f"{where}.share_of_payer", low=0.0))
    if problems.keys(spec, where, ("value", "price_year", "source", "evidence"), ("currency",)):
        if spec.get("currency", "EUR") != "EUR":
            problems.add(f"{where}.currency", "must be EUR; a ledger holds one currency")
        return StatedPrice(
            problems.number(spec["value"], f"{where}.value", low=0.0),
            problems.year(spec["price_year"], f"{where}.price_year"),
            str(spec["source"]),
            _member(Evidence, spec["evidence"], f"{where}.evidence", problems),
        )
    return EffectIsEuro()
