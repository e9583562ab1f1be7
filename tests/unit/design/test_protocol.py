"""A real draw: the list is read strictly, the protocol repeats bit for bit, and tampering shows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.clock import quarter
from mtvp_eval.design.application_list import read_applications
from mtvp_eval.design.protocol import Protocol, replay_protocol, run_draw, ticket_numbers
from mtvp_eval.design.rules import DrawRule, Misfit, Rollover
from mtvp_eval.errors import CommandError, DataError, DataValidationError, DesignError

FIRST = quarter("2023Q2")
RULE = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24))


def write_list(folder: Path, late: bool = True) -> Path:
    rows = [f"{10_000_000 + k};{'2023Q3' if k > 9 else '2023Q2'};{1500 + 211 * k}" for k in range(14 if late else 10)]
    path = folder / "applications.csv"
    path.write_text("practice_id;applied_quarter;registered_patients\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def hold(folder: Path, rule: DrawRule = RULE, through: str = "2023Q4", late: bool = True) -> Protocol:
    listed = read_applications(write_list(folder, late), FIRST, 50_000)
    return run_draw(listed, rule, "number of the notary", "test", date(2022, 12, 31), quarter(through))


@pytest.mark.parametrize("rollover", list(Rollover))
def test_a_protocol_repeats_bit_for_bit_after_writing_and_reading(tmp_path: Path, rollover: Rollover) -> None:
    protocol = hold(tmp_path, replace(RULE, rollover=rollover))
    protocol.write(tmp_path / "protocol.json")
    again = Protocol.read(tmp_path / "protocol.json")
    assert again == protocol
    replayed = replay_protocol(again, read_applications(tmp_path / "applications.csv", FIRST, 50_000))
    assert replayed.differences == ()
    assert replayed.check.declared_holds
    assert replayed.check.broken == ()
    again.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "protocol.json").read_bytes()
    assert not list(tmp_path.glob("*.part"))


def test_the_order_of_everybody_waiting_is_kept_and_sizes_stay_under_the_cap(tmp_path: Path) -> None:
    protocol = hold(tmp_path)
    assert [drawn.quarter for drawn in protocol.rounds] == ["2023Q2", "2023Q3", "2023Q4"]
    assert len(protocol.rounds[0].order) == 10
    waiting = 14 - len(protocol.rounds[0].started)
    assert len(protocol.rounds[1].order) == waiting
    assert all(drawn.started_patients <= drawn.cap == 12_500 for drawn in protocol.rounds)
    # a loser keeps his place: the order of the second round begins with the rest of the first
    rest = [unit for unit in protocol.rounds[0].order if unit not in protocol.rounds[0].started]
    assert list(protocol.rounds[1].order[: len(rest)]) == rest


@pytest.mark.parametrize("rollover", [Rollover.QUEUE, Rollover.REDRAW])
def test_a_list_that_grows_does_not_change_the_first_round(tmp_path: Path, rollover: Rollover) -> None:
    rule = replace(RULE, rollover=rollover)
    early = hold(tmp_path, rule, through="2023Q2", late=False)
    later = hold(tmp_path, rule, through="2023Q3")
    assert early.rounds[0] == later.rounds[0]
    assert early.input_sha256 != later.input_sha256


def test_lottery_numbers_can_be_had_with_any_tool_that_knows_sha256() -> None:
    units = ("a", "b", "c", "d")
    numbers = {unit: int(hashlib.sha256(f"s|once|{unit}".encode()).hexdigest(), 16) for unit in units}
    assert [units[i] for i in np.argsort(ticket_numbers(units, "s", "once"))] == sorted(units, key=numbers.__getitem__)
    assert ticket_numbers(units[::-1], "s", "once")[::-1].tolist() == ticket_numbers(units, "s", "once").tolist()


def test_every_practice_is_first_equally_often_over_seeds() -> None:
    units = tuple(str(k) for k in range(5))
    first = [int(np.argmin(ticket_numbers(units, str(seed), "once"))) for seed in range(4000)]
    # 800 expected each; 5 standard errors of a share of one in five
    assert abs(np.bincount(first, minlength=5) - 800).max() < 5 * np.sqrt(4000 * 0.2 * 0.8)


def test_a_changed_protocol_is_caught(tmp_path: Path) -> None:
    protocol = hold(tmp_path)
    first = protocol.rounds[0]
    loser = next(unit for unit in first.order if unit not in first.started)
    swapped = replace(first, started=(*first.started[:-1], loser))
    replayed = replay_protocol(replace(protocol, rounds=(swapped, *protocol.rounds[1:])))
    assert "2023Q2: started differs from what the seed gives" in replayed.differences
    assert any("drawn twice" in difference for difference in replayed.differences)
    other_seed = replay_protocol(replace(protocol, seed="another"))
    assert any("order differs" in difference for difference in other_seed.differences)
    assert other_seed.check.declared_holds  # the recorded walk itself still follows the rule
    with pytest.raises(DesignError, match="list does not hold: 1"):
        replay_protocol(replace(protocol, rounds=(replace(first, order=("x", *first.order[1:])),)))
    listed = read_applications(write_list(tmp_path, late=False), FIRST, 50_000)
    assert replay_protocol(protocol, listed).differences == (
        "the application list is not the file the draw was held on",
    )


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match="2024Q1 is no capped round: these run from 2023Q2 to 2023Q4"):
        hold(tmp_path, through="2024Q1")
    listed = read_applications(write_list(tmp_path), FIRST, 50_000)
    with pytest.raises(DesignError, match="needs a seed"):
        run_draw(listed, RULE, " ", "test", date(2022, 12, 31), FIRST)
    with pytest.raises(CommandError, match="no protocol"):
        Protocol.read(tmp_path / "none.json")
    (tmp_path / "odd.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CommandError, match="not a protocol of a draw"):
        Protocol.read(tmp_path / "odd.json")
    (tmp_path / "old.json").write_text(json.dumps({"format": "capped draw, version 0"}), encoding="utf-8")
    with pytest.raises(CommandError, match="version 0"):
        Protocol.read(tmp_path / "old.json")


def test_every_violation_of_the_list_is_named_at_once_without_values(tmp_path: Path) -> None:
    path = tmp_path / "applications.csv"
    path.write_text(
        "practice_id,applied_quarter,registered_patients,withdrawn_quarter,priority,started_quarter\n"
        "01000001,2023Q2,3000,,,\n01000001,20232,0,2023Q9,x,\n1000003,2023Q2,3.500,,1,Q2\n,2023Q2,3000,,,\n",
        encoding="utf-8",
    )
    with pytest.raises(DataValidationError) as caught:
        read_applications(path, FIRST, 50_000)
    text = str(caught.value)
    for part in (
        "practice_id: Must be given: 1 row (line 5)",
        "leading zero was lost, probably by Excel: 1 row (line 4)",
        "nobody is drawn twice: 1 row (line 3)",
        "applied_quarter: Must be a quarter such as 2023Q2: 1 row (line 3)",
        "registered_patients: Must be a whole number above 0: 2 rows (lines 3, 4)",
        "withdrawn_quarter: Must be empty or a quarter such as 2023Q2: 1 row (line 3)",
        "priority: Must be empty or 0, 1, 2, …: 1 row (line 3)",
        "started_quarter: Must be empty or a quarter such as 2023Q2: 1 row (line 4)",
    ):
        assert part in text
    assert "01000001" not in text


def test_unreadable_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no application list"):
        read_applications(tmp_path / "none.csv", FIRST, 1)
    path = tmp_path / "list.csv"
    path.write_bytes(b"practice_id;caf\xe9\n1;2\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_applications(path, FIRST, 1)
    path.write_text("practice_id;applied_quarter;registered_patients\n", encoding="utf-8")
    with pytest.raises(DataError, match="no applications"):
        read_applications(path, FIRST, 1)
    path.write_text("practice_id;practice_id;applied\na;b\n", encoding="utf-8")
    with pytest.raises(DataValidationError, match=r"(?s)registered_patients: The column is missing.*Unknown column"):
        read_applications(path, FIRST, 1)


def test_optional_columns_reach_the_draw(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        "practice_id;applied_quarter;registered_patients;withdrawn_quarter;priority;started_quarter\n"
        "01000001;2023Q2;3000;;1;2023Q2\n01000002;2023Q3;3000;2023Q4;;\n",
        encoding="utf-8",
    )
    listed = read_applications(path, FIRST, 50_000)
    assert listed.applications.priority is not None
    assert listed.applications.withdrawn_round is not None
    assert listed.applications.priority.tolist() == [1, 0]
    assert listed.applications.withdrawn_round.tolist()[1] == 3
    assert listed.started_round == (1, 0)
