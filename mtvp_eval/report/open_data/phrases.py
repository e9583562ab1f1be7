"""How sentences of the open-data report write effects, ranges and names."""

from __future__ import annotations

from typing import Any

from mtvp_eval.report.labels import number, term, text
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.tables.layout import percent


def say(key: str, language: str, **values: object) -> str:
    """Return the sentence ``open_data.sentence.<key>`` with its blanks filled."""
    return text(f"open_data.sentence.{key}", language, **values)


def direction(row: Any) -> str:
    """Return none, rise or fall: on which side of zero the interval of a row lies."""
    if row.ci_low <= 0 <= row.ci_high:
        return "none"
    return "rise" if row.per_cent > 0 else "fall"


def blanks(row: Any, inputs: OpenDataInputs, language: str) -> dict[str, str]:
    """Return the blanks of a sentence on one effect."""
    return {
        "name": inputs.label(row.project, language),
        "outcome": term("open_data_outcome", row.outcome, language),
        "estimate": signed(row.per_cent, language),
        "size": number(abs(row.per_cent), language, 1),
        "range": ends(row.ci_low, row.ci_high, language),
        "fall": number(max(0.0, -row.ci_low), language, 1),
        "rise": number(max(0.0, row.ci_high), language, 1),
        "level": percent(inputs.level),
    }


def ends(low: float, high: float, language: str, unit: str = "%", decimals: int = 1) -> str:
    """Write two ends as a range."""
    first, last = (number(end, language, decimals) for end in (low, high))
    return text("range", language, low=first, high=f"{last}{unit}")


def signed(value: float, language: str) -> str:
    """Write an effect in per cent with its sign."""
    return f"{number(value, language, 1, signed=True)}%"
