"""Run every rule of the dictionary on the extracts: violations stop, findings are shown in the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.data.extracts import Extract, Extracts, ReadingReport
from mtvp_eval.data.history import History, history
from mtvp_eval.dictionary.constraints import Filled, Reference, missing
from mtvp_eval.dictionary.schema import Dictionary, Programme, Table
from mtvp_eval.errors import DataValidationError, Violation


@dataclass(frozen=True, slots=True)
class Finding:
    """Something unusual that does not stop the evaluation: `count` of `total` rows or practices, in one sentence.

    `kind` is a fixed name, by which a report finds the words in its own language.
    """

    kind: str
    table: str
    count: int
    total: int
    text: str

    def sentence(self) -> str:
        """Say the finding in one line."""
        return f"{self.table}: {self.text} ({self.count} of {self.total})"


@dataclass(frozen=True, slots=True)
class Validation:
    """What the check of a region's extracts found."""

    violations: tuple[Violation, ...]
    findings: tuple[Finding, ...]
    reports: tuple[ReadingReport, ...]

    def stop_if_broken(self) -> None:
        """Raise `DataValidationError` with every violation, if there is one."""
        if self.violations:
            raise DataValidationError(self.violations)


def validate(extracts: Extracts, dictionary: Dictionary, programme: Programme) -> Validation:
    """Run all rules of the dictionary and the rules that span tables; collect everything."""
    violations = list(extracts.violations)
    findings: list[Finding] = []
    for extract in extracts.tables.values():
        table = dictionary.tables[extract.table]
        violations += _repeated_keys(extract, table)
        for violation, severity in _column_rules(extract, table, extracts):
            if severity == "violation":
                violations.append(violation)
            else:
                text = f"{violation.column}: {violation.rule[0].lower()}{violation.rule[1:]}"
                findings.append(Finding("rule", extract.table, len(violation.lines), extract.rows, text))
    needed = ("practices", "applications", "lottery_rounds", "enrolment")
    if all(name in extracts.tables for name in needed):
        story = history(extracts)
        violations += _order(extracts, story)
        findings += _entry_findings(story, programme)
    if "activity" in extracts.tables:
        findings += _gaps(extracts.tables["activity"])
        findings += _list_jumps(extracts.tables["activity"])
    if "costs" in extracts.tables:
        violations += _cost_rules(extracts.tables["costs"])
        findings += _cost_findings(extracts.tables["costs"])
        if "activity" in extracts.tables:
            findings += _more_insured_than_registered(extracts.tables["costs"], extracts.tables["activity"])
    return Validation(tuple(violations), tuple(findings), extracts.reports)


def _repeated_keys(extract: Extract, table: Table) -> list[Violation]:
    import pandas as pd

    known = np.logical_and.reduce([~missing(extract.columns[name]) for name in table.key])
    repeated = pd.DataFrame({name: extract.columns[name] for name in table.key}).duplicated(keep=False).to_numpy()
    rows = repeated & known
    rule = f"Must be unique: {' + '.join(table.key)}"
    return [_violation(extract, table.key[0], rule, rows)] if rows.any() else []


def _column_rules(extract: Extract, table: Table, extracts: Extracts) -> list[tuple[Violation, str]]:
    broken = []
    for name, column in table.columns.items():
        values, refused = extract.columns[name], extract.refused[name]
        for rule in column.all_rules:
            found = [_others(extract, extracts, need) for need in rule.constraint.needs]
            others = [other for other in found if other is not None]
            if len(others) < len(found):
                continue
            with np.errstate(invalid="ignore"):
                rows = rule.constraint.broken(values, *others) & ~refused
            if not isinstance(rule.constraint, Filled):
                rows = rows & ~missing(values)
            if rows.any():
                broken.append((_violation(extract, name, rule.constraint.description, rows), rule.severity))
    return broken


def _others(extract: Extract, extracts: Extracts, need: Reference) -> NDArray[Any] | None:
    """Return the values a rule refers to; None where that table could not be read (which is said already)."""
    if not need.table:
        return extract.columns[need.column]
    other = extracts.tables.get(need.table)
    return None if other is None else other.columns[need.column]


def _violation(extract: Extract, column: str, rule: str, rows: BoolArray, advice: str = "") -> Violation:
    return Violation(extract.table, column, rule, tuple(extract.lines[rows].tolist()), advice)


def _order(extracts: Extracts, story: History) -> list[Violation]:
    """Applied, then drawn, then enrolled: what comes earlier than it can is a contradiction in the record."""
    rounds, enrolment = extracts.tables["lottery_rounds"], extracts.tables["enrolment"]
    drawn_at, enrolled_at = story.of(rounds), story.of(enrolment)
    round_, start = rounds.columns["lottery_round"], enrolment.columns["enrolled_quarter"]
    tests: list[tuple[Extract, str, str, BoolArray]] = [
        (
            rounds,
            "lottery_round",
            "Must not be before the practice's first application",
            round_ < story.applied[drawn_at],
        ),
        (rounds, "drawn", "A practice is drawn once", _drawn_again(rounds, drawn_at)),
        (rounds, "lottery_round", "Must be before the practice withdrew", round_ >= story.withdrawn[drawn_at]),
        (
            enrolment,
            "enrolled_quarter",
            "Must not be before the practice's first application",
            story.has_applied[enrolled_at] & (start < story.applied[enrolled_at]),
        ),
        (
            enrolment,
            "enrolled_quarter",
            "Must not be before the round the practice was drawn in",
            story.was_drawn[enrolled_at] & (start < story.drawn[enrolled_at]),
        ),
    ]
    known = {id(rounds): drawn_at >= 0, id(enrolment): enrolled_at >= 0}
    return [
        _violation(extract, column, rule, rows & known[id(extract)])
        for extract, column, rule, rows in tests
        if (rows & known[id(extract)]).any()
    ]


def _drawn_again(rounds: Extract, practice: IntArray) -> BoolArray:
    """Tell which rows say drawn although another row of the practice does."""
    won = rounds.columns["drawn"] == 1
    times = np.bincount(practice[won & (practice >= 0)], minlength=int(practice.max(initial=0)) + 1)
    return won & (times[practice] > 1)


def _entry_findings(story: History, programme: Programme) -> list[Finding]:
    """Find entries the draw does not explain: the difference between being drawn and taking part."""
    n = len(story.practice_ids)
    open_round = np.inf if programme.open_round is None else programme.open_round
    started = story.has_enrolled
    undrawn = started & ~story.was_drawn & (story.enrolled < open_round)
    tests: tuple[tuple[str, str, str, BoolArray, BoolArray], ...] = (
        (
            "late_start",
            "enrolment",
            "practices started later than the round they were drawn in",
            started & story.was_drawn & (story.enrolled > story.drawn),
            story.was_drawn,
        ),
        (
            "won_never_started",
            "lottery_rounds",
            "practices were drawn and never started",
            story.was_drawn & ~started,
            story.was_drawn,
        ),
        ("started_without_draw", "enrolment", "practices started without having been drawn", undrawn, started),
        (
            "started_without_application",
            "enrolment",
            "practices started without an application",
            started & ~story.has_applied,
            started,
        ),
        (
            "applied_without_round",
            "applications",
            "practices applied and are in no round of the draw",
            story.has_applied & ~story.has_round & (story.applied < open_round),
            story.has_applied,
        ),
        ("ended", "enrolment", "practices ended their contract", story.has_ended, started),
        ("no_consent", "practices", "practices gave no consent to monitoring", ~story.consent, np.ones(n, np.bool_)),
    )
    return [
        Finding(kind, table, int(rows.sum()), int(of.sum()), text)
        for kind, table, text, rows, of in tests
        if rows.any()
    ]


def _gaps(activity: Extract) -> list[Finding]:
    """Find practices with quarters missing between their first and their last."""
    import pandas as pd

    frame = pd.DataFrame({name: activity.columns[name] for name in ("practice_id", "quarter")}).dropna()
    if frame.empty:
        return []
    spans = frame.groupby("practice_id")["quarter"].agg(["min", "max", "nunique"])
    gaps = spans["max"] - spans["min"] + 1 - spans["nunique"]
    late = spans["min"] > spans["min"].min()
    early = spans["max"] < spans["max"].max()
    tests = (
        ("gap", "practices miss quarters between their first and their last", gaps > 0),
        ("late_first", "practices begin after the first quarter of the extract", late),
        ("early_last", "practices stop before the last quarter of the extract", early),
    )
    return [Finding(kind, "activity", int(rows.sum()), len(spans), text) for kind, text, rows in tests if rows.any()]


def _list_jumps(activity: Extract) -> list[Finding]:
    """Find practices whose list changes by more than a quarter from one quarter to the next: a merger, or an error."""
    import pandas as pd

    names = ("practice_id", "quarter", "registered_patients")
    frame = pd.DataFrame({name: activity.columns[name] for name in names}).dropna().sort_values(list(names[:2]))
    change = frame.groupby("practice_id")["registered_patients"].pct_change().abs()
    practices = frame.loc[change > 0.25, "practice_id"].nunique()
    text = "practices whose list changes by more than 25 % from one quarter to the next (merger, split or error)"
    return [Finding("list_jump", "activity", practices, frame["practice_id"].nunique(), text)] if practices else []


def _more_insured_than_registered(costs: Extract, activity: Extract) -> list[Finding]:
    """Find practice-quarters in which four times the insured years exceed the registered patients by over 10 %."""
    import pandas as pd

    key = ["practice_id", "quarter"]
    names = (*key, "insurer", "insured_years")
    insured = pd.DataFrame({name: costs.columns[name] for name in names}).drop_duplicates([*key, "insurer"])
    years = insured.groupby(key, as_index=False)["insured_years"].sum()
    lists = pd.DataFrame({name: activity.columns[name] for name in (*key, "registered_patients")})
    both = years.merge(lists.drop_duplicates(key), on=key)
    many = int((4 * both["insured_years"] > 1.1 * both["registered_patients"]).sum())
    text = "practice-quarters with over 10 % more insured than registered patients"
    return [Finding("insured_exceed_registered", "costs", many, len(both), text)] if many else []


def _cost_rules(costs: Extract) -> list[Violation]:
    import pandas as pd

    frame = pd.DataFrame({name: costs.columns[name] for name in ("practice_id", "quarter", "insurer")})
    frame["years"] = costs.columns["insured_years"]
    violations = []
    group = frame.groupby(["practice_id", "quarter", "insurer"], sort=False)["years"]
    low, high = group.transform("min").to_numpy(), group.transform("max").to_numpy()
    uneven = (high - low) > 1e-6 * np.abs(high)
    if uneven.any():
        rule = "Must be the same for all sectors of a practice, quarter and insurer"
        violations.append(_violation(costs, "insured_years", rule, uneven))
    insurers = costs.columns["insurer"]
    everyone = insurers == "all"
    if everyone.any() and not everyone.all():
        rule = "Must not hold both all and single insurers: their costs would count twice"
        violations.append(_violation(costs, "insurer", rule, everyone))
    early = costs.columns["as_of"] < first_day(costs.columns["quarter"])
    if early.any():
        violations.append(_violation(costs, "as_of", "Must not be before the quarter the costs belong to", early))
    return violations


def first_day(quarters: FloatArray) -> NDArray[np.datetime64]:
    """Return the first day of each quarter (integer clock, NaN gives NaT).

    >>> first_day(np.array([8093.0, np.nan])).tolist()
    [datetime.date(2023, 4, 1), None]
    """
    months = np.where(np.isnan(quarters), 0, np.nan_to_num(quarters) * 3 - 1970 * 12).astype("datetime64[M]")
    days = months.astype("datetime64[D]")
    days[np.isnan(quarters)] = np.datetime64("NaT", "D")
    return days


def _cost_findings(costs: Extract) -> list[Finding]:
    days = costs.columns["as_of"]
    different = len(np.unique(days[~np.isnat(days)]))
    if different < 2:
        return []
    text = "different as-of dates stand in one extract; the earliest decides which quarters are complete"
    return [Finding("several_as_of", "costs", different, costs.rows, text)]
