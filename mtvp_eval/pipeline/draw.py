"""The region's draw as declared and as recorded, laid beside each other before any outcome is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from mtvp_eval.clock import NEVER
from mtvp_eval.config import DrawChoices
from mtvp_eval.data.extracts import Extract
from mtvp_eval.data.history import History
from mtvp_eval.design.assignment import AssignmentUnits, assignment_units
from mtvp_eval.design.probabilities import EntryProbabilities, entry_probabilities
from mtvp_eval.design.record import Finding, RecordCheck, check_record, round_facts
from mtvp_eval.design.rules import (
    NOT_STARTED,
    Cap,
    DrawRule,
    FinalRound,
    Misfit,
    Oversize,
    Rollover,
)
from mtvp_eval.dictionary.schema import Programme
from mtvp_eval.errors import DesignError
from mtvp_eval.inference.conditional import RoundChances, round_chances, round_given_history
from mtvp_eval.inference.integrity import (
    ApplicantRow,
    BalanceTest,
    CohortSizeRow,
    IdentificationRow,
    balance_test,
    cohort_sizes,
    describe_applicants,
    identification_table,
)
from mtvp_eval.inference.replay import DrawnRegion

UNDOCUMENTED = "not documented"
"""What `draw: document` says where no document lays the rule down; tests then show the largest p over all readings."""
_COVARIATES = ("deprivation", "opslag_share", "urbanicity")


@dataclass(frozen=True, slots=True, eq=False)
class DrawEvidence:
    """What the record shows of the draw: who took part, which readings fit, whether it looks like a lottery.

    `region` holds one row a unit of assignment that applied; `member` (N,) is the row of each of the `practice_ids`,
    -1 for those that did not apply in time. `readings` are the rules to replay: the declared one, or every reading
    that could have produced the record where the rule is not documented or the record contradicts it. `findings` are
    what contradicts the declaration or the record itself, `notes` what is merely to be known. `balance` is None, with
    the reason in `no_balance`, where it cannot be tested. `orders` are those recorded, None where they are not
    complete. Where applications `reacted` to earlier draws only the first round is compared with replays, and `chances`
    are those of each round given its history.
    """

    rule: DrawRule
    region: DrawnRegion
    practice_ids: ObjectArray
    member: IntArray
    first_round: int
    check: RecordCheck
    readings: tuple[DrawRule, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    chances: EntryProbabilities | RoundChances
    sizes: tuple[CohortSizeRow, ...]
    identification: tuple[IdentificationRow, ...]
    applicants: tuple[ApplicantRow, ...]
    balance: BalanceTest | None
    no_balance: str = ""
    orders: tuple[IntArray, ...] | None = None
    reacted: bool = False

    def entry_probability(self, members: IntArray, clock: IntArray) -> FloatArray | None:
        """Return (n, T + 1) chances to enter in each period of a clock (T,), of practices (n,) of the history.

        The last column is the chance to enter later, or never; who took no part in the draw has all of it there. None
        where applications reacted to earlier draws: the chances of a whole path are then unknown.
        """
        if self.reacted:
            return None
        chance = np.zeros((len(members), len(clock) + 1))
        rows = self.member[members]
        for number in range(1, self.chances.probability.shape[1]):
            at = np.flatnonzero(clock == self.first_round + number - 1)
            if len(at):
                chance[:, at[0]] = np.where(rows >= 0, self.chances.probability[rows, number], 0.0)
        chance[:, -1] = 1 - chance[:, :-1].sum(axis=1)
        return chance


def declared_rule(choices: DrawChoices, programme: Programme, first_round: int, last_round: int) -> DrawRule:
    """Return the rule a region declares, with the programme's cap and open round.

    Raises
    ------
    DesignError
        If the declaration contradicts itself, or the region's first round is not before the open round.
    """
    opens = programme.open_round
    capped = (last_round + 1 if opens is None else opens) - first_round
    if capped < 1:
        raise DesignError("The region's first round is not before the open round, so no round of it was capped.")
    return DrawRule(
        Rollover(choices.rollover), Misfit(choices.misfit), choices.document, date.fromisoformat(choices.dated),
        Cap(choices.cap), programme.cap_share, None if choices.oversize is None else Oversize(choices.oversize),
        capped, FinalRound.CAPPED if opens is None else FinalRound.OPEN,
    )  # fmt: skip


def draw_evidence(
    choices: DrawChoices,
    programme: Programme,
    history: History,
    practices: Extract,
    rounds: Extract,
    seed: int,
    never_applied_compare: bool = False,
) -> DrawEvidence | None:
    """Lay the declared draw beside the record, before any outcome is read; None where no round was recorded.

    All practices of the history count under the cap, in the evaluation or not. Practices that share a unit of
    assignment are one: their lists are added, and the unit applied and was drawn when its first member did.

    Raises
    ------
    DesignError
        If the declaration cannot be carried out with these applications.
    """
    recorded = recorded_draw(choices, programme, history, rounds)
    if recorded is None:
        return None
    first, rule, region, orders, check = (
        recorded.first_round, recorded.rule, recorded.region, recorded.orders, recorded.check,
    )  # fmt: skip
    applications, member = recorded.units.applications, recorded.units.member
    rng = np.random.default_rng(seed)
    chances = round_chances(region, rng, orders) if choices.reacted else entry_probabilities(applications, rule, rng)
    others = int((~history.has_applied & history.consent).sum()) if never_applied_compare else 0
    covariates = _covariates(history, practices)
    balance, no_balance = _balance(region, covariates, member, rng, choices.reacted)
    notes = list(recorded.notes)
    cohort = region.cohort
    rare = (chances.probability[np.arange(len(cohort)), cohort] < 0.01) & (cohort != NOT_STARTED)
    if rare.any():
        notes.append(Finding(0, int(rare.sum()), "units whose chance of the round they started in was below 1 in 100"))
    if choices.reacted:
        notes.append(Finding(0, applications.n, "applications or withdrawals reacted to earlier draws, as declared"))
    return DrawEvidence(
        rule, region, history.practice_ids, member, first, check, _readings(rule, check),
        recorded.findings, tuple(notes), chances, _sizes(region, rng, choices.reacted),
        identification_table(region, chances, rule.capped_rounds, others),
        describe_applicants(np.stack(list(covariates.values()), axis=1), list(covariates), history.has_applied),
        balance, no_balance, None if orders is None else tuple(orders), choices.reacted,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RecordedDraw:
    """The recorded draw as units of assignment, and what it contradicts; no outcome and no chance is in it.

    `findings` are all contradictions: of the record with the rule, and of the rounds' table with itself; `notes` what
    is merely to be known. `orders` are those recorded, None where they are not complete.
    """

    rule: DrawRule
    units: AssignmentUnits
    region: DrawnRegion
    first_round: int
    orders: list[IntArray] | None
    check: RecordCheck
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    def sentences(self) -> list[str]:
        """Say what the record shows in plain lines."""
        more = (*self.findings[len(self.check.broken) :], *self.notes[len(self.check.notes) :])
        return [*self.check.sentences(), *(finding.sentence() for finding in more)]


def recorded_draw(choices: DrawChoices, programme: Programme, history: History, rounds: Extract) -> RecordedDraw | None:
    """Lay the recorded rounds beside the declared rule; None where no round was recorded.

    Raises
    ------
    DesignError
        If the declaration cannot be carried out with these applications.
    """
    if history.first_round is None:
        return None
    first = history.first_round
    rule = declared_rule(choices, programme, first, int(history.last_round[history.has_round].max()))
    last = rule.open_round or rule.capped_rounds
    units = assignment_units(history, rule, first, last, cap_base=programme.cap_base)
    drawn = np.where(history.was_drawn, history.drawn - first + 1, NEVER)
    earliest, latest = units.earliest(drawn), -units.earliest(-drawn)
    cohort = np.where(earliest > last, NOT_STARTED, earliest).astype(np.int64)
    applications = units.applications
    region = DrawnRegion(applications, rule, cohort, np.arange(applications.n))
    orders = _orders(rounds, history, units.member, region)
    check = check_record(applications, rule, cohort, orders)
    findings = _contradictions(history, units, rule, cohort, check, int((earliest != latest).sum()))
    return RecordedDraw(
        rule,
        units,
        region,
        first,
        orders,
        check,
        (*check.broken, *findings),
        (*check.notes, *_limits(units, rule, cohort)),
    )


def _orders(rounds: Extract, history: History, member: IntArray, region: DrawnRegion) -> list[IntArray] | None:
    """Return the recorded order of each round, or None where a lottery's positions are not complete.

    A round without a lottery has no order; those left from the round before and then the newcomers stand in for it,
    which decides nothing, since all start.
    """
    rule, applications = region.rule, region.applications
    assert rule is not None
    assert history.first_round is not None
    at = history.of(rounds)
    position, quarter = rounds.columns["draw_position"], rounds.columns["lottery_round"]
    lottery = round_facts(applications, rule, region.cohort[None]).lottery[0]
    found: list[IntArray] = []
    for number in range(1, rule.capped_rounds + 1):
        rows = np.flatnonzero((quarter == history.first_round + number - 1) & (at >= 0))
        rows = rows[member[at[rows]] >= 0]
        if lottery[number - 1]:
            if not len(rows) or np.isnan(position[rows]).any() or len(np.unique(position[rows])) < len(rows):
                return None
            ordered = member[at[rows]][np.argsort(position[rows])].tolist()
        else:
            waits = applications.in_pool(number) & ((region.cohort == NOT_STARTED) | (region.cohort >= number))
            before = found[-1].tolist() if found else []
            newcomers = np.lexsort((applications.applied_round, applications.block)).tolist()
            ordered = [unit for unit in (*before, *newcomers) if waits[unit]]
        found.append(np.array(list(dict.fromkeys(ordered)), dtype=np.int64))
    return found


def _readings(rule: DrawRule, check: RecordCheck) -> tuple[DrawRule, ...]:
    if (rule.document.strip().lower() != UNDOCUMENTED and check.declared_holds) or not check.compatible:
        return (rule,)
    return tuple(replace(rule, rollover=rollover, misfit=misfit) for rollover, misfit in check.compatible)


def _covariates(history: History, practices: Extract) -> Mapping[str, FloatArray]:
    """Return what was known of every practice before the draw, by name (N,)."""
    found = {"log_list_size": np.log(history.reference_list)}
    for name in _COVARIATES:
        values: Any = practices.columns.get(name)
        if values is not None and np.isfinite(values).all():
            found[name] = np.asarray(values, dtype=np.float64)
    return found


def _balance(
    region: DrawnRegion, covariates: Mapping[str, FloatArray], member: IntArray, rng: np.random.Generator,
    reacted: bool,
) -> tuple[BalanceTest | None, str]:  # fmt: skip
    """Test balance of the units' means; a covariate that does not vary inside blocks is left out.

    Where applications reacted to draws only the first round is a lottery that replays can repeat.
    """
    inside = member >= 0
    count = np.bincount(member[inside], minlength=region.applications.n)
    x = {
        name: np.bincount(member[inside], values[inside], region.applications.n) / count
        for name, values in covariates.items()
    }
    if reacted:
        try:
            region, here = round_given_history(region, 1)
        except DesignError as error:
            return None, str(error)
        region = replace(region, rows=np.arange(len(here)))
        x = {name: values[here] for name, values in x.items()}
    block = region.applications.block
    varies = [name for name in x if any(np.ptp(x[name][block == b]) > 0 for b in np.unique(block))]
    if not varies:
        return None, "no covariate varies inside a block"
    return balance_test([region], np.stack([x[name] for name in varies], axis=1), varies, rng), ""


def _sizes(region: DrawnRegion, rng: np.random.Generator, reacted: bool) -> tuple[CohortSizeRow, ...]:
    """Compare the rounds with replays; after the first one nothing is expected where applications reacted to draws."""
    rows = cohort_sizes(region, rng)
    if not reacted:
        return rows
    rest = (replace(row, expected=np.nan, expected_patients=np.nan, p_value=np.nan) for row in rows[1:])
    return (rows[0], *rest)


def _contradictions(
    history: History, units: AssignmentUnits, rule: DrawRule, cohort: IntArray, check: RecordCheck, apart: int
) -> list[Finding]:
    """Return what the rounds' table contradicts beside the rule; members of `apart` units were drawn apart."""
    broken = []
    if check.contradiction is not None:
        what = "the declared reading could not have produced this record"
        broken.append(Finding(check.contradiction.round, units.applications.n, what))
    if apart:
        broken.append(Finding(0, apart, "members of one unit of assignment were drawn in different rounds"))
    for number in range(1, rule.capped_rounds + 1):
        free = _of_units(units.member, history.no_lottery) & (cohort == number)
        decided = bool(check.facts.lottery[0, number - 1])
        if decided and free.any():
            broken.append(Finding(number, int(free.sum()), "recorded as needing no lottery, yet the cap was exceeded"))
        if not decided and (without := int(((cohort == number) & ~free).sum())):
            broken.append(Finding(number, without, "recorded as drawn, yet all who waited fitted under the cap"))
    return broken


def _limits(units: AssignmentUnits, rule: DrawRule, cohort: IntArray) -> list[Finding]:
    """Return what limits the comparisons that the record allows, whatever the chances."""
    notes = []
    applied, block = units.applications.applied_round, units.applications.block
    for b in np.unique(block):
        mine = block == b
        number = int(applied[mine][0])
        seen = [int((cohort[mine] == g).sum()) for g in range(1, rule.capped_rounds + 1)]
        if number <= rule.capped_rounds and len(np.unique(cohort[mine])) == 1:
            notes.append(Finding(number, int(mine.sum()), "a block of one cohort: the draw compares nobody in it"))
        elif ones := sum(count == 1 for count in seen):
            notes.append(Finding(number, ones, "cohorts of one unit in a block: their spread cannot be seen"))
    if units.late:
        notes.append(Finding(0, units.late, "applied after the last round: no part of this draw"))
    return notes


def _of_units(member: IntArray, flag: BoolArray) -> BoolArray:
    """Tell for which units (n,) a flag of practices (N,) holds for some member."""
    found = np.zeros(int(member.max()) + 1, dtype=np.bool_)
    found[member[(member >= 0) & flag]] = True
    return found
