"""Rules of the data dictionary: one rule, one class, which says itself, checks data and bounds a simulator.

Values are arrays: numbers, quarters (integer clock) and yes/no as float64 with NaN, dates as datetime64[D] with NaT,
texts as objects with None. A value that is missing breaks no rule but `Filled`.
"""
# ruff: noqa: ARG002  (all rules share one signature; few of them need all of it)

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import BoolArray
from mtvp_eval.clock import quarter_label

Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """A column a rule looks at beside its own: of the same row (`table` empty) or the whole column of another table."""

    column: str
    table: str = ""


class Constraint(Protocol):
    """What every rule can do."""

    @property
    def description(self) -> str:
        """The rule in words, as validation, README and captions say it."""

    @property
    def needs(self) -> tuple[Reference, ...]:
        """Other columns to be handed to `broken` and `sample`, in this order."""

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark the rows that break the rule."""

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw n values that keep the rule."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Every row has a value."""

    description: str = "Must be filled"
    needs: tuple[Reference, ...] = ()

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark missing values."""
        return missing(values)

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Return n filled values."""
        return np.ones(n)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """No value under `low`; not `low` itself if `open`.

    >>> AtLeast(0).broken(np.array([-1.0, 0.0, np.nan])).tolist()
    [True, False, False]
    """

    low: float
    open: bool = False
    needs: tuple[Reference, ...] = ()

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must be more than {self.low:g}" if self.open else f"Must be {self.low:g} or more"

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark values under the bound."""
        return (values <= self.low) if self.open else (values < self.low)

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw whole numbers above the bound."""
        return np.floor(self.low) + rng.integers(1, 1000, n).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Between:
    """No value outside `low` to `high`; not `low` itself if `open`."""

    low: float
    high: float
    open: bool = False
    needs: tuple[Reference, ...] = ()

    @property
    def description(self) -> str:
        """The rule in words."""
        first = f"above {self.low:g}" if self.open else f"from {self.low:g}"
        return f"Must lie {first} to {self.high:g}"

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark values outside the bounds."""
        return ((values <= self.low) if self.open else (values < self.low)) | (values > self.high)

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw evenly between the bounds."""
        return self.high - rng.random(n) * (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Quarters:
    """No quarter outside a plausible span (integer clock)."""

    first: int
    last: int
    needs: tuple[Reference, ...] = ()

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must lie from {quarter_label(self.first)} to {quarter_label(self.last)}"

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark quarters outside the span."""
        return (values < self.first) | (values > self.last)

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw quarters of the span."""
        return rng.integers(self.first, self.last + 1, n).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Dated:
    """No date outside a plausible span."""

    first: datetime.date
    last: datetime.date
    needs: tuple[Reference, ...] = ()

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must lie from {self.first.isoformat()} to {self.last.isoformat()}"

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark dates outside the span."""
        return (values < np.datetime64(self.first, "D")) | (values > np.datetime64(self.last, "D"))

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw days of the span."""
        days = (self.last - self.first).days + 1
        return np.datetime64(self.first, "D") + rng.integers(0, days, n).astype("timedelta64[D]")


@dataclass(frozen=True, slots=True)
class Matches:
    """Texts have a form, given as a regular expression and in words."""

    pattern: str
    meaning: str
    example: str
    needs: tuple[Reference, ...] = ()

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must be {self.meaning}"

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark texts of another form."""
        form = re.compile(self.pattern)
        return by_level(values, lambda text: form.fullmatch(text) is None)

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Return the example n times."""
        return np.full(n, self.example, dtype=object)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Only codes of a list."""

    codes: tuple[str, ...]
    list_name: str
    needs: tuple[Reference, ...] = ()

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must be a code of codes/{self.list_name}.csv"

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark texts that are no code."""
        known = frozenset(self.codes)
        return by_level(values, lambda text: text not in known)

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw codes."""
        return rng.choice(np.array(self.codes, dtype=object), n)


@dataclass(frozen=True, slots=True)
class ExistsIn:
    """Every value exists in a column of another table."""

    table: str
    column: str

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must exist in {self.table}.{self.column}"

    @property
    def needs(self) -> tuple[Reference, ...]:
        """The column of the other table."""
        return (Reference(self.column, self.table),)

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark values the other table does not have."""
        known = frozenset(others[0].tolist())
        return by_level(values, lambda text: text not in known)

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw values the other table has."""
        return rng.choice(others[0], n)


@dataclass(frozen=True, slots=True)
class NotBefore:
    """A quarter is not before another of the same row; later than it if `strictly`."""

    column: str
    strictly: bool = False

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must {'be later than' if self.strictly else 'not be before'} {self.column}"

    @property
    def needs(self) -> tuple[Reference, ...]:
        """The other quarter."""
        return (Reference(self.column),)

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark quarters too early."""
        return (values <= others[0]) if self.strictly else (values < others[0])

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw quarters one to four later."""
        return others[0] + rng.integers(1, 5, n)


@dataclass(frozen=True, slots=True)
class AtMostColumn:
    """A part is not more than its whole, another column of the same row."""

    column: str

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must not exceed {self.column}"

    @property
    def needs(self) -> tuple[Reference, ...]:
        """The whole."""
        return (Reference(self.column),)

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark parts greater than the whole."""
        return values > others[0]

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw parts of the whole."""
        return np.floor(others[0] * rng.random(n))


@dataclass(frozen=True, slots=True)
class DiffersFrom:
    """Two texts of one row are not the same."""

    column: str

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must differ from {self.column}"

    @property
    def needs(self) -> tuple[Reference, ...]:
        """The other text."""
        return (Reference(self.column),)

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark equal texts."""
        return (values == others[0]) & ~missing(values)

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Shift the other column's values by one level, so that none stays the same."""
        levels, index = np.unique(others[0].astype(str), return_inverse=True)
        return np.append(levels, "other").astype(object)[index + 1]


@dataclass(frozen=True, slots=True)
class WithinScale:
    """A score lies on the scale its row's code has in a code list (columns low and high of the list)."""

    column: str
    scales: Mapping[str, tuple[float, float]] = field(hash=False)

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"Must lie on the scale of {self.column}"

    @property
    def needs(self) -> tuple[Reference, ...]:
        """The column of codes."""
        return (Reference(self.column),)

    def broken(self, values: Values, *others: Values) -> BoolArray:
        """Mark scores off the scale; rows with an unknown code break another rule, not this one."""
        low, high = self._bounds(others[0])
        return (values < low) | (values > high)

    def sample(self, rng: np.random.Generator, n: int, *others: Values) -> Values:
        """Draw evenly on the scale."""
        low, high = self._bounds(others[0])
        return low + (high - low) * rng.random(n)

    def _bounds(self, codes: Values) -> tuple[Values, Values]:
        bounds = [self.scales.get(code, (-np.inf, np.inf)) for code in codes.tolist()]
        low, high = np.array(bounds, dtype=np.float64).reshape(-1, 2).T
        return low, high


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint and what breaking it means: a `violation` stops, a `finding` is shown in the report."""

    constraint: Constraint
    severity: str = "violation"


def missing(values: Values) -> BoolArray:
    """Mark what is not recorded: NaN, NaT or None.

    >>> missing(np.array([1.0, np.nan])).tolist(), missing(np.array(["a", None], dtype=object)).tolist()
    ([False, True], [False, True])
    """
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "M":
        return np.isnat(values)
    return np.array([value is None for value in values.tolist()], dtype=np.bool_)


def by_level(values: Values, wrong: Any) -> BoolArray:
    """Mark texts for which `wrong` holds, asking once for each different text."""
    import pandas as pd

    index, levels = pd.factorize(values)
    verdict = np.array([bool(wrong(text)) for text in levels] + [False], dtype=np.bool_)
    return verdict[index]
