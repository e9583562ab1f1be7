"""Read mappings strictly: unknown and missing keys are problems, collected, with the nearest valid key named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from numbers import Real
from typing import Any

from mtvp_eval.errors import LedgerError
from mtvp_eval.settings import nearest


@dataclass(slots=True)
class Problems:
    """All that is wrong in one document, collected so that it is said at once.

    >>> found = Problems("ledger.yaml")
    >>> found.add("line tariff", "has no payer")
    >>> found.raise_if_any()
    Traceback (most recent call last):
    mtvp_eval.errors.LedgerError: ledger.yaml breaks 1 rule:
      line tariff: has no payer
    """

    document: str
    found: list[str] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        """Note one problem."""
        self.found.append(f"{where}: {what}" if where else what)

    def raise_if_any(self, error: type[Exception] = LedgerError) -> None:
        """Raise one error that lists every problem, if there is any."""
        if self.found:
            n = len(self.found)
            head = f"{self.document} breaks {n} rule{'s' if n != 1 else ''}:"
            raise error("\n".join([head, *(f"  {problem}" for problem in self.found)]))

    def keys(self, mapping: Any, where: str, required: Iterable[str], optional: Iterable[str] = ()) -> bool:
        """Check the keys of a mapping; return whether every required key is there."""
        needed, known = list(required), [*required, *optional]
        if not isinstance(mapping, Mapping):
            self.add(where, f"must be a mapping with the keys {', '.join(known)}")
            return False
        for key in mapping:
            if key not in known:
                self.add(where, f"unknown key {key}; {nearest(str(key), known)}")
        missing = [key for key in needed if mapping.get(key) is None]
        for key in missing:
            self.add(where, f"has no {key}")
        return not missing

    def number(self, value: Any, where: str, low: float = -float("inf"), high: float = float("inf")) -> float:
        """Return a number within bounds; note a problem and return NaN otherwise."""
        if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
            bounds = "" if low == -float("inf") and high == float("inf") else f" between {low:g} and {high:g}"
            self.add(where, f"must be a number{bounds}")
            return float("nan")
        return float(value)

    def year(self, value: Any, where: str) -> int:
        """Return a calendar year; note a problem and return 0 otherwise."""
        if isinstance(value, bool) or not isinstance(value, int) or not 1990 <= value <= 2100:
            self.add(where, "must be a year such as 2024")
            return 0
        return value


def by_year(spec: Any) -> list[tuple[int, Any]]:
    """Return what is written under calendar years, in their order; empty where it is not written so.

    >>> by_year({2025: "b", 2023: "a"}), by_year({"item": "a"}), by_year(3.0)
    ([(2023, 'a'), (2025, 'b')], [], [])
    """
    return sorted(spec.items()) if isinstance(spec, Mapping) and all(isinstance(key, int) for key in spec) else []


def day(text: str) -> date | None:
    """Return the date of an ISO text, or None when empty.

    >>> day("2023-04-01"), day("")
    (datetime.date(2023, 4, 1), None)
    """
    return date.fromisoformat(text) if text else None
