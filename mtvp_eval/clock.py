"""Integer time: quarters as 4 * year + quarter - 1, years as themselves; so event time is a difference."""

from __future__ import annotations

import re

NEVER = 2**31 - 1
"""Entry of a unit that does not enter within, or after, the observed window."""

_QUARTER = re.compile(r"^\s*(\d{4})\s*-?\s*[Qq]\s*([1-4])\s*$")
_QUARTER_FIRST = re.compile(r"^\s*[Qq]\s*([1-4])\s*-?\s*(\d{4})\s*$")
_QUARTER_DUTCH = re.compile(r"^\s*([1-4])\s*e\s+kwartaal\s+(\d{4})\s*$", re.IGNORECASE)
_YEAR_QUARTER_CODE = re.compile(r"^\s*(19|20)\d{2}[1-4]\s*$")


def quarter(text: str) -> int:
    """Return the integer clock of a quarter written in one of the accepted ways.

    Accepted: ``2023Q2``, ``2023-Q2``, ``Q2 2023``, ``2e kwartaal 2023``. A bare ``20232`` is refused: as a number it
    would make 20241 follow 20234 after seven steps and create event times that never were.

    Raises ``ValueError`` with what to write instead.

    >>> quarter("2023Q2"), quarter("2e kwartaal 2023") == quarter("Q2 2023")
    (8093, True)
    >>> quarter("2024Q1") - quarter("2023Q4")
    1
    """
    for pattern, year_group, quarter_group in (
        (_QUARTER, 1, 2),
        (_QUARTER_FIRST, 2, 1),
        (_QUARTER_DUTCH, 2, 1),
    ):
        found = pattern.match(text)
        if found:
            return 4 * int(found.group(year_group)) + int(found.group(quarter_group)) - 1
    if _YEAR_QUARTER_CODE.match(text):
        raise ValueError("a year-quarter code without Q is ambiguous; write quarters as 2023Q2")
    raise ValueError("not a quarter; write it as 2023Q2")


def quarter_label(clock: int) -> str:
    """Return the label of a quarter's integer clock.

    >>> quarter_label(quarter("2023Q2"))
    '2023Q2'
    """
    return f"{clock // 4}Q{clock % 4 + 1}"


def cohort_label(entry: int, last: int) -> str:
    """Return the label of a cohort; who enters after the last quarter of the data is called never.

    >>> cohort_label(quarter("2023Q2"), quarter("2024Q4")), cohort_label(NEVER, quarter("2024Q4"))
    ('2023Q2', 'never')
    """
    return "never" if entry > last else quarter_label(entry)


def period_label(clock: int) -> str:
    """Return the label of a clock value: quarters as 2023Q2, months as 2023-04, years and counts as they are.

    Between 1900 and 2199 the three kinds of clock do not overlap.

    >>> period_label(8093), period_label(24279), period_label(2023), period_label(7)
    ('2023Q2', '2023-04', '2023', '7')
    """
    if 4 * 1900 <= clock < 4 * 2200:
        return quarter_label(clock)
    if 12 * 1900 <= clock < 12 * 2200:
        return f"{clock // 12}-{clock % 12 + 1:02d}"
    return str(clock)
