"""The command line on simulated regions: what works, and every bad input with its exit code and a message."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mtvp_eval.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """A project folder with the small region simulated once."""
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTVP_PROJECT", str(root))
        assert main(["simulate", "small"]) == 0
    return root


@pytest.fixture
def project(simulated, tmp_path, monkeypatch):
    """A copy of the project folder that a test may spoil."""
    root = tmp_path / "project"
    shutil.copytree(simulated, root)
    monkeypatch.setenv("MTVP_PROJECT", str(root))
    return root


def table(project: Path, name: str) -> Path:
    return project / "raw" / "small" / f"{name}.csv"


def rewrite(path: Path, change) -> None:
    frame = pd.read_csv(path, sep=";", dtype=str, keep_default_na=False)
    change(frame).to_csv(path, sep=";", index=False)


def question(project: Path, change) -> None:
    path = project / "reports" / "small" / "evaluation.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def fails(capsys, *arguments: str) -> tuple[int, str]:
    code = main(list(arguments))
    return code, capsys.readouterr().err


def test_check_of_a_good_region_says_how_it_was_read(project, capsys):
    assert main(["check", "small"]) == 0
    said = capsys.readouterr().out
    assert "activity.csv" in said
    assert "no rule of the data dictionary is broken" in said
    assert "draw: The declared reading is one of them." in said


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(project):
    before = table(project, "activity").read_bytes()
    assert main(["simulate", "small"]) == 0
    assert table(project, "activity").read_bytes() == before
    assert main(["simulate", "small", "--seed", "7"]) == 0
    assert table(project, "activity").read_bytes() != before


def test_simulating_an_embedded_region_brings_its_question(project):
    (project / "reports" / "small" / "evaluation.yaml").unlink()
    assert main(["simulate", "small"]) == 0
    assert main(["evaluate", "small"]) == 0


def test_init_writes_a_question_and_empty_extracts_and_keeps_what_is_there(project, capsys):
    assert main(["init", "hadoks"]) == 0
    assert (project / "reports" / "hadoks" / "evaluation.yaml").is_file()
    assert (project / "raw" / "hadoks" / "practices.xlsx").is_file()
    (project / "reports" / "hadoks" / "evaluation.yaml").write_text("kept", encoding="utf-8")
    assert main(["init", "hadoks"]) == 0
    assert (project / "reports" / "hadoks" / "evaluation.yaml").read_text(encoding="utf-8") == "kept"


BROKEN_DATA = {
    "missing file": (lambda p: table(p, "activity").unlink(), "activity"),
    "wrong column": (
        lambda p: rewrite(table(p, "activity"), lambda f: f.rename(columns={"consults": "consult"})),
        "consults",
    ),
    "empty region": (lambda p: rewrite(table(p, "activity"), lambda f: f.iloc[:0]), "activity"),
    "duplicate key": (lambda p: rewrite(table(p, "activity"), lambda f: pd.concat([f, f.iloc[[0]]])), "activity"),
    "lost zero": (
        lambda p: rewrite(table(p, "practices"), lambda f: f.assign(practice_id=f["practice_id"].str[1:])),
        "leading zero",
    ),
    "no pre-period": (
        lambda p: rewrite(table(p, "activity"), lambda f: f[f["quarter"] >= "2024Q1"]),
        "no pre-period",
    ),
    "all at once": (
        lambda p: [
            rewrite(table(p, "enrolment"), lambda f: f.assign(enrolled_quarter="2023Q2")),
            rewrite(table(p, "lottery_rounds"), lambda f: f.assign(drawn="yes", lottery_round="2023Q2")
                    .drop_duplicates("practice_id")),
        ],
        "at once",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_DATA)
def test_bad_data_end_with_code_1_and_leave_no_report(project, capsys, case):
    spoil, said = BROKEN_DATA[case]
    spoil(project)
    code, message = fails(capsys, "evaluate", "small")
    assert code == 1, message
    assert said in message
    assert not (project / "reports" / "small" / "results.json").exists()


def test_no_message_holds_a_practice(project, capsys):
    practices = pd.read_csv(table(project, "practices"), sep=";", dtype=str)["practice_id"]
    for spoil, _ in BROKEN_DATA.values():
        shutil.rmtree(project / "raw")
        assert main(["simulate", "small"]) == 0
        spoil(project)
        _, message = fails(capsys, "check", "small")
        assert not any(practice in message for practice in practices)


WRONG_COMMANDS = {
    "unknown region": (lambda p: None, ["evaluate", "elsewhere"], "no file evaluation.yaml"),
    "no plain name": (lambda p: None, ["check", "../small"], "letters, digits"),
    "no extracts": (lambda p: shutil.rmtree(p / "raw"), ["evaluate", "small"], "mtvp init small"),
    "not embedded": (lambda p: None, ["simulate", "hadoks"], "hadoks"),
    "misspelt choice": (
        lambda p: question(p, lambda c: c["estimation"].update(estimater="lottery")),
        ["evaluate", "small"],
        "did you mean estimator?",
    ),
    "unknown outcome": (
        lambda p: question(p, lambda c: c["outcomes"].update(primary="consult_per_1000")),
        ["evaluate", "small"],
        "did you mean consults_per_1000?",
    ),
}


@pytest.mark.parametrize("case", WRONG_COMMANDS)
def test_wrong_commands_end_with_code_2(project, capsys, case):
    spoil, arguments, said = WRONG_COMMANDS[case]
    spoil(project)
    code, message = fails(capsys, *arguments)
    assert code == 2, message
    assert said in message


def test_one_practice_is_no_comparison(project, capsys):
    for name in ("practices", "applications", "lottery_rounds", "enrolment", "activity", "costs", "interventions"):
        if table(project, name).is_file():
            first = pd.read_csv(table(project, "practices"), sep=";", dtype=str)["practice_id"].iloc[0]
            if name != "practices":
                rewrite(table(project, name), lambda f, first=first: f[f["practice_id"] == first])
    rewrite(table(project, "practices"), lambda f: f.iloc[:1])
    code, message = fails(capsys, "evaluate", "small")
    assert code == 1, message
    assert "left to compare with" in message


def test_a_folder_that_cannot_be_written_is_named(project, capsys):
    shutil.rmtree(project / "reports" / "small")
    shutil.rmtree(project / "reports")
    (project / "reports").write_text("a file stands where the folder should be", encoding="utf-8")
    code, message = fails(capsys, "simulate", "small")
    assert code == 2, message
    assert "cannot be written" in message


def test_a_draw_that_breaks_the_cap_is_flagged_beside_the_headline(project, capsys):
    rounds = pd.read_csv(table(project, "lottery_rounds"), sep=";", dtype=str)
    first = rounds["lottery_round"].min()
    here = rounds["lottery_round"] == first
    one = rounds.loc[here & (rounds["drawn"] == "no"), "practice_id"].iloc[0]

    def let_in(frame):
        frame.loc[(frame["practice_id"] == one) & (frame["lottery_round"] == first), "drawn"] = "yes"
        return frame[(frame["practice_id"] != one) | (frame["lottery_round"] == first)]

    def started(frame):
        frame.loc[frame["practice_id"] == one, "enrolled_quarter"] = first
        return frame

    assert main(["evaluate", "small"]) == 0
    assert "[draw_record]" not in capsys.readouterr().out
    rewrite(table(project, "lottery_rounds"), let_in)
    rewrite(table(project, "enrolment"), started)
    assert main(["evaluate", "small"]) == 0
    shown = capsys.readouterr().out
    assert "the cap was broken  flagged" in shown
    assert "the declared rule could not have produced this record" in shown
    assert main(["check", "small"]) == 0
    checked = capsys.readouterr().out
    assert "draw: round 1: the cap of" in checked
    assert "The declared reading is NOT one of them. round 1: queue + skip" in checked


@pytest.mark.parametrize(("asked", "used"), [(None, "1"), ("2", "2")])
def test_a_command_computes_with_one_thread_unless_told_otherwise(asked, used):
    line = (
        "import os, sys; from mtvp_eval.cli import main; assert 'numpy' not in sys.modules; main([]); "
        "assert 'numpy' not in sys.modules; print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment |= {} if asked is None else {"OPENBLAS_NUM_THREADS": asked}
    done = subprocess.run([sys.executable, "-c", line], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == used
