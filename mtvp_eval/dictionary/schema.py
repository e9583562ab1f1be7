"""Types of the data dictionary: tables and columns, code lists, outcomes, known breaks and the programme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtvp_eval.dictionary.constraints import Filled, OneOf, Rule

TYPES = ("agb", "quarter", "date", "integer", "decimal", "code", "text", "yes_no")
PRESENCES = ("always", "may_be_empty", "may_be_absent")
OUTCOME_KINDS = ("ratio", "value", "survey", "cost")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, whether it may be empty or absent, and what it means.

    `presence` is `always` (every row filled), `may_be_empty` (the column is there, cells may be empty) or
    `may_be_absent` (the whole column may be missing: not supplied).
    """

    name: str
    type: str
    presence: str
    title_nl: str
    title_en: str
    unit: str
    definition: str
    direction: str
    rules: tuple[Rule, ...]
    codes: OneOf | None = None

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """Rules written down for the column, and those that follow from its type and presence."""
        implied = [Rule(Filled())] if self.presence == "always" else []
        if self.codes is not None:
            implied.append(Rule(self.codes))
        return (*implied, *self.rules)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the raw extracts."""

    name: str
    title_nl: str
    title_en: str
    required: bool
    grain: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class CodeList:
    """A list of codes; each row is a mapping with at least `code`."""

    name: str
    fields: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes, in the order of the file."""
        return tuple(row["code"] for row in self.rows)


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a wish for an outcome is written: the source, its heading and the place under it."""

    source: str
    heading: str
    number: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome and how it follows from the extracts.

    ratio: multiplier * numerator / denominator (columns of `table`); value: the column `numerator`; survey: the mean
    score of `indicator`; cost: sum of the amounts of `sectors` / insured years, in euro per person-year.
    """

    name: str
    title_nl: str
    title_en: str
    table: str
    kind: str
    unit_nl: str
    unit_en: str
    direction: str
    scale: str
    numerator: str = ""
    denominator: str = ""
    multiplier: float = 1.0
    indicator: str = ""
    sectors: tuple[str, ...] = ()
    goal: Goal | None = None


@dataclass(frozen=True, slots=True)
class KnownBreak:
    """A change of definition or a shock after which figures do not compare; `last` is None where it lasts."""

    name: str
    first: int
    last: int | None
    outcomes: tuple[str, ...]
    what_nl: str
    what_en: str
    source: str

    def touches(self, outcome: str) -> bool:
        """Say whether the break concerns the outcome."""
        return self.outcomes == ("all",) or outcome in self.outcomes

    def inside(self, first: int, last: int) -> bool:
        """Say whether the span from `first` to `last` holds quarters on both sides of an edge of the break.

        >>> KnownBreak("codes", 8076, None, ("all",), "", "", "").inside(8070, 8080)
        True
        >>> KnownBreak("codes", 8076, None, ("all",), "", "", "").inside(8076, 8080)
        False
        """
        return first < self.first <= last or (self.last is not None and first <= self.last < last)


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The whole data dictionary."""

    tables: Mapping[str, Table]
    codes: Mapping[str, CodeList]
    outcomes: Mapping[str, Outcome]
    sources: Mapping[str, str]
    breaks: tuple[KnownBreak, ...]


@dataclass(frozen=True, slots=True)
class FeeRate:
    """What the programme pays in a span of quarters, euro per registered patient per quarter; None if not published."""

    first: int
    last: int
    amount: float | None
    kind: str
    segment: str
    source: str


@dataclass(frozen=True, slots=True)
class Programme:
    """What the engine has to know of a programme."""

    name: str
    title_nl: str
    title_en: str
    cap_share: float
    cap_base: str
    first_round: int
    open_round: int | None
    draw_source: str
    fee_sector: str
    fee_rates: tuple[FeeRate, ...]
    organisation_fee: float | None
    status_column: str
    excluded_statuses: tuple[str, ...]
