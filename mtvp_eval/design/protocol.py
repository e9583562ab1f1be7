"""A real draw and its protocol: everything needed to repeat it bit for bit, with any tool that knows SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from mtvp_eval.arrays import IntArray
from mtvp_eval.clock import NEVER, quarter, quarter_label
from mtvp_eval.design.application_list import ApplicationList
from mtvp_eval.design.draw import cohorts_from_tickets, drawn_order
from mtvp_eval.design.record import RecordCheck, check_record, round_facts
from mtvp_eval.design.rules import NOT_STARTED, Applications, DrawRule, FinalRound
from mtvp_eval.errors import CommandError, DesignError

FORMAT = "capped draw, version 1"
HOW = (
    "The lottery number of a practice is the SHA-256 of `seed|label|practice_id` in UTF-8, read as a number; lower "
    "goes first. The label is `once` where one order decides all rounds, else the quarter of the round."
)


@dataclass(frozen=True, slots=True)
class Applicant:
    """One line of the application list as the draw saw it; rounds are quarters such as 2023Q2."""

    practice_id: str
    applied_quarter: str
    registered_patients: int
    withdrawn_quarter: str | None
    priority: int


@dataclass(frozen=True, slots=True)
class DrawnRound:
    """One round: the cap, who waited in drawn order (those not started too), and who starts."""

    quarter: str
    cap: float
    waiting_patients: int
    started_patients: int
    lottery: bool
    order: tuple[str, ...]
    started: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Protocol:
    """The whole record of a real draw.

    Parameters
    ----------
    region : name of the region; reference_date : of the list sizes; regional_total : what the cap is a share of.
    rule : the declared rule; seed : any text fixed before the list was closed; input_sha256 : hash of the list.
    applicants : the list itself; rounds : the rounds drawn so far, in order.
    """

    region: str
    reference_date: date
    regional_total: int
    rule: DrawRule
    first_round: str
    seed: str
    input_sha256: str
    applicants: tuple[Applicant, ...]
    rounds: tuple[DrawnRound, ...]

    def write(self, path: Path) -> None:
        """Write the protocol as JSON; the file appears whole or not at all."""
        content = {"format": FORMAT, "how": HOW, **asdict(self)}
        text = json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"
        half = path.with_name(path.name + ".part")
        half.write_text(text, encoding="utf-8")
        os.replace(half, path)

    @classmethod
    def read(cls, path: Path) -> Protocol:
        """Read a protocol.

        Raises
        ------
        CommandError
            If the file is missing or is not a protocol of this format.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise CommandError(f"{path.name} is written as {content['format']}; this version reads {FORMAT}.")
            rule = {**content["rule"], "declared_on": date.fromisoformat(content["rule"]["declared_on"])}
            own = {f.name: content[f.name] for f in fields(cls)}
            own |= {
                "rule": DrawRule(**rule),
                "reference_date": date.fromisoformat(content["reference_date"]),
                "applicants": tuple(Applicant(**row) for row in content["applicants"]),
                "rounds": tuple(
                    DrawnRound(**{**row, "order": tuple(row["order"]), "started": tuple(row["started"])})
                    for row in content["rounds"]
                ),
            }
            protocol = cls(**own)
            _list_of(protocol)
            return protocol
        except FileNotFoundError as error:
            raise CommandError(f"There is no protocol {path.name} in {path.parent}.") from error
        except (KeyError, TypeError, ValueError) as error:
            raise CommandError(f"{path.name} is not a protocol of a draw: {type(error).__name__}, {error}.") from error


def ticket_numbers(unit_ids: tuple[str, ...], seed: str, label: str) -> IntArray:
    """Return the place of each unit (n,) in the order of SHA-256(`seed|label|unit`), 0 first.

    A unit's number depends on nothing but the seed, the label and its own name: neither on the order of the file nor
    on who else applied, so a list that grows later does not change an earlier round.

    >>> ticket_numbers(("01000001", "01000002", "01000003"), "draw of 1 March", "once").tolist()
    [2, 0, 1]
    """
    digest = [hashlib.sha256(f"{seed}|{label}|{unit}".encode()).digest() for unit in unit_ids]
    place = np.empty(len(unit_ids), dtype=np.int64)
    place[sorted(range(len(unit_ids)), key=digest.__getitem__)] = np.arange(len(unit_ids))
    return place


def rounds_through(listed: ApplicationList, rule: DrawRule, through: int) -> tuple[ApplicationList, DrawRule]:
    """Return who applied up to the quarter `through` (on the clock), and the rule for the rounds up to it.

    Raises ``DesignError`` if `through` is no capped round.
    """
    last = through - listed.first_round + 1
    if not 1 <= last <= rule.capped_rounds:
        raise DesignError(
            f"{quarter_label(through)} is no capped round: these run from {quarter_label(listed.first_round)} to "
            f"{quarter_label(listed.first_round + rule.capped_rounds - 1)}."
        )
    rows = np.flatnonzero(listed.applications.applied_round <= last)
    started = listed.started_round
    in_time = replace(
        listed,
        unit_ids=tuple(listed.unit_ids[i] for i in rows),
        applications=_subset(listed.applications, rows),
        started_round=None if started is None else tuple(started[i] for i in rows),
    )
    return in_time, replace(rule, capped_rounds=last, final_round=FinalRound.CAPPED)


def run_draw(
    listed: ApplicationList, rule: DrawRule, seed: str, region: str, reference_date: date, through: int
) -> Protocol:
    """Hold the real draw of all capped rounds up to the quarter `through` (on the clock) and return its protocol.

    Holding the second round later, with the list that has grown and the same seed, repeats the first one unchanged.

    Raises
    ------
    DesignError
        If the rule does not cover the applications, the seed is empty, or `through` is no capped round.
    """
    listed, partial = rounds_through(listed, rule, through)
    if not seed.strip():
        raise DesignError("A draw needs a seed that was fixed, and best published, before the list was closed.")
    applications, unit_ids = listed.applications, listed.unit_ids
    quarters = [quarter_label(listed.first_round + k) for k in range(partial.capped_rounds)]
    labels = ["once"] if rule.one_order else quarters
    tickets = np.stack([ticket_numbers(unit_ids, seed, label) for label in labels])
    cohort = cohorts_from_tickets(applications, partial, tickets[:, None])
    facts = round_facts(applications, partial, cohort)
    rounds = []
    for k, label in enumerate(quarters):
        order = drawn_order(applications, partial, k + 1, tickets[min(k, len(labels) - 1)])
        order = order[(cohort[0, order] == NOT_STARTED) | (cohort[0, order] > k)]
        rounds.append(
            DrawnRound(
                label,
                float(facts.cap[0, k]),
                int(facts.waiting_patients[0, k]),
                int(facts.started_patients[0, k]),
                bool(facts.lottery[0, k]),
                tuple(unit_ids[i] for i in order),
                tuple(unit_ids[i] for i in order if cohort[0, i] == k + 1),
            )
        )
    applicants = tuple(_applicant(listed, i) for i in range(applications.n))
    return Protocol(
        region,
        reference_date,
        applications.region_total,
        rule,
        quarters[0],
        seed,
        listed.sha256,
        applicants,
        tuple(rounds),
    )


@dataclass(frozen=True, slots=True)
class ProtocolReplay:
    """What repeating a protocol gave: `differences` from it (none when it holds), and the check of its record."""

    differences: tuple[str, ...]
    check: RecordCheck


def replay_protocol(protocol: Protocol, listed: ApplicationList | None = None) -> ProtocolReplay:
    """Repeat a recorded draw from its seed and compare it round by round; check the recorded orders as well.

    Parameters: `listed` the application list itself, where it is at hand, to be compared with the recorded hash.

    Raises
    ------
    DesignError
        If the recorded rule does not cover the recorded applications, or an order names a practice nobody listed.
    """
    own, first = _list_of(protocol)
    again = run_draw(own, protocol.rule, protocol.seed, protocol.region, protocol.reference_date,
                     first + len(protocol.rounds) - 1)  # fmt: skip
    differences = []
    for recorded, repeated in zip(protocol.rounds, again.rounds, strict=True):
        for field in fields(DrawnRound):
            if getattr(recorded, field.name) != getattr(repeated, field.name):
                differences.append(f"{recorded.quarter}: {field.name} differs from what the seed gives")
    if listed is not None and listed.sha256 != protocol.input_sha256:
        differences.append("the application list is not the file the draw was held on")
    rows = {unit: k for k, unit in enumerate(own.unit_ids)}
    named = {unit for drawn in protocol.rounds for unit in (*drawn.order, *drawn.started)}
    if unknown := len(named - rows.keys()):
        raise DesignError(f"Practices that the rounds name and the list does not hold: {unknown}.")
    cohort = np.zeros(own.applications.n, dtype=np.int64)
    for k, drawn in enumerate(protocol.rounds):
        for unit in drawn.started:
            if cohort[rows[unit]]:
                differences.append(f"{drawn.quarter}: a practice that had started is drawn twice")
            cohort[rows[unit]] = k + 1
    orders = [np.array([rows[unit] for unit in drawn.order], dtype=np.int64) for drawn in protocol.rounds]
    partial = replace(protocol.rule, capped_rounds=len(orders), final_round=FinalRound.CAPPED)
    return ProtocolReplay(tuple(differences), check_record(own.applications, partial, cohort, orders))


def _subset(applications: Applications, rows: IntArray) -> Applications:
    """Return the applications of some rows."""
    withdrawn, priority = applications.withdrawn_round, applications.priority
    return Applications(
        applications.list_size[rows],
        applications.applied_round[rows],
        applications.region_total,
        None if withdrawn is None else withdrawn[rows],
        None if priority is None else priority[rows],
    )


def _applicant(listed: ApplicationList, row: int) -> Applicant:
    """Return one line of the list in quarters."""
    a = listed.applications
    gone = NEVER if a.withdrawn_round is None else int(a.withdrawn_round[row])
    return Applicant(
        listed.unit_ids[row],
        quarter_label(listed.first_round + int(a.applied_round[row]) - 1),
        int(a.list_size[row]),
        None if gone == NEVER else quarter_label(listed.first_round + gone - 1),
        0 if a.priority is None else int(a.priority[row]),
    )


def _list_of(protocol: Protocol) -> tuple[ApplicationList, int]:
    """Return the applications a protocol records, and the clock of its first round."""
    first = quarter(protocol.first_round)
    rows = protocol.applicants
    column: dict[str, Any] = {
        "size": [row.registered_patients for row in rows],
        "applied": [quarter(row.applied_quarter) - first + 1 for row in rows],
        "gone": [
            NEVER if row.withdrawn_quarter is None else quarter(row.withdrawn_quarter) - first + 1 for row in rows
        ],
        "priority": [row.priority for row in rows],
    }
    a = {name: np.array(values, dtype=np.int64) for name, values in column.items()}
    applications = Applications(a["size"], a["applied"], protocol.regional_total, a["gone"], a["priority"])
    return ApplicationList(tuple(row.practice_id for row in rows), applications, first, protocol.input_sha256), first
