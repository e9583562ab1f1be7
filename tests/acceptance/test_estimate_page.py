"""The specification printed in docs/estimate.md runs as it stands; enough units print the original's own error."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "estimate.md"


@pytest.fixture
def spec(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    rng = np.random.default_rng(1)
    rows = [
        {"practice": f"p{i:02d}", "quarter": q, "start": ["2023Q2", "2023Q3", None][i % 3], "consults": rng.normal()}
        for i in range(60)
        for q in ("2022Q4", "2023Q1", "2023Q2", "2023Q3")
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "panel.csv", index=False)
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_page_runs(spec, capsys):
    assert main(["estimate", str(spec)]) == 0
    assert "overall" in capsys.readouterr().out
    records = json.loads((spec.parent / "estimates.json").read_text(encoding="utf-8"))
    assert {r["estimand"] for r in records} == {"overall", "event_study", "cohort", "calendar", "att_gt"}
    assert all({"estimate", "std_error", "ci_low", "ci_high", "ci_method"} <= set(r) for r in records)


def test_a_wrong_key_names_the_nearest(spec, capsys):
    spec.write_text(spec.read_text(encoding="utf-8").replace("outcome:", "outcom:"), encoding="utf-8")
    assert main(["estimate", str(spec)]) == 2
    assert "did you mean outcome?" in capsys.readouterr().err


def test_enough_units_print_the_originals_error(shared_dir, tmp_path, capsys):
    data = pd.read_csv(shared_dir / "data" / "published" / "mpdta.csv").rename(columns={"first.treat": "first_treat"})
    data.to_csv(tmp_path / "mpdta.csv", index=False)
    (tmp_path / "s.yaml").write_text(
        "data: mpdta.csv\nunit: countyreal\nperiod: year\nentry: first_treat\noutcome: lemp\n"
        "estimator: callaway_santanna\nestimands: [overall]\ncomparison: never_enrolled\ncovariates: [lpop]\n",
        encoding="utf-8",
    )
    assert main(["estimate", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "o.json")]) == 0
    (found,) = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))
    recorded = json.loads((shared_dir / "reference" / "did" / "mpdta__did_att_gt.json").read_text(encoding="utf-8"))
    variants = recorded["variants"]
    listed = variants if isinstance(variants, list) else list(variants.values())
    label = "cg=nevertreated|x=~lpop|est=dr|base=varying|anticip=0"
    original = next(v for v in listed if v["label"] == label)["aggte"]["simple"]
    assert found["estimate"] == pytest.approx(original["overall_att"], rel=1e-8)  # tier of the reference README
    assert found["std_error"] == pytest.approx(original["overall_se"], rel=1e-6)


@pytest.mark.parametrize(
    ("estimator", "file", "label", "part"),
    [
        ("sun_abraham", "fixest", "sunab|cluster=countyreal", "agg_att"),
        ("twfe", "fixest", "TWFE static|cluster=countyreal", "coef"),
        ("imputation", "didimputation", "static|cluster=countyreal", "coef"),
        ("two_stage", "did2s", "static|cluster=countyreal", "coef"),
    ],
)
def test_other_methods_print_what_their_authors_code_prints(shared_dir, tmp_path, estimator, file, label, part):
    """A specification on a published file; 1e-6 is the tier of results that rest on fixest."""
    data = (shared_dir / "data" / "published" / "mpdta.csv").read_text(encoding="utf-8")
    (tmp_path / "mpdta.csv").write_text(data, encoding="utf-8")
    (tmp_path / "s.yaml").write_text(
        "data: mpdta.csv\nunit: countyreal\nperiod: year\nentry: first.treat\noutcome: lemp\n"
        f"estimator: {estimator}\nestimands: [overall, event_study]\n",
        encoding="utf-8",
    )
    assert main(["estimate", str(tmp_path / "s.yaml")]) == 0
    found = json.loads((tmp_path / "estimates.json").read_text(encoding="utf-8"))[0]
    listed = json.loads((shared_dir / "reference" / "did" / f"mpdta__{file}.json").read_text(encoding="utf-8"))
    variants = listed["variants"]
    every = variants if isinstance(variants, list) else variants.values()
    original = next(v for v in every if v["label"] == label)[part]
    error = original["std.error" if file == "didimputation" else "std_error"]
    assert found["estimate"] == pytest.approx(original["estimate"][0], rel=1e-6)
    assert found["std_error"] == pytest.approx(error[0], rel=1e-6)
