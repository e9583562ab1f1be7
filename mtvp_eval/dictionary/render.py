"""Write the data dictionary out as one page, `data_dictionary/README.md`, and say whether the page is up to date."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from mtvp_eval.clock import quarter_label
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.dictionary.schema import CodeList, Dictionary, Outcome, Programme, Table

PAGE = "README.md"

_HEAD = """# Data dictionary

<!-- Written by `mtvp dictionary` from the files of this folder: change those, never this page. -->

One table of the raw extracts is one file, `raw/REGION/<table>.csv` or `.xlsx`. Columns may carry their name, their
Dutch or their English title, in any order. `mtvp init REGION` writes empty files with these headers.
"""

_READING = """
## How cells are read

CSV as UTF-8 or Windows-1252, separator `;`, `,`, tab or `|`; XLSX with real dates and numbers. Decimal mark and date
order are decided once per file, from all its number and date columns, and reported. A file in which a number such as
`1.234` or a date such as `01-02-2023` could be read two ways is refused until `reading: decimal` or
`reading: date_order` is set in evaluation.yaml. Capitals in codes do not matter. Each line below is a test.
"""


def render(folder: Path) -> str:
    """Return the page for the dictionary in `folder`.

    Raises
    ------
    CommandError
        If the dictionary contradicts itself.
    """
    dictionary = load_dictionary(folder)
    programmes = [load_programme(folder, path.stem) for path in sorted((folder / "programmes").glob("*.yaml"))]
    with (folder / "reading.csv").open(encoding="utf-8", newline="") as file:
        reading = list(csv.reader(file, delimiter=";"))
    parts = [_HEAD, *(_table(table) for table in dictionary.tables.values()), _READING]
    parts.append(_grid([["type", "file written with", "cell", "reads as", "refused as"], *map(_as_code, reading[1:])]))
    parts.append(_outcomes(dictionary))
    parts += [_codes(codes) for codes in dictionary.codes.values()]
    parts += [_programme(programme) for programme in programmes]
    return "\n".join(parts).rstrip("\n") + "\n"


def stale(folder: Path) -> bool:
    """Say whether the page in `folder` differs from what its files say now (or is missing)."""
    page = folder / PAGE
    return not page.is_file() or page.read_text(encoding="utf-8") != render(folder)


def write(folder: Path) -> Path:
    """Write the page and return its path."""
    page = folder / PAGE
    page.write_text(render(folder), encoding="utf-8", newline="\n")
    return page


def _grid(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def _as_code(row: Iterable[str]) -> list[str]:
    type_, form, written, reads_as, refused = row
    return [type_, form, f"`{written}`", f"`{reads_as}`" if reads_as else "not recorded" * (not refused), refused]


def _table(table: Table) -> str:
    rows = [["column", "title", "type", "supply", "unit", "meaning", "rules"]]
    supply = {"always": "every row", "may_be_empty": "may be empty", "may_be_absent": "may be absent"}
    for column in table.columns.values():
        meaning = f"{column.definition} ({column.direction})" if column.direction else column.definition
        rules = [
            rule.constraint.description + ("" if rule.severity == "violation" else " (finding)")
            for rule in column.rules
        ]
        if column.codes is not None:
            rules.insert(0, column.codes.description)
        rows.append(
            [
                f"`{column.name}`",
                f"{column.title_nl} / {column.title_en}",
                column.type,
                supply[column.presence],
                column.unit,
                meaning,
                "; ".join(rules),
            ]
        )
    needed = "required" if table.required else "optional"
    head = f"\n## {table.name}: {table.title_nl} / {table.title_en}\n\n{table.grain[0].upper()}{table.grain[1:]}. "
    return head + f"{needed.capitalize()}. Key: {' + '.join(table.key)}.\n\n" + _grid(rows)


def _outcomes(dictionary: Dictionary) -> str:
    rows = [["outcome", "title", "from", "unit", "hoped for", "scale", "goal"]]
    for outcome in dictionary.outcomes.values():
        goal = outcome.goal
        rows.append(
            [
                f"`{outcome.name}`",
                f"{outcome.title_nl} / {outcome.title_en}",
                formula(outcome),
                f"{outcome.unit_nl} / {outcome.unit_en}",
                {"up": "higher", "down": "lower", "none": "no wish"}[outcome.direction],
                outcome.scale,
                "" if goal is None else f"{goal.source}, {goal.heading}, {goal.number}",
            ]
        )
    sources = "\n".join(f"- {name}: {text}" for name, text in dictionary.sources.items())
    return "\n## Outcomes\n\nGoals are numbered in their source:\n\n" + sources + "\n\n" + _grid(rows)


def formula(outcome: Outcome) -> str:
    """Say in one line how an outcome follows from the extracts.

    >>> formula(Outcome("x", "", "", "activity", "ratio", "", "", "down", "log", "consults", "fte_gp"))
    'consults / fte_gp'
    """
    if outcome.kind == "ratio":
        times = "" if outcome.multiplier == 1 else f"{outcome.multiplier:g} x "
        return f"{times}{outcome.numerator} / {outcome.denominator}"
    if outcome.kind == "survey":
        return f"mean score of {outcome.indicator}"
    if outcome.kind == "cost":
        return f"amount of {' + '.join(outcome.sectors)} / insured years"
    return outcome.numerator


def _codes(codes: CodeList) -> str:
    rows = [list(codes.fields), *([row[field] for field in codes.fields] for row in codes.rows)]
    return f"\n## Codes: {codes.name}\n\n" + _grid(rows)


def _programme(programme: Programme) -> str:
    rows = [["from", "to", "euro per registered patient per quarter", "kind", "segment", "source"]]
    for rate in programme.fee_rates:
        amount = "not published" if rate.amount is None else f"{rate.amount:.2f}"
        rows.append([quarter_label(rate.first), quarter_label(rate.last), amount, rate.kind, rate.segment, rate.source])
    open_round = "" if programme.open_round is None else f"; open to all in {quarter_label(programme.open_round)}"
    return (
        f"\n## Programme: {programme.title_nl} / {programme.title_en}\n\n"
        f"Cap {programme.cap_share:.0%} of {programme.cap_base.replace('_', ' ')} per quarter from "
        f"{quarter_label(programme.first_round)}{open_round}. Source: {programme.draw_source}. "
        f"Fee sector `{programme.fee_sector}`. Never clean controls: {programme.status_column} "
        f"{', '.join(programme.excluded_statuses)}.\n\n" + _grid(rows)
    )
