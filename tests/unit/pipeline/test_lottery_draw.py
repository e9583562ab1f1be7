"""The two lottery verbs on files: a draw is held once, replayed exactly, and a foreign record is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtvp_eval.errors import CommandError, DataValidationError, DesignError
from mtvp_eval.pipeline.lottery_draw import hold, replay

SETTINGS = """\
region: test
applications: list.csv
reference_date: 2022-12-31
regional_total: 50000
first_round: 2023Q2
through: {through}
seed: number of the notary
rule:
  rollover: {rollover}
  misfit: skip
  document: regional plan
  dated: 2023-02-24
"""


def prepare(folder: Path, through: str = "2023Q2", rollover: str = "queue", extra: str = "") -> Path:
    rows = [f"{10_000_000 + k};2023Q2;{1500 + 211 * k}" for k in range(12)]
    (folder / "list.csv").write_text("practice_id;applied_quarter;registered_patients\n" + "\n".join(rows), "utf-8")
    path = folder / f"draw_{through}.yaml"
    path.write_text(SETTINGS.format(through=through, rollover=rollover) + extra, "utf-8")
    return path


@pytest.mark.parametrize("rollover", ["queue", "redraw", "class"])
def test_a_draw_is_held_once_and_repeats(tmp_path: Path, rollover: str) -> None:
    settings, protocol = prepare(tmp_path, rollover=rollover), tmp_path / "protocol.json"
    lines = hold(settings, protocol)
    assert lines[0].startswith("test: 12 applicants")
    assert "by lottery" in lines[1]
    assert not any(str(10_000_000 + k) in " ".join(lines) for k in range(12))
    said, good = replay(protocol)
    assert good
    assert "The seed gives this draw again, bit for bit." in said
    with pytest.raises(CommandError, match="held once"):
        hold(settings, protocol)
    later = prepare(tmp_path, "2023Q3", rollover, extra="previous: protocol.json\n")
    hold(later, tmp_path / "second.json")
    changed = later.read_text().replace("of the notary", "of somebody else")
    later.write_text(changed)
    with pytest.raises(DesignError, match="a round once drawn stands"):
        hold(later, tmp_path / "third.json")
    assert not (tmp_path / "third.json").exists()


def test_a_protocol_edited_by_hand_does_not_pass(tmp_path: Path) -> None:
    protocol = tmp_path / "protocol.json"
    hold(prepare(tmp_path), protocol)
    protocol.write_text(protocol.read_text().replace('"registered_patients": 1500', '"registered_patients": 9500'))
    said, good = replay(protocol)
    assert not good
    assert any("differs" in line or "NOT one of them" in line for line in said)


def test_a_record_of_a_draw_held_elsewhere_is_checked(tmp_path: Path) -> None:
    settings = prepare(tmp_path)
    with pytest.raises(CommandError, match="no column started_quarter"):
        replay(settings)
    settings.write_text(settings.read_text().replace("through: 2023Q2\n", ""))
    starts = ["2023Q2"] * 4 + ["2023Q3"] * 4 + ["2024Q1"] * 4
    rows = [f"{10_000_000 + k};2023Q2;3000;{quarter}" for k, quarter in enumerate(starts)]
    head = "practice_id;applied_quarter;registered_patients;started_quarter\n"
    (tmp_path / "list.csv").write_text(head + "\n".join(rows), "utf-8")
    said, good = replay(settings)
    assert not good  # nobody in 2023Q4 although everybody waiting fitted
    assert any("undersubscribed, yet some of those waiting did not start" in line for line in said)
    (tmp_path / "list.csv").write_text(head + "\n".join(rows).replace("2024Q1", "2023Q4"), "utf-8")
    said, good = replay(settings)
    assert good
    assert said[0].startswith("Readings that could have produced this record: queue + skip")
    (tmp_path / "list.csv").write_text(head + "\n".join(rows).replace("2024Q1", "2026Q4"), "utf-8")
    with pytest.raises(DesignError, match="2023Q2 to 2024Q1: 4 rows"):
        replay(settings)


def test_a_record_of_the_first_rounds_is_checked_up_to_them(tmp_path: Path) -> None:
    settings = prepare(tmp_path)
    head = "practice_id;applied_quarter;registered_patients;started_quarter\n"
    rows = [f"{10_000_000 + k};2023Q2;3000;{'2023Q2' if k < 4 else ''}" for k in range(12)]
    rows += ["10000099;2023Q3;3000;"]  # applied later: no part of the round checked
    (tmp_path / "list.csv").write_text(head + "\n".join(rows), "utf-8")
    said, good = replay(settings)
    assert good, said
    settings.write_text(settings.read_text().replace("through: 2023Q2", "through: 2023Q3"))
    said, good = replay(settings)
    assert not good  # nobody started in the second round
    assert "round 2: queue + skip cannot have let in exactly these, 0 of 12500 filled" in "\n".join(said)
    assert "although the room left was enough (9)" in "\n".join(said)
    settings.write_text(settings.read_text().replace("through: 2023Q3", "through: 2024Q1"))
    with pytest.raises(DesignError, match="2024Q1 is no capped round: these run from 2023Q2 to 2023Q4"):
        replay(settings)


def test_the_list_a_protocol_was_drawn_from_is_recognised(tmp_path: Path) -> None:
    protocol, listed = tmp_path / "protocol.json", tmp_path / "list.csv"
    hold(prepare(tmp_path), protocol)
    said, good = replay(protocol, listed)
    assert good
    assert any("is the one drawn from" in line for line in said)
    listed.write_text(listed.read_text() + "\n10000099;2023Q2;2000", "utf-8")
    said, good = replay(protocol, listed)
    assert not good
    assert "the application list is not the file the draw was held on" in said
    with pytest.raises(CommandError, match="goes with a protocol"):
        replay(tmp_path / "draw_2023Q2.yaml", listed)


def test_wrong_settings_are_listed_together(tmp_path: Path) -> None:
    path = prepare(tmp_path, rollover="queu", extra="sed: 3\n")
    path.write_text(path.read_text().replace("first_round: 2023Q2", "first_round: second quarter"))
    with pytest.raises(CommandError, match="3 problem") as caught:
        hold(path, tmp_path / "p.json")
    for part in (
        "unknown key sed; did you mean seed?",
        "rollover is queu; did you mean queue?",
        "first_round: not a quarter",
    ):
        assert part in str(caught.value)
    bare = prepare(tmp_path)
    bare.write_text(bare.read_text().replace("seed: number of the notary\n", ""))
    with pytest.raises(CommandError, match="needs `seed`"):
        hold(bare, tmp_path / "p.json")
    (tmp_path / "list.csv").write_text("practice_id;applied_quarter;registered_patients\n1;2023Q2;x\n", "utf-8")
    with pytest.raises(DataValidationError):
        hold(prepare_settings_only(tmp_path), tmp_path / "p.json")


def prepare_settings_only(folder: Path) -> Path:
    path = folder / "again.yaml"
    path.write_text(SETTINGS.format(through="2023Q2", rollover="queue"), "utf-8")
    return path
