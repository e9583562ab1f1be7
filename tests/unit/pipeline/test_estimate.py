"""`mtvp estimate`: settings read strictly, any table, every registered estimator, one record an estimand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import CommandError, DataError, DataWarning, EstimationError
from mtvp_eval.estimators.dcdh import dcdh
from mtvp_eval.estimators.method import Choices
from mtvp_eval.estimators.registry import METHODS, run
from mtvp_eval.pipeline.estimate import estimate, read_table
from tests.unit.estimators.made_panel import made_panel

SPEC = {
    "data": "table.csv", "unit": "gp", "period": "t", "entry": "start", "outcome": "y", "estimator": "imputation",
    "estimands": ["overall", "att_gt"],
}  # fmt: skip


def table():
    p = made_panel()
    n, T = p.n_units, p.n_periods
    return pd.DataFrame({
        "gp": np.repeat(p.unit_ids, T), "t": np.tile(p.clock, n), "y": p.outcomes["y"].ravel(),
        "start": np.repeat(np.where(p.entry > 99, 0, p.entry), T), "x": np.repeat(p.baseline["x"], T),
        "size": np.repeat(np.round(p.weight), T), "visits": np.round(np.exp(3 + 0.1 * p.outcomes["y"].ravel())),
        "area": np.repeat([f"a{i % 8}" for i in range(n)], T),
    })  # fmt: skip


def ask(folder, frame=None, **changes):
    (table() if frame is None else frame).to_csv(folder / "table.csv", index=False)
    spec = {k: v for k, v in {**SPEC, **changes}.items() if v != "absent"}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    printed = estimate(folder / "spec.yaml")
    return printed, json.loads((folder / "estimates.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "name", [name for name, m in METHODS.items() if not name.startswith("synthetic") and "undrawn" not in m.refuses]
)
def test_every_estimator_prints_and_writes(tmp_path, name):
    outcome = "visits" if METHODS[name].counts else "y"
    printed, records = ask(tmp_path, estimator=name, estimands=sorted(METHODS[name].estimands), outcome=outcome)
    assert {r["estimand"] for r in records} == METHODS[name].estimands
    for r in records:
        assert r["ci_low"] < r["estimate"] < r["ci_high"]
        assert r["std_error"] > 0
        assert r["ci_method"]
        assert r["estimand"] != "att_gt" or {"cohort", "period", "event_time"} <= set(r)
        assert r["estimand"] != "cohort" or r["cohort"] in (3, 5)
    assert "15 of 36 units read as not enrolled" in printed
    assert not list(tmp_path.glob("*.part"))


def test_all_of_a_full_settings_file_is_read(tmp_path):
    full = {
        "estimator": "callaway_santanna", "comparison": "never_enrolled", "covariates": ["x"], "method": "reg",
        "base_period": "universal", "anticipation": 0, "weight": "size", "exposure": None, "cluster": "area",
        "level": 0.9, "outcome": ["y", "visits"],
    }  # fmt: skip
    _, records = ask(tmp_path, **full)
    assert {r["outcome"] for r in records} == {"y", "visits"}
    assert {r["level"] for r in records} == {0.9}
    assert {r["weighting"] for r in records} == {"patient"}
    assert all("clustered" in r["ci_method"] for r in records)
    _, plain = ask(tmp_path, **{**full, "level": 0.95})
    assert plain[0]["ci_high"] - plain[0]["ci_low"] > records[0]["ci_high"] - records[0]["ci_low"]


def test_output_can_go_elsewhere(tmp_path):
    ask(tmp_path)
    (tmp_path / "there").mkdir()
    estimate(tmp_path / "spec.yaml", tmp_path / "there" / "mine.json")
    assert json.loads((tmp_path / "there" / "mine.json").read_text()) == json.loads(
        (tmp_path / "estimates.json").read_text()
    )


@pytest.mark.parametrize("exposure", [None, "size"])
def test_counts_take_an_exposure(tmp_path, exposure):
    _, records = ask(tmp_path, estimator="etwfe_poisson", outcome="visits", exposure=exposure, estimands=["overall"])
    assert records[0]["unit"] == "rate ratio - 1"
    assert records[0]["weighting"] == ("patient" if exposure else "practice")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"estimator": "imputatoin"}, ["did you mean imputation"]),
        ({"estimand": ["overall"]}, ["unknown key estimand", "did you mean estimands"]),
        ({"unit": "absent", "entry": "absent"}, ["unit is required", "entry is required"]),
        ({"estimands": ["overal"], "level": 2}, ["did you mean overall", "level must lie"]),
        ({"comparison": "never"}, ["comparison is never"]),
        ({"data": "table.sav"}, ["CSV, CSV.GZ, XLSX or Parquet"]),
        ({"data": "tables.csv"}, ["There is no file tables.csv"]),
        ({"estimator": "stacked", "estimands": ["event_study"], "covariates": ["x"]}, ["takes no covariates"]),
        ({"comparison": "never_enrolled"}, ["cannot compare with the never-enrolled only"]),
        ({"method": "ipw"}, ["method is a choice of callaway_santanna"]),
        ({"exposure": "size"}, ["takes no exposure"]),
        ({"estimator": "twfe", "estimands": ["cohort"]}, ["does not estimate cohort"]),
    ],
)
def test_a_wrong_question_is_refused_before_anything_is_written(tmp_path, changes, words):
    with pytest.raises(CommandError) as error:
        ask(tmp_path, **changes)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert error.value.exit_code == 2
    assert not (tmp_path / "estimates.json").exists()


def test_a_missing_column_names_the_nearest(tmp_path):
    with pytest.raises(DataError, match="did you mean start"):
        ask(tmp_path, entry="strat")


def test_quarters_may_be_dates_or_labels_and_the_file_a_workbook(tmp_path):
    frame = table()
    quarter = pd.period_range("2021Q1", periods=7, freq="Q")
    start = frame.start.where(frame.start > 0)
    labels = frame.assign(
        t=[str(quarter[i - 1]) for i in frame.t], start=[str(quarter[int(s) - 1]) if s == s else None for s in start]
    )
    _, numbers = ask(tmp_path)
    _, words = ask(tmp_path, labels)
    dates = labels.assign(
        t=[q.start_time.date() for q in quarter[frame.t - 1]],
        start=[quarter[int(s) - 1].start_time.date() if s == s else None for s in start],
    )
    _, days = ask(tmp_path, dates)
    labels.to_excel(tmp_path / "table.xlsx", index=False)
    _, sheet = ask(tmp_path, data="table.xlsx")
    for other in (words, days, sheet):
        # 1e-12: a workbook keeps 15 digits
        assert [r["estimate"] for r in other] == pytest.approx([r["estimate"] for r in numbers], rel=1e-12)
        assert other[1]["cohort"] == "2021Q3"


def test_files_that_are_not_what_they_say(tmp_path):
    (tmp_path / "a.xlsx").write_text("no workbook")
    with pytest.raises(DataError, match="cannot be read as XLSX"):
        read_table(tmp_path / "a.xlsx")
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_table(tmp_path / "a.csv")


def test_parquet_is_read_or_its_missing_package_named(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises((CommandError, DataError), match=r"pyarrow|cannot be read"):
        read_table(tmp_path / "a.parquet")


def test_a_cohort_of_one_prints_an_estimate_and_why_it_has_no_error(tmp_path):
    frame = table()
    frame = frame[~frame.gp.isin([f"u{i}" for i in range(1, 12)])]
    printed, records = ask(tmp_path, frame)
    alone = [r for r in records if r.get("cohort") == 3]
    assert all(r["std_error"] is None and "one unit" in r["note"] for r in alone)
    assert "one unit" in printed


def test_units_that_stop_are_followed_by_dcdh_and_by_no_other(tmp_path):
    frame = table()
    frame["stop"] = np.where((frame.start == 3) & (frame.gp.str[1:].astype(int) % 2 == 0), 6, 0)
    _, with_end = ask(tmp_path, frame, estimator="dcdh", estimands=["overall", "event_study"], ended="stop")
    with pytest.warns(DataWarning, match="15 of 36 units read as not enrolled"):
        panel = Panel.from_frame(frame, "gp", "t", "start", "y", ended="stop")
    design = StaggeredDesign.from_panel(panel)
    stop = np.where((panel.entry == 3) & (np.arange(panel.n_units) % 2 == 0), 6, NEVER)
    assert np.array_equal(panel.ended, stop)
    direct = dcdh(replace(panel, ended=None), design, "y", ended=stop)
    told = {k.event_time: v for k, v in zip(direct.index, direct.estimate, strict=True) if k.estimand == "event_study"}
    assert {r["event_time"]: r["estimate"] for r in with_end if r["estimand"] == "event_study"} == told
    assert with_end[0]["estimate"] == direct.select(estimand="overall").estimate[0]
    printed, without = ask(tmp_path, frame, estimator="dcdh", estimands=["overall"])
    assert with_end[0]["estimate"] != pytest.approx(without[0]["estimate"], rel=1e-3)
    assert "Descriptive" not in printed
    assert (
        "Descriptive, never headline" in ask(tmp_path, frame, estimator="dcdh", estimands=["overall"], ended="stop")[0]
    )
    with pytest.raises(CommandError, match="ended is for dcdh, which follows units that stop; imputation holds"):
        ask(tmp_path, frame, ended="stop")


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (lambda d: np.where(d.start == 3, 3, 0), "12 units end before they enter, in the same period"),
        (lambda d: np.where(d.start == 0, 4, 0), "15 units end .* without having entered"),
        (lambda d: np.where((d.start == 3) & (d.t > 4), 6, 0), "stop changes within 12 units"),
    ],
)
def test_an_end_without_an_entry_before_it_is_refused(tmp_path, stop, words):
    frame = table().assign(stop=stop)
    with pytest.raises(DataError, match=words):
        ask(tmp_path, frame, estimator="dcdh", estimands=["overall"], ended="stop")


def test_a_covariate_that_changes_over_time_is_used_as_such_or_refused(tmp_path):
    frame = table()
    frame["z"] = np.random.default_rng(3).normal(size=len(frame)) + 0.1 * frame.t * frame.x
    _, records = ask(tmp_path, frame, estimator="callaway_santanna", estimands=["overall"], covariates=["x", "z"])
    with pytest.warns(DataWarning):
        panel = Panel.from_frame(frame, "gp", "t", "start", ["y", "z"], baseline=["x"])
    direct = run(
        "callaway_santanna", panel, StaggeredDesign.from_panel(panel), "y", ["overall"], Choices(covariates=("x", "z"))
    )
    assert records[0]["estimate"] == direct.estimate[0]
    with pytest.raises(EstimationError, match="z change over time, and this method takes"):
        ask(tmp_path, frame, estimator="etwfe", estimands=["overall"], covariates=["z"])
    with pytest.warns(DataWarning, match="z changes within 36 units, and their first value counts"):
        Panel.from_frame(frame, "gp", "t", "start", "y", baseline=["z"])
