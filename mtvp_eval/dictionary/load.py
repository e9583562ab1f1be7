"""Read `data_dictionary/` strictly: unknown keys, unknown columns and repeated codes are errors, all said at once."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mtvp_eval.clock import quarter
from mtvp_eval.dictionary.constraints import (
    AtLeast,
    AtMostColumn,
    Between,
    Dated,
    DiffersFrom,
    ExistsIn,
    Matches,
    NotBefore,
    OneOf,
    Quarters,
    Rule,
    WithinScale,
)
from mtvp_eval.dictionary.schema import (
    OUTCOME_KINDS,
    PRESENCES,
    TYPES,
    CodeList,
    Column,
    Dictionary,
    FeeRate,
    Goal,
    KnownBreak,
    Outcome,
    Programme,
    Table,
)
from mtvp_eval.errors import CommandError
from mtvp_eval.settings import Settings, load_yaml, nearest

Codes = Mapping[str, CodeList]


def load_dictionary(folder: Path) -> Dictionary:
    """Read tables, code lists, outcomes and known breaks from `folder` (data_dictionary/).

    Raises
    ------
    CommandError
        If a file is missing, or any key, column, code or rule is unknown or of the wrong kind; all are listed.
    """
    problems: list[str] = []
    codes = {path.stem: _codes(path, problems) for path in sorted((folder / "codes").glob("*.csv"))}
    tables = {}
    for path in sorted((folder / "tables").glob("*.yaml")):
        settings = Settings(load_yaml(path), f"tables/{path.name}")
        tables[path.stem] = _table(settings, path.stem, codes)
        problems += settings.problems()
    settings = Settings(load_yaml(folder / "outcomes.yaml"), "outcomes.yaml")
    sources = settings.section("sources")
    named = {str(key): sources.text(key) for key in settings.raw("sources", {})}
    outcomes = _outcomes(settings, tables, codes, named)
    problems += settings.problems()
    breaks = tuple(_breaks(codes, outcomes, problems))
    problems += _dangling(tables)
    if not tables:
        problems.append("there are no tables")
    if problems:
        raise CommandError("\n".join(["data_dictionary/ contradicts itself:", *(f"  {p}" for p in problems)]))
    ro = MappingProxyType
    return Dictionary(ro(tables), ro(codes), ro(outcomes), ro(named), breaks)


def load_programme(folder: Path, name: str) -> Programme:
    """Read `programmes/NAME.yaml` of `folder` (data_dictionary/).

    Raises
    ------
    CommandError
        If the programme is not there or its file has unknown, missing or wrong keys.
    """
    known = sorted(path.stem for path in (folder / "programmes").glob("*.yaml"))
    if name not in known:
        raise CommandError(f"data_dictionary/programmes/ has no {name}.yaml; {nearest(name, known)}")
    settings = Settings(load_yaml(folder / "programmes" / f"{name}.yaml"), f"programmes/{name}.yaml")
    draw, fee = settings.section("draw"), settings.section("fee")
    organisation, status = settings.section("regional_organisation_fee"), settings.section("not_clean_controls")
    for section in (organisation, status, fee):
        section.text("source" if section is not fee else "unit")
    organisation.text("unit")
    settings.text("period", choices=("quarter",))
    programme = Programme(
        name=settings.text("programme", choices=(name,)),
        title_nl=settings.text("title_nl"),
        title_en=settings.text("title_en"),
        cap_share=draw.number("cap_share", low=0.0, high=1.0),
        cap_base=draw.text("cap_base", choices=("registered_patients", "applicants_patients")),
        first_round=_clock(draw, "first_round"),
        open_round=_clock(draw, "open_round") if draw.has("open_round") else None,
        draw_source=draw.text("source"),
        fee_sector=fee.text("sector"),
        fee_rates=tuple(_rate(fee, row) for row in fee.raw("rates", [])),
        organisation_fee=organisation.number("amount", None, low=0.0),
        status_column=status.text("column"),
        excluded_statuses=status.texts("statuses"),
    )
    settings.finish()
    return programme


def _codes(path: Path, problems: list[str]) -> CodeList:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";", strict=True))
    names = [row.get("code") or "" for row in rows]
    if not rows or not all(names):
        problems.append(f"codes/{path.name}: every row needs a code in the column code")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        problems.append(f"codes/{path.name}: repeated: {', '.join(repeated)}")
    if any(None in row or None in row.values() for row in rows):
        problems.append(f"codes/{path.name}: a row has more or fewer cells than the header")
    return CodeList(path.stem, tuple(rows[0]) if rows else (), tuple(MappingProxyType(row) for row in rows))


def _table(settings: Settings, stem: str, codes: Codes) -> Table:
    columns = settings.section("columns")
    table = Table(
        name=settings.text("table", choices=(stem,)),
        title_nl=settings.text("title_nl"),
        title_en=settings.text("title_en"),
        required=settings.text("supply", choices=("required", "optional")) == "required",
        grain=settings.text("grain"),
        key=settings.texts("key") or (),
        columns=MappingProxyType(
            {name: _column(columns.section(name), name, codes) for name in settings.raw("columns", {})}
        ),
    )
    for name in table.key:
        if name not in table.columns:
            settings.note(f"the key names {name}; {nearest(name, table.columns)}")
        elif table.columns[name].presence != "always":
            settings.note(f"{name} is part of the key and may not be empty")
    return table


def _column(settings: Settings, name: str, codes: Codes) -> Column:
    kind = settings.text("type", choices=TYPES)
    allowed = None
    if kind == "code":
        list_name = settings.text("codes", choices=codes)
        if list_name in codes:
            allowed = OneOf(codes[list_name].codes, list_name)
    return Column(
        name=name,
        type=kind,
        presence=settings.text("presence", "always", choices=PRESENCES),
        title_nl=settings.text("title_nl"),
        title_en=settings.text("title_en"),
        unit=settings.text("unit"),
        definition=settings.text("definition"),
        direction=settings.text("direction", ""),
        rules=tuple(rule for item in settings.raw("rules", []) if (rule := _rule(settings, item, codes))),
        codes=allowed,
    )


def _rule(column: Settings, item: Any, codes: Codes) -> Rule | None:
    """Turn `name: {arguments}` (and perhaps `severity`) into a rule; note what is wrong with it."""
    names = [key for key in item if key != "severity"] if isinstance(item, dict) else []
    if len(names) != 1:
        column.note("a rule is written as `- name: {arguments}`")
        return None
    name = names[0]
    builders: dict[str, Callable[[Settings], Any]] = {
        "at_least": lambda s: AtLeast(s.number("low"), s.flag("open", False)),
        "between": lambda s: Between(s.number("low"), s.number("high"), s.flag("open", False)),
        "quarters": lambda s: Quarters(_clock(s, "first"), _clock(s, "last")),
        "dated": lambda s: Dated(s.date("first"), s.date("last")),
        "matches": lambda s: Matches(s.text("pattern"), s.text("meaning"), s.text("example")),
        "exists_in": lambda s: ExistsIn(s.text("table"), s.text("column")),
        "not_before": lambda s: NotBefore(s.text("column")),
        "after": lambda s: NotBefore(s.text("column"), strictly=True),
        "at_most_column": lambda s: AtMostColumn(s.text("column")),
        "differs_from": lambda s: DiffersFrom(s.text("column")),
        "within_scale": lambda s: WithinScale(s.text("column"), _scales(codes.get(s.text("codes", choices=codes)))),
    }
    if name not in builders:
        column.note(f"unknown rule {name}; {nearest(name, builders)}")
        return None
    outer = Settings(item, "rule")
    constraint = builders[name](outer.section(name))
    severity = outer.text("severity", "violation", choices=("violation", "finding"))
    for problem in outer.problems():
        column.note(problem)
    return Rule(constraint, severity)


def _scales(codes: CodeList | None) -> Mapping[str, tuple[float, float]]:
    if codes is None:
        return {}
    return MappingProxyType({row["code"]: (float(row["low"]), float(row["high"])) for row in codes.rows})


def _clock(settings: Settings, key: str) -> int:
    try:
        return quarter(str(settings.text(key)))
    except ValueError as error:
        settings.note(f"{key}: {error}")
        return 0


def _rate(fee: Settings, row: Any) -> FeeRate:
    settings = Settings(row, "rate")
    rate = FeeRate(
        _clock(settings, "first_quarter"),
        _clock(settings, "last_quarter"),
        settings.number("amount", None, low=0.0),
        settings.text("kind", choices=("contract", "maximum")),
        settings.text("segment"),
        settings.text("source"),
    )
    for problem in settings.problems():
        fee.note(problem)
    return rate


def _outcomes(
    settings: Settings, tables: Mapping[str, Table], codes: Codes, sources: Mapping[str, str]
) -> dict[str, Outcome]:
    section = settings.section("outcomes")
    outcomes = {}
    for name in settings.raw("outcomes", {}):
        entry = section.section(name)
        kind = entry.text("kind", choices=OUTCOME_KINDS)
        table = entry.text("table", choices=tables)
        columns = tables[table].columns if table in tables else {}
        numbers = [column for column, what in columns.items() if what.type in ("integer", "decimal")]
        outcomes[name] = Outcome(
            name=name,
            title_nl=entry.text("title_nl"),
            title_en=entry.text("title_en"),
            table=table,
            kind=kind,
            unit_nl=entry.text("unit_nl"),
            unit_en=entry.text("unit_en"),
            direction=entry.text("direction", choices=("up", "down", "none")),
            scale=entry.text("scale", choices=("level", "log")),
            numerator=entry.text("numerator", choices=numbers) if kind in ("ratio", "value") else "",
            denominator=entry.text("denominator", choices=numbers) if kind == "ratio" else "",
            multiplier=entry.number("multiplier") if kind == "ratio" else 1.0,
            indicator=entry.text("indicator", choices=codes["survey_indicators"].codes) if kind == "survey" else "",
            sectors=entry.texts("sectors", choices=codes["sectors"].codes) if kind == "cost" else (),
            goal=_goal(entry.section("goal"), sources) if entry.has("goal") else None,
        )
    return outcomes


def _goal(settings: Settings, sources: Mapping[str, str]) -> Goal:
    return Goal(settings.text("source", choices=sources), settings.text("heading"), settings.integer("number", low=1))


def _breaks(codes: Codes, outcomes: Mapping[str, Outcome], problems: list[str]) -> list[KnownBreak]:
    found = []
    for row in codes["known_breaks"].rows if "known_breaks" in codes else ():
        names = tuple(row["outcomes"].split())
        problems += [
            f"codes/known_breaks.csv: {row['code']} names the outcome {name}; {nearest(name, outcomes)}"
            for name in names
            if name not in outcomes and names != ("all",)
        ]
        last = quarter(row["last_quarter"]) if row["last_quarter"] else None
        found.append(
            KnownBreak(
                row["code"], quarter(row["first_quarter"]), last, names, row["what_nl"], row["what_en"], row["source"]
            )
        )
    return found


def _dangling(tables: Mapping[str, Table]) -> list[str]:
    """Name rules that refer to a table or column that does not exist."""
    problems = []
    for table in tables.values():
        for column in table.columns.values():
            for need in (need for rule in column.rules for need in rule.constraint.needs):
                columns = tables[need.table or table.name].columns if (need.table or table.name) in tables else {}
                if need.column not in columns:
                    problems.append(
                        f"tables/{table.name}.yaml: a rule of {column.name} refers to "
                        f"{need.table or table.name}.{need.column}; {nearest(need.column, columns)}"
                    )
    return problems
