"""The few errors the package raises on purpose; each says what is wrong, where, which rule, and what to do.

No message ever contains a value of a practice or a person: tables, columns, rules, counts and line numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class MtvpError(Exception):
    """Base of all errors the package raises on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class DataError(MtvpError):
    """The data cannot be used as they are."""


class DataWarning(UserWarning):
    """What was read in a way the user should know: counts, never values."""


class DesignError(MtvpError):
    """The declared draw, cohorts or comparison contradict each other or the record."""


class NotIdentifiedError(DesignError):
    """The asked-for effect cannot be learnt from this design; nothing is extrapolated in silence."""


class EstimationError(MtvpError):
    """An estimator cannot give a trustworthy number on these data."""


class LedgerError(MtvpError):
    """A ledger, price table or scenario breaks a rule of the cost-benefit model."""


class VerificationError(MtvpError):
    """A published number differs from the one computed again."""


class CommandError(MtvpError):
    """The command, its arguments or a settings file are wrong."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: table, column, the rule in words, and the lines of the file (header = line 1)."""

    table: str
    column: str
    rule: str
    lines: tuple[int, ...] = ()
    advice: str = ""

    def sentence(self) -> str:
        """Say the violation in one sentence.

        >>> Violation("costs", "amount_eur", "Never negative", (12, 40)).sentence()
        'costs.amount_eur: Never negative: 2 rows (lines 12, 40)'
        """
        where = f"{self.table}.{self.column}" if self.column else self.table
        text = f"{where}: {self.rule}"
        if self.lines:
            shown = ", ".join(str(line) for line in self.lines[:3]) + (", …" if len(self.lines) > 3 else "")
            plural = len(self.lines) != 1
            text += f": {len(self.lines)} row{'s' if plural else ''} (line{'s' if plural else ''} {shown})"
        return f"{text}. {self.advice}" if self.advice else text


class DataValidationError(DataError):
    """All violations found in the extracts, or in another `source` with its own `advice`, collected."""

    def __init__(
        self,
        violations: Sequence[Violation],
        source: str = "The extracts break {rules} of the data dictionary",
        advice: str = "Correct the extract, or change the rule in data_dictionary/ and say why.",
    ) -> None:
        self.violations = tuple(violations)
        n = len(self.violations)
        head, tail = source.format(rules=f"{n} rule{'s' if n != 1 else ''}") + ":", advice
        super().__init__("\n".join([head, *(f"  {v.sentence()}" for v in self.violations), tail]))
