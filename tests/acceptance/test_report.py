"""A published report of the small region: made twice alike, verified, and every change caught."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mtvp_eval.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTVP_PROJECT", str(root))
        patch.setenv("PYTHONPATH", str(ROOT))  # the notebooks' kernels find the package of this checkout
        assert main(["simulate", "small"]) == 0
        assert main(["report", "small", "--jobs", "2"]) == 0
    return root


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(made, root)
    monkeypatch.setenv("MTVP_PROJECT", str(root))
    return root


def refused(capsys, *arguments):
    code = main(list(arguments))
    return code, capsys.readouterr().err


def test_the_report_is_complete_and_verifies(project, capsys):
    folder = project / "reports" / "small"
    expected = {"region_evaluation", "insurer_brief"}
    assert {p.stem for p in folder.glob("*.html")} == expected
    assert {p.stem for p in folder.glob("*.ipynb")} == expected
    assert (folder / "evaluation.yaml").is_file()
    assert main(["verify", "small"]) == 0
    assert "all within tolerance" in capsys.readouterr().out


def test_no_file_holds_a_practice(project):
    practices = pd.read_csv(project / "raw" / "small" / "practices.csv", sep=";", dtype=str)["practice_id"]
    for path in (project / "reports" / "small").iterdir():
        if path.suffix != ".xlsx":
            text = path.read_text(encoding="utf-8")
            assert not any(practice in text for practice in practices), path.name


def test_one_edited_number_is_caught(project, capsys):
    path = project / "reports" / "small" / "results.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    number = next(n for n in content["numbers"] if n["id"].startswith("headline/consults_per_1000"))
    number["value"] += 0.01
    path.write_text(json.dumps(content), encoding="utf-8")
    code, message = refused(capsys, "verify", "small")
    assert code == 1
    assert number["id"] in message


def test_one_edited_input_cell_is_caught(project, capsys):
    path = project / "raw" / "small" / "activity.csv"
    frame = pd.read_csv(path, sep=";", dtype=str, keep_default_na=False)
    row = frame.index[frame["quarter"] == "2023Q2"][0]
    frame.loc[row, "consults"] = str(int(frame.loc[row, "consults"]) + 50)
    frame.to_csv(path, sep=";", index=False)
    code, message = refused(capsys, "verify", "small")
    assert code == 1
    assert "raw/small/activity.csv" in message
    assert "headline/consults_per_1000" in message


def test_a_misspelt_region_or_a_broken_extract_leaves_the_old_report(project, capsys):
    before = {p.name: p.read_bytes() for p in (project / "reports" / "small").iterdir()}
    assert refused(capsys, "report", "smal")[0] == 2
    (project / "raw" / "small" / "activity.csv").write_text("practice_id;quarter\n", encoding="utf-8")
    assert refused(capsys, "report", "small")[0] == 1
    assert {p.name: p.read_bytes() for p in (project / "reports" / "small").iterdir()} == before
    assert {p.name for p in (project / "reports").iterdir()} == {"small"}
