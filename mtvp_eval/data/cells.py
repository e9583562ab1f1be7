"""Turn written cells into values, by the dictionary's types; how numbers and dates are written is decided per file.

A cell is a text, or what a spreadsheet holds natively (number, date, true/false), or None where nothing is recorded.
All functions work on the different cells of a column (its levels), never on every row.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.clock import quarter
from mtvp_eval.errors import CommandError

Levels = Sequence[Any]

NOT_RECORDED = frozenset(("", "-", "n.v.t.", "n.v.t", "nvt", "n/a", "na", "nan", "null", "#n/a", "#n/b"))
"""Cells that say that nothing is recorded, in lower case."""

_GAPS = " \u00a0\u202f\u2009"
_DECORATION = f"€EUReur+-−{_GAPS}\t"
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?)?")
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?: 0?0:00(?::00)?)?")


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """How cells are written where a file leaves it open: section `reading` of evaluation.yaml.

    Raises
    ------
    CommandError
        If a setting has another value than the ones named here, or decimal and thousands mark are the same.
    """

    decimal: str | None = None
    thousands: str | None = None
    date_order: str | None = None

    def __post_init__(self) -> None:
        for name, value, valid in (
            ("decimal", self.decimal, (",", ".")),
            ("thousands", self.thousands, (",", ".", " ", "none")),
            ("date_order", self.date_order, ("day_first", "iso")),
        ):
            if value is not None and value not in valid:
                raise CommandError(f"reading: {name} must be one of {' '.join(valid)}.")
        if self.decimal is not None and self.decimal == self.thousands:
            raise CommandError("reading: decimal and thousands cannot be the same mark.")


@dataclass(frozen=True, slots=True)
class Decision:
    """How one file is written: the form, and whether its cells or a setting decided (or nothing had to)."""

    form: str
    basis: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Levels that cannot be read: the rule they break, a mask (levels,), and what to do."""

    rule: str
    levels: BoolArray
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Undecided:
    """What keeps a file from being read: the rule, the advice, and per column a mask of its levels."""

    rule: str
    advice: str
    cells: Mapping[str, BoolArray]


def recorded(cell: Any) -> Any:
    """Return the cell without blanks around it, or None where it says that nothing is recorded.

    >>> recorded(" n.v.t. "), recorded(" 12 ")
    (None, '12')
    """
    if isinstance(cell, str):
        cell = cell.strip()
        return None if cell.lower() in NOT_RECORDED else cell
    return None if isinstance(cell, float) and np.isnan(cell) else cell


def decide_decimal(
    columns: Mapping[str, Levels], whole: frozenset[str], settings: ReadingSettings
) -> Decision | Undecided:
    """Decide the decimal mark of a file from all its number columns; `whole` names those of whole numbers.

    A cell that can be read with one mark only decides. Cells such as ``1.234`` fit both readings: where nothing else
    decides, or cells decide both ways, a setting does; without one the file is refused.

    >>> decide_decimal({"amount": ["1.234", "12,5"]}, frozenset(), ReadingSettings())
    Decision(form=',', basis='cells')
    """
    kinds = {
        name: [_number_evidence(cell, name in whole, settings.thousands not in (" ", "none")) for cell in levels]
        for name, levels in columns.items()
    }
    seen = set().union(*kinds.values()) - {""}
    sure = seen & {".", ","}
    if len(sure) == 1:
        return Decision(sure.pop(), "cells")
    if not seen:
        return Decision(".", "not needed")
    declared = settings.decimal or {",": ".", ".": ","}.get(settings.thousands or "")
    if declared is not None:
        return Decision(declared, "setting")
    if sure:
        rule, wanted = "Numbers must be written one way: here both . and , stand for decimals", ","
    else:
        rule, wanted = "A number with one mark and three digits after it can be read two ways", "open"
    masks = {name: np.array([kind == wanted for kind in found], dtype=np.bool_) for name, found in kinds.items()}
    advice = 'Say which mark is decimal: set reading: decimal: "," or "." in evaluation.yaml.'
    return Undecided(rule, advice, {name: mask for name, mask in masks.items() if mask.any()})


def decide_date_order(columns: Mapping[str, Levels], settings: ReadingSettings) -> Decision | Undecided:
    """Decide from all date columns of a file whether dates are ISO (yyyy-mm-dd) or day-first (dd-mm-yyyy).

    Cells decide where they can; a setting does where they cannot; dates written month first are refused.

    >>> decide_date_order({"on": ["01-02-2023", "13-02-2023"]}, ReadingSettings())
    Decision(form='day_first', basis='cells')
    """
    kinds = {name: [_date_evidence(cell) for cell in levels] for name, levels in columns.items()}
    seen = set().union(*kinds.values()) - {""}
    if not seen:
        return Decision("iso", "not needed")
    if seen == {"iso"}:
        return Decision("iso", "cells")
    if seen <= {"same", "day_first", "open"} and seen != {"open"} and seen != {"open", "same"}:
        return Decision("day_first", "cells")
    if "month_first" in seen:
        rule, wanted = "Dates must not be written month first", "month_first"
        advice = "Export dates as yyyy-mm-dd or dd-mm-yyyy."
    elif settings.date_order is not None:
        return Decision(settings.date_order, "setting")
    elif "iso" in seen:
        rule, wanted = "Dates must be written one way: here some are yyyy-mm-dd and others are not", "iso"
        advice = "Export dates as yyyy-mm-dd or dd-mm-yyyy throughout."
    else:
        rule, wanted = "A date can be read day first or month first", "open"
        advice = "Set reading: date_order: day_first in evaluation.yaml, or export dates as yyyy-mm-dd."
    masks = {name: np.array([kind == wanted for kind in found], dtype=np.bool_) for name, found in kinds.items()}
    return Undecided(rule, advice, {name: mask for name, mask in masks.items() if mask.any()})


def numbers(levels: Levels, decimal: str, settings: ReadingSettings, whole: bool) -> tuple[FloatArray, list[Refusal]]:
    """Read numbers with the decimal mark of the file; NaN where nothing is recorded or nothing can be read.

    >>> numbers(["€ 1.234,50", None, "12"], ",", ReadingSettings(), False)[0].tolist()
    [1234.5, nan, 12.0]
    """
    import pandas as pd

    plain = [_plain(cell, decimal) for cell in levels]
    values = pd.to_numeric(pd.Series(plain, dtype=object), errors="coerce")
    found: FloatArray = values.to_numpy(dtype=np.float64, na_value=np.nan).copy()
    found[~np.isfinite(found)] = np.nan
    form = _number_form(decimal, settings.thousands)
    for i in np.flatnonzero(np.isnan(found)).tolist():
        cell = levels[i]
        text = cell.replace("EUR", "").replace("€", "").strip() if isinstance(cell, str) else ""
        if text and form.fullmatch(text):
            found[i] = _number(text, decimal)
    there = np.array([cell is not None for cell in levels], dtype=np.bool_)
    refusals = [Refusal(f"Must be a number (decimal mark {decimal} in this file)", there & np.isnan(found))]
    if whole:
        with np.errstate(invalid="ignore"):
            broken = np.isfinite(found) & (found != np.round(found))
        refusals.append(Refusal("Must be a whole number", broken))
        found[broken] = np.nan
    return found, refusals


def dates(levels: Levels, order: str) -> tuple[NDArray[np.datetime64], list[Refusal]]:
    """Read dates in the order of the file; NaT where nothing is recorded or nothing can be read.

    >>> dates(["31-12-2023", None], "day_first")[0].tolist()
    [datetime.date(2023, 12, 31), None]
    """
    found = np.array([_date(cell, order) for cell in levels], dtype="datetime64[D]")
    there = np.array([cell is not None for cell in levels], dtype=np.bool_)
    written = "yyyy-mm-dd" if order == "iso" else "dd-mm-yyyy"
    return found, [Refusal(f"Must be a date, in this file written {written}", there & np.isnat(found))]


def quarters(levels: Levels) -> tuple[FloatArray, list[Refusal]]:
    """Read quarters as integer clock (float64, NaN where nothing is recorded or nothing can be read)."""
    found = np.full(len(levels), np.nan)
    bare, other = np.zeros(len(levels), dtype=np.bool_), np.zeros(len(levels), dtype=np.bool_)
    for i, cell in enumerate(levels):
        text = _as_text(cell)
        if text is None:
            continue
        try:
            found[i] = quarter(text)
        except ValueError:
            bare[i] = text.isdigit()
            other[i] = not bare[i]
    hint = "Write quarters as 2023Q2: as numbers, 20241 would follow 20234 after seven steps."
    return found, [
        Refusal("A quarter must not be a bare number such as 20232", bare, hint),
        Refusal("Must be a quarter such as 2023Q2, 2023-Q2, Q2 2023 or 2e kwartaal 2023", other),
    ]


def agb_codes(levels: Levels) -> tuple[NDArray[Any], list[Refusal]]:
    """Read AGB codes: eight digits, kept as text. A code of seven digits is refused and never padded."""
    texts = [_as_text(cell) for cell in levels]
    good = [text is None or re.fullmatch(r"[0-9]{8}", text) is not None for text in texts]
    short = np.array([text is not None and re.fullmatch(r"[0-9]{7}", text) is not None for text in texts], np.bool_)
    found = np.array([text if ok else None for text, ok in zip(texts, good, strict=True)], dtype=object)
    advice = "Set the column to text before the file is opened or exported; the package never adds the zero itself."
    return found, [
        Refusal("leading zero lost, probably by Excel; set the column to text", short, advice),
        Refusal("Must be an AGB code of eight digits", ~np.array(good, dtype=np.bool_) & ~short),
    ]


def yes_no(levels: Levels) -> tuple[FloatArray, list[Refusal]]:
    """Read yes/no (also ja/nee, and true/false of a spreadsheet) as 1 and 0, NaN where nothing is recorded."""
    meaning = {"yes": 1.0, "ja": 1.0, "no": 0.0, "nee": 0.0}
    found = np.array(
        [float(cell) if isinstance(cell, bool) else meaning.get(str(cell).lower(), np.nan) for cell in levels],
        dtype=np.float64,
    )
    there = np.array([cell is not None for cell in levels], dtype=np.bool_)
    return found, [Refusal("Must be yes or no (or ja, nee)", there & np.isnan(found))]


def texts(levels: Levels, codes: Iterable[str] = ()) -> tuple[NDArray[Any], list[Refusal]]:
    """Read texts; those that are one of `codes` but for capitals become that code."""
    canonical = {code.lower(): code for code in codes}
    written = [_as_text(cell) for cell in levels]
    found = [None if text is None else canonical.get(text.lower(), text) for text in written]
    return np.array(found, dtype=object), []


def _as_text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _number_evidence(cell: Any, whole: bool, grouped: bool) -> str:
    """Name the mark a cell shows to be decimal; `open` if it fits both; nothing if it has no say.

    `grouped` is False where a setting says that neither . nor , groups thousands.
    """
    if not isinstance(cell, str) or ("." not in cell and "," not in cell):
        return ""
    text = cell.strip(_DECORATION)
    point, comma = text.count("."), text.count(",")
    if point and comma:
        last = "." if text.rfind(".") > text.rfind(",") else ","
        return last if text.count(last) == 1 else ""
    mark, other = (".", ",") if point else (",", ".")
    if point + comma > 1:
        return other
    before, after = text.split(mark)
    fits = (
        grouped and len(after) == 3 and after.isdigit() and before.isdigit() and len(before) <= 3 and before[0] != "0"
    )
    if not fits:
        return mark if after.isdigit() or "e" in after.lower() else ""
    return other if whole and after != "000" else "open"


def _plain(cell: Any, decimal: str) -> Any:
    """Return what a plain conversion to numbers may see: numbers, and texts without a thousands mark."""
    if isinstance(cell, str):
        return cell if decimal == "." else None if "." in cell else cell.replace(",", ".")
    return cell if isinstance(cell, (int, float)) and not isinstance(cell, bool) else None


def _date_evidence(cell: Any) -> str:
    """Say how a written date is written: iso, day_first, month_first, or open where day and month can change places."""
    if not isinstance(cell, str):
        return ""
    if _ISO.fullmatch(cell):
        return "iso"
    found = _DAY_FIRST.fullmatch(cell)
    if not found:
        return ""
    first, second = int(found.group(1)), int(found.group(2))
    if first > 12:
        return "day_first"
    if second > 12:
        return "month_first"
    return "same" if first == second else "open"


def _number_form(decimal: str, thousands: str | None) -> re.Pattern[str]:
    """Return the form of a number; a thousands mark stands between groups of three and is the same throughout."""
    other = "," if decimal == "." else "."
    declared = thousands if thousands != decimal else None  # a setting for other files of the region
    marks = {None: f"{re.escape(other)}'’{_GAPS}", "none": "", " ": _GAPS}.get(declared, re.escape(declared or ""))
    grouped = rf"|\d{{1,3}}(?P<gap>[{marks}])\d{{3}}(?:(?P=gap)\d{{3}})*" if marks else ""
    return re.compile(rf"(?=[-−+]?\s*[.,]?\d)[-−+]?\s*(?:\d+{grouped})?(?:{re.escape(decimal)}\d+)?(?:[eE][-+]?\d+)?-?")


def _number(text: str, decimal: str) -> float:
    negative = text[0] in "-−" or text[-1] == "-"
    text = text.strip("-−+")
    whole, _, rest = text.partition(decimal)
    value = float(
        "".join(letter for letter in whole if letter.isalnum() or letter in "+-") + ("." + rest if rest else "")
    )
    return -value if negative else value


def _date(cell: Any, order: str) -> datetime.date | None:
    if isinstance(cell, datetime.datetime):
        return cell.date()
    if isinstance(cell, datetime.date):
        return cell
    found = (_ISO if order == "iso" else _DAY_FIRST).fullmatch(cell) if isinstance(cell, str) else None
    if not found:
        return None
    a, b, c = (int(part) for part in found.groups())
    try:
        return datetime.date(a, b, c) if order == "iso" else datetime.date(c, b, a)
    except ValueError:
        return None
