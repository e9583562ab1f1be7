"""From yearly claims files to the published report, on an invented replica and on the real files."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.errors import CommandError, DataError, EstimationError, VerificationError
from mtvp_eval.pipeline.handed import handed_to_kernels
from mtvp_eval.pipeline.open_data_inputs import open_data_inputs
from mtvp_eval.pipeline.publish_open_data import open_data, verify_open_data
from mtvp_eval.report.html_check import problems
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.open_data.page import OpenDataPage
from mtvp_eval.report.open_data.sentences import SENTENCES
from mtvp_eval.report.results import published_numbers
from tests.unit.data.open_data.replica import QUESTION, write_question, write_replica

ROOT = Path(__file__).resolve().parents[2]
CODES = ROOT / "data_dictionary" / "codes"
SMALL = {
    "[hospital, pharmacy, mental_health, district_nursing]": "[hospital, district_nursing]",
    "[gp_registration, gp_consult, gp_chain, gp_other]": "[gp_consult, gp_chain]",
    "region: corop": "region: none",
    "  urban: {covariates: [log_insured, share_65, level_total, log_address_density, non_western_share]}\n": "",
    "  direct_standardisation: {direct: true}\n": "",
    "  no_covariates: {covariates: []}\n": "",
    "  deprivation: {covariates: [log_insured, share_65, level_total, assistance_share]}\n": "",
    (
        "  deprivation_strata: {covariates: [log_insured, share_65, level_total, assistance_middle, assistance_high]}\n"
    ): "",
}
EFFECT = {"deventer": -0.10, "terneuzen": -0.15}


def ask(project: Path, replaced: dict[str, str]) -> None:
    write_question(project / "reports" / "open_data", replaced)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("public") / "vektis"
    folder.mkdir()
    write_replica(folder, CODES, comparison=50, effect=EFFECT)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with the small question."""
    monkeypatch.setenv("MTVP_PROJECT", str(tmp_path))
    monkeypatch.delenv("MTVP_DATA", raising=False)
    ask(tmp_path, SMALL)
    return tmp_path


@pytest.fixture(scope="module")
def inputs(files: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenDataInputs:
    folder = tmp_path_factory.mktemp("project")
    ask(folder, SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTVP_PROJECT", str(folder))
        return open_data_inputs(files)


def notebook_cells() -> list[str]:
    notebook = json.loads((ROOT / "notebooks" / "open_data_projects.ipynb").read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [source for source in code if source.startswith("page.")]


@pytest.mark.parametrize("language", ["en", "nl"])
def test_every_cell_of_the_notebook_shows_something_readable(inputs, language):
    # the replica has no mental health and one GP column: those cells are about the declared question
    cells = [c for c in notebook_cells() if not any(w in c for w in ("mental", "pharmacy", "gp_registration"))]
    page = OpenDataPage(inputs, language)
    shown = [eval(source, {"page": page}) for source in cells]
    html = "\n".join(part._repr_html_() for part in shown)
    assert problems(f'<html lang="{language}"><title>t</title>{html}</html>') == ()
    text = "\n".join(repr(part) for part in shown)
    assert "Vektis" in text
    assert "CBS" in text
    assert "nan" not in text
    assert "{" not in text


def test_sentences_follow_the_numbers(inputs):
    row = inputs.row("all", inputs.primary)
    said = " ".join(SENTENCES["decision"](inputs, "nl"))
    number = f"{abs(row.per_cent):.1f}".replace(".", ",")
    assert number in said
    assert ("niet aangetoond" in said) == (row.ci_low <= 0 <= row.ci_high)
    clear = inputs.overall(*inputs.outcomes)
    clear = clear[(clear["kind"] == "project") & (clear["p_value"] <= 0.05)]
    findings = SENTENCES["findings"](inputs, "en")
    assert f"{len(clear)} lie outside" in findings[0]
    # a set is named only where its interval on another outcome excludes zero as well
    assert len(findings) >= 1 + len(clear)


def test_no_gp_column_is_called_an_effect(inputs):
    for name in ("decision", "findings", "detectable", "conclusion", "exposed"):
        assert "GP" not in " ".join(SENTENCES[name](inputs, "en")), name
    for table in ("effects", "exposed", "partial", "event_study"):
        assert not OpenDataPage(inputs, "en").table(table).frame["outcome"].str.startswith("gp_").any(), table


def test_published_numbers_have_one_name_each_and_the_manifest_names_no_place(inputs, files):
    ids = [number.id for number in published_numbers(inputs)]
    assert len(ids) == len(set(ids)) > 1000
    names = list(inputs.manifest["inputs"])
    assert "raw/vektis/vektis_2011_gemeente.csv.gz" in names
    assert not any("2023" in name for name in names)  # outside the window, so not read
    assert not any(str(files.parent) in name for name in names)


def test_known_effects_stand_in_the_table(inputs):
    frame = OpenDataPage(inputs, "en").table("effects", outcome="hospital").frame.set_index("project")
    for name, truth in EFFECT.items():
        low, high = frame.loc[name, ["ci_low", "ci_high"]]
        assert low < 100 * np.expm1(truth) < high
        assert high < 0


def test_other_estimators_stand_beside_the_declared_one(inputs):
    frame = OpenDataPage(inputs, "en").table("methods").frame.set_index("project")
    projects = frame.drop(index=list(inputs.pooled))
    # one cohort against the never exposed: the saturated regression is outcome regression, by another route
    assert np.abs(projects["etwfe"] - projects["declared"]).max() < 1e-6
    # local projections learn the slopes from exposed and untouched together: the same with one exposed municipality
    alone = ["kb_utrecht", "terneuzen", "munstergeleen", "afferden"]
    assert np.abs(projects["local_projections"] - projects["declared"])[alone].max() < 1e-6
    assert np.abs(frame["two_stage"] - frame["imputation"]).max() < 1e-6  # the same untreated path
    assert frame.loc["all", "imputation"] != pytest.approx(frame.loc["all", "declared"], abs=1e-3)
    assert (
        frame.loc[list(inputs.pooled), ["local_projections", "stacked", "synthetic_control", "synthetic_did"]]
        .isna()
        .all(axis=None)
    )
    assert frame["stacked"].notna().sum() == len(projects)


def test_a_synthetic_comparison_stands_with_its_diagnostics_or_its_refusal(inputs):
    page = OpenDataPage(inputs, "en")
    made, refused = page.table("synthetic").frame, page.table("synthetic_refused").frame
    assert len(made) + len(refused) == len(inputs.frames["synthetic"])
    shown = ["p_value", "pre_rmspe", "placebo_rmspe", "largest", "effective_donors", "without_low", "without_high"]
    assert made[shown].notna().all(axis=None)
    assert (made["clean_years"] >= 5).all()
    assert refused["reason_text"].str.len().min() > 10
    did = page.table("synthetic_did").frame
    assert set(did.loc[did["refused"] == "", "project"]) == set(made["project"])
    assert (did["refused"].isin(["", "not_unique", "no_fit"])).all()
    said = SENTENCES["synthetic"](inputs, "en")[-1]
    outside = ((did["did_estimate"] < did["ci_low"]) | (did["did_estimate"] > did["ci_high"])).sum()
    assert f"can be made for {len(did)}, since its weights are unique" in said
    assert f"declared effect: {outside} of them" in said


def test_the_size_of_the_test_is_said_with_its_error(inputs):
    page = OpenDataPage(inputs, "en")
    frame = page.primary_table("placebo_size").frame.set_index("project")
    row = frame.loc["together"]
    assert row["trials"] == frame["trials"].drop("together").sum()
    said = SENTENCES["placebo"](inputs, "en")[0]
    assert f"{row['found']:.1f}% so (Monte Carlo error {row['error']:.1f} points)" in said
    assert ("within twice its error" in said) == (abs(row["found"] - 5) <= 2 * row["error"])


def test_bounds_on_trends_stand_for_every_sector(inputs):
    table = OpenDataPage(inputs, "en").table("robust_sectors")
    frame = table.frame.set_index(["project", "outcome"])
    assert set(frame.index.get_level_values("outcome")) == {"hospital", "district_nursing"}
    own = frame.loc["deventer", "hospital"]  # the effect put into the replica
    assert own["high0"] < 0 < own["breakdown"]
    zero_inside = (frame["low0"] <= 0) & (frame["high0"] >= 0)
    assert frame.loc[zero_inside, "breakdown"].isna().all()
    said = SENTENCES["robust"](inputs, "en")
    kept = [s for s in said if s.startswith("Deventer, Hospital care: the interval excludes zero")]
    assert len(kept) == 1


def test_euros_stand_beside_what_would_have_been_needed(inputs):
    page = OpenDataPage(inputs, "nl")
    table = page.primary_table("euros")
    assert "2022" in table.title
    frame = table.frame.set_index("project")
    assert (frame["needed_low"] <= frame["needed_high"]).all()
    assert (frame["saving_low"] < frame["saving"]).all()
    said = " ".join(SENTENCES["euros"](inputs, "nl"))
    assert "11,52" in said
    assert "11,10" in said  # the same fee in euros of 2022


def test_all_that_is_missing_is_said_at_once(project, files, tmp_path):
    broken = tmp_path / "broken" / "vektis"
    shutil.copytree(files, broken)
    (broken / "vektis_2014_gemeente.csv.gz").unlink()
    for year in (2016, 2017):
        path = broken / f"vektis_{year}_gemeente.csv.gz"
        text = gzip.decompress(path.read_bytes()).decode()
        path.write_bytes(gzip.compress(text.replace("KOSTEN_FARMACIE", "KOSTEN_X", 1).encode()))
    with pytest.raises(DataError) as refused:
        open_data_inputs(broken)
    said = str(refused.value)
    assert "no municipality file for 2014" in said
    assert "2016: missing column(s) kosten_farmacie" in said
    assert "2017: missing column(s) kosten_farmacie" in said
    assert "vektis.nl" in said
    assert refused.value.exit_code == 1


def test_no_folder_no_cbs_and_a_misspelt_question_end_in_two(project, files):
    with pytest.raises(CommandError, match="raw/vektis"):
        open_data_inputs()
    ask(project, {**SMALL, "region: corop": "region: province"})
    with pytest.raises(CommandError, match="70072NED and 82949NED") as refused:
        open_data_inputs(files)
    assert "placebo.region to none" in str(refused.value)
    ask(project, {**SMALL, "  candidates: 300": "  candidate: 300"})
    with pytest.raises(CommandError, match="candidate"):
        open_data_inputs(files)


def test_a_damaged_or_doubled_cbs_table_is_named(project, files, tmp_path):
    ask(project, {**SMALL, "region: corop": "region: province"})
    folder = tmp_path / "both"
    (folder / "cbs").mkdir(parents=True)
    (folder / "vektis").symlink_to(files)
    (folder / "cbs" / "70072ned_2015.csv.gz").write_text("no gzip")
    for name in ("82949NED_a.csv", "82949NED_b.csv"):
        (folder / "cbs" / name).write_text("RegioS;Naam_1\n1;2\n")
    with pytest.raises(DataError, match=r"2 files of CBS table 82949NED \(82949NED_a.csv, 82949NED_b.csv\); keep one"):
        open_data_inputs(folder)
    (folder / "cbs" / "82949NED_b.csv").unlink()
    with pytest.raises(DataError, match=r"70072NED: 70072ned_2015\.csv\.gz cannot be read"):
        open_data_inputs(folder)
    (folder / "cbs" / "70072ned_2015.csv.gz").write_bytes(gzip.compress(b"RegioS;TotaleBevolking_1\n1;2\n"))
    with pytest.raises(DataError, match="82949NED lacks the column Naam_2"):
        open_data_inputs(folder)


def test_a_project_without_a_question_gets_that_of_the_package(tmp_path, monkeypatch):
    monkeypatch.setenv("MTVP_PROJECT", str(tmp_path))
    monkeypatch.delenv("MTVP_DATA", raising=False)
    with pytest.raises(CommandError, match="raw/vektis"):
        list(open_data())
    assert (tmp_path / "reports" / "open_data" / "evaluation.yaml").read_bytes() == QUESTION.read_bytes()


def test_a_window_without_any_start_is_refused(project, files):
    changes = {"last_year: 2022  ": "last_year: 2014  ", "  before_covid: {last_year: 2019}\n": ""}
    changes["  to_2021: {last_year: 2021}"] = ""
    ask(project, {**SMALL, **changes})
    with pytest.raises(CommandError, match="district_nursing, gp_chain is not published"):
        open_data_inputs(files)
    shorter = {key: value.replace(", district_nursing", "").replace(", gp_chain", "") for key, value in SMALL.items()}
    ask(project, {**shorter, **changes})
    with pytest.raises(EstimationError, match="No project can be estimated"):
        open_data_inputs(files)


def test_a_notebook_takes_the_answer_of_the_command_only_if_all_it_follows_from_is_the_same(
    project, files, tmp_path, monkeypatch
):
    raw = tmp_path / "vektis"
    shutil.copytree(files, raw)
    answer = open_data_inputs(raw)

    def computing(*_):
        raise EstimationError("computed anew")

    monkeypatch.setattr("mtvp_eval.pipeline.open_data_inputs.prepare_open_data", computing)
    with handed_to_kernels(answer):
        handed = open_data_inputs(raw)
        assert handed is not answer
        assert published_numbers(handed) == published_numbers(answer)
        for name, frame in answer.frames.items():
            pd.testing.assert_frame_equal(handed.frames[name], frame)
        file = raw / "vektis_2014_gemeente.csv.gz"
        as_published = file.read_bytes()
        file.write_bytes(gzip.compress(gzip.decompress(as_published), mtime=1))  # the same content, another file
        with pytest.raises(EstimationError, match="anew"):
            open_data_inputs(raw)
        file.write_bytes(as_published)
        with monkeypatch.context() as patch:
            patch.setattr("mtvp_eval.provenance.platform.python_version", lambda: "another")
            with pytest.raises(EstimationError, match="anew"):
                open_data_inputs(raw)
        ask(project, {**SMALL, "seed: 20211101": "seed: 20211102"})
        with pytest.raises(EstimationError, match="anew"):
            open_data_inputs(raw)
        ask(project, SMALL)
        assert open_data_inputs(raw).manifest == answer.manifest
    with pytest.raises(EstimationError, match="anew"):
        open_data_inputs(raw)


@pytest.mark.slow
def test_report_is_published_byte_for_byte_twice_and_verified(project, files):
    # all outcomes, since the cells of the notebook are about the declared question
    ask(project, {key: value for key, value in SMALL.items() if "region" in key or value == ""})
    assert "open_data_projects_nl.html" in " ".join(open_data(files))
    folder = project / "reports" / "open_data"
    made = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}
    assert {"open_data_projects.html", "tables.xlsx", "results.json", "manifest.json"} <= set(made)
    for name in ("open_data_projects.html", "open_data_projects_nl.html"):
        assert problems(made[name].decode()) == ()
        assert b"Bron: Vektis" in made[name]
    list(open_data(files))
    assert made == {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}
    assert "all within tolerance" in verify_open_data(files)
    content = json.loads(made["results.json"])
    content["numbers"][100]["value"] += 0.01
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(VerificationError, match=content["numbers"][100]["id"]):
        verify_open_data(files)


@pytest.mark.shared
def test_published_headline_by_brute_force_on_the_raw_files(shared_dir):
    """Total cost: pandas and least squares from the raw files to the published effects, pooled set included."""
    ratio, insured, share_65 = raw_log_ratios(shared_dir / "data" / "vektis")
    published = {
        n["id"]: n["value"]
        for n in json.loads((ROOT / "reports" / "open_data" / "results.json").read_text(encoding="utf-8"))["numbers"]
    }
    places = pd.read_csv(CODES / "open_data" / "open_data_municipalities.csv", sep=";", dtype=str)
    projects = pd.read_csv(CODES / "open_data" / "open_data_projects.csv", sep=";").set_index("project")
    growth = np.log(insured).diff(axis=1).iloc[:, 1:]
    jumped = (growth - growth.median()).abs().max(axis=1) > 0.06
    never = ~ratio.index.isin(places["municipality"]) & ~jumped.reindex(ratio.index).to_numpy()
    level = ratio[[2011, 2012, 2013]].mean(axis=1)
    X = np.column_stack([np.ones(len(ratio)), np.log(insured[2013]), share_65, level])
    w = insured[2013].to_numpy()
    estimate, size = {}, {}
    for name, project in projects.iterrows():
        mine = places[(places["project"] == name) & (places["status"] == "exposed")]["municipality"]
        treated = ratio.index.isin(mine)
        first, last = int(project["first_full_year"]), int(np.fmin(project["last_full_year"], 2022))
        change = (ratio[list(range(first, last + 1))].mean(axis=1) - ratio[first - 2]).to_numpy()
        root = np.sqrt(w[never])
        beta = np.linalg.lstsq(X[never] * root[:, None], change[never] * root, rcond=None)[0]
        estimate[name] = np.average(change[treated] - X[treated] @ beta, weights=w[treated])
        size[name] = w[treated].sum() * (last - first + 1)
        # 1e-8: both solve the same least squares, by other routes
        expected = 100 * np.expm1(estimate[name])
        assert published[f"effects/{name}.total_comparable/per_cent"] == pytest.approx(expected, abs=1e-8), name
    members = [name for name in estimate if name != "afferden"]
    pooled = np.average([estimate[m] for m in members], weights=[size[m] for m in members])
    assert published["effects/all.total_comparable/per_cent"] == pytest.approx(100 * np.expm1(pooled), abs=1e-8)


def raw_log_ratios(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Log observed over expected total cost by municipality and year, insured years, share aged 65 in 2013."""
    codes = pd.read_csv(CODES / "open_data" / "vektis_divisions.csv", sep=";", dtype=str)
    unit_of = dict(zip(codes["municipality"], codes["unit"], strict=True))
    touched = set(pd.read_csv(CODES / "open_data" / "open_data_municipalities.csv", sep=";")["municipality"])
    sectors = pd.read_csv(CODES / "open_data" / "vektis_sectors.csv", sep=";")
    cell, ratio, insured, share = ["geslacht", "leeftijdsklasse"], {}, {}, pd.Series(dtype=float)
    for year in range(2011, 2023):
        raw = pd.read_csv(folder / f"vektis_{year}_gemeente.csv.gz", sep=";")
        raw.columns = raw.columns.str.lower()
        raw = raw.dropna(subset=["gemeentenaam"])
        name = raw["gemeentenaam"].str.normalize("NFKD").str.encode("ascii", "ignore").str.decode("ascii")
        name = name.str.replace(r"[-'`().,]", " ", regex=True).str.upper().str.split().str.join(" ")
        raw["unit"] = name.map(unit_of).fillna(name)
        shown = sectors[(sectors["first_year"] <= year) & (year <= sectors["last_year"])]
        shown = shown[shown["in_total"] == "yes"]
        raw["cost"] = raw[shown["column"]].sum(axis=1)
        raw["insured"] = raw["aantal_verzekerdejaren"]
        rates = raw[~raw["unit"].isin(touched)].groupby(cell)[["cost", "insured"]].sum()
        raw = raw.join((rates["cost"] / rates["insured"]).rename("rate"), on=cell)
        raw["expected"] = raw["rate"] * raw["insured"]
        sums = raw.groupby("unit")[["cost", "expected", "insured"]].sum()
        ratio[year], insured[year] = np.log(sums["cost"] / sums["expected"]), sums["insured"]
        if year == 2013:
            age = raw["leeftijdsklasse"].str.extract(r"(\d+)")[0].astype(int)
            share = raw[age >= 65].groupby("unit")["insured"].sum() / sums["insured"]
    return pd.DataFrame(ratio), pd.DataFrame(insured), share
