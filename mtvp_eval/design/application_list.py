"""Read the list of applications that a real draw is held on: strictly, every violation at once."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtvp_eval.clock import NEVER, quarter
from mtvp_eval.design.rules import Applications
from mtvp_eval.errors import CommandError, DataError, DataValidationError, Violation

REQUIRED = ("practice_id", "applied_quarter", "registered_patients")
OPTIONAL = ("withdrawn_quarter", "priority", "started_quarter")
_BROKEN = ("The application list breaks {rules}", "Correct the list; nothing was drawn.")
_LOST_ZERO = re.compile(r"^\d{7}$")
_Cell = int | str | None


@dataclass(frozen=True, slots=True)
class ApplicationList:
    """One region's applications as a file gave them.

    Parameters
    ----------
    unit_ids : n identifiers in the order of the file.
    applications : what the draw depends on, in the same order; round 1 is `first_round`.
    first_round : integer clock of the first round.
    sha256 : hash of the file's bytes.
    started_round : n recorded rounds of start (0 = none), where the file has `started_quarter`; for checking a record.
    """

    unit_ids: tuple[str, ...]
    applications: Applications
    first_round: int
    sha256: str
    started_round: tuple[int, ...] | None = None


def read_applications(path: Path, first_round: int, regional_total: int) -> ApplicationList:
    """Read an application list from CSV (UTF-8; separator ; or ,).

    Columns: `practice_id`, `applied_quarter` (such as 2023Q2), `registered_patients` on the reference date; where they
    apply `withdrawn_quarter` (first quarter out), `priority` (0 goes first) and, in a record of a draw held elsewhere,
    `started_quarter`. Parameters: `first_round` clock of the first round; `regional_total` what the cap is a share of.

    Raises
    ------
    CommandError
        If there is no such file.
    DataValidationError
        With every broken rule: columns, quarters, sizes, repeated or damaged identifiers.
    """
    if not path.is_file():
        raise CommandError(f"There is no application list {path.name} in {path.parent}.")
    raw = path.read_bytes()
    columns, lines = _table(raw, path.name)
    problems: list[Violation] = []

    def values(name: str, rule: str, read: Callable[[str], _Cell], empty: _Cell = None) -> list[_Cell]:
        """Read one column; note the lines that break its rule."""
        found: list[_Cell] = []
        wrong = []
        for line, text in zip(lines, columns[name], strict=True):
            value = (empty if empty is not None else None) if not text else read(text)
            found.append(value)
            if value is None:
                wrong.append(line)
        if wrong:
            problems.append(Violation(path.name, name, rule, tuple(wrong)))
        return found

    def round_of(text: str) -> int | None:
        try:
            return quarter(text) - first_round + 1
        except ValueError:
            return None

    ids = values("practice_id", "Must be given", lambda text: text)
    damaged = [line for line, text in zip(lines, columns["practice_id"], strict=True) if _LOST_ZERO.match(text)]
    if damaged:
        rule = "Must have 8 digits; 7 means a leading zero was lost, probably by Excel"
        problems.append(Violation(path.name, "practice_id", rule, tuple(damaged), "Set the column to text."))
    repeated = [line for k, line in enumerate(lines) if ids[k] is not None and ids[k] in ids[:k]]
    if repeated:
        problems.append(Violation(path.name, "practice_id", "Must stand once: nobody is drawn twice", tuple(repeated)))
    applied = values("applied_quarter", "Must be a quarter such as 2023Q2", round_of)
    size = values("registered_patients", "Must be a whole number above 0", _positive)
    optional: dict[str, list[_Cell]] = {}
    for name, rule, read, empty in (
        ("withdrawn_quarter", "Must be empty or a quarter such as 2023Q2", round_of, NEVER),
        ("priority", "Must be empty or 0, 1, 2, …", _whole, 0),
        ("started_quarter", "Must be empty or a quarter such as 2023Q2", round_of, 0),
    ):
        if name in columns:
            optional[name] = values(name, rule, read, empty)
    if problems:
        raise DataValidationError(problems, *_BROKEN)

    def numbers(cells: list[_Cell]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array(cells, dtype=np.int64)

    withdrawn, priority = optional.get("withdrawn_quarter"), optional.get("priority")
    applications = Applications(
        numbers(size),
        numbers(applied),
        regional_total,
        None if withdrawn is None else numbers(withdrawn),
        None if priority is None else numbers(priority),
    )
    started = optional.get("started_quarter")
    return ApplicationList(
        tuple(str(unit) for unit in ids),
        applications,
        first_round,
        hashlib.sha256(raw).hexdigest(),
        None if started is None else tuple(int(value or 0) for value in started),
    )


def _table(raw: bytes, name: str) -> tuple[Mapping[str, list[str]], list[int]]:
    """Return the file's columns as stripped text, and the line number of each row."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 text. Save it as CSV UTF-8.") from error
    head = text.splitlines()[0] if text.strip() else ""
    rows = list(csv.reader(io.StringIO(text), delimiter=";" if ";" in head else ","))
    if len(rows) < 2:
        raise DataError(f"{name} holds no applications.")
    header = [column.strip() for column in rows[0]]
    problems = [Violation(name, column, "The column is missing") for column in REQUIRED if column not in header]
    known = (*REQUIRED, *OPTIONAL)
    problems += [Violation(name, column, f"Unknown column; known: {', '.join(known)}") for column in header
                 if column not in known]  # fmt: skip
    problems += [Violation(name, column, "The column stands there twice") for column in set(header)
                 if header.count(column) > 1]  # fmt: skip
    filled = [(line, row) for line, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    ragged = tuple(line for line, row in filled if len(row) != len(header))
    if ragged:
        problems.append(Violation(name, "", f"Every row must have {len(header)} fields", ragged))
    if problems:
        raise DataValidationError(problems, *_BROKEN)
    columns = {column: [row[k].strip() for _, row in filled] for k, column in enumerate(header)}
    return columns, [line for line, _ in filled]


def _whole(text: str) -> int | None:
    """Return a whole number of plain digits, or None."""
    return int(text) if text.isascii() and text.isdigit() else None


def _positive(text: str) -> int | None:
    """Return a whole number above zero, or None."""
    return _whole(text) or None
