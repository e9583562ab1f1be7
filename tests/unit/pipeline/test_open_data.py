"""The open-data question on an invented replica whose effects are known, and on the real files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.data.open_data.cbs import read_cbs
from mtvp_eval.errors import CommandError, DataError
from mtvp_eval.inference.placebo import group_contrasts, nearest_in_size, noise_scale, placebo_groups, rank_test
from mtvp_eval.pipeline.open_data import (
    changed,
    evaluate_open_data,
    prepare_open_data,
    sensitivities,
)
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_exposed import share_of, years_averaged
from mtvp_eval.pipeline.open_data_frames import open_data_frames
from mtvp_eval.pipeline.open_data_results import Gap, OpenData, OpenDataEvaluation
from tests.unit.data.open_data.replica import QUESTION, write_question, write_replica

ROOT = Path(__file__).resolve().parents[3]
CODES = ROOT / "data_dictionary" / "codes"
EFFECT = {"deventer": -0.10, "terneuzen": -0.15, "gorinchem": 0.08}


def question(folder: Path, replaced: dict[str, str]) -> OpenDataConfig:
    return OpenDataConfig.read(write_question(folder, replaced))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> OpenDataConfig:
    """The declared question with two outcomes and no regions (the replica has none)."""
    folder = tmp_path_factory.mktemp("question")
    return question(
        folder,
        {
            "[hospital, pharmacy, mental_health, district_nursing]": "[hospital]",
            "[gp_registration, gp_consult, gp_chain, gp_other]": "[gp_chain]",
            "region: corop": "region: none",
        },
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, small: OpenDataConfig) -> OpenData:
    folder = tmp_path_factory.mktemp("vektis")
    write_replica(folder, CODES, comparison=60, effect=EFFECT)
    return prepare_open_data(small, folder, CODES)


@pytest.fixture(scope="module")
def answer(small: OpenDataConfig, data: OpenData) -> OpenDataEvaluation:
    return evaluate_open_data(small, data)


def overall(answer: OpenDataEvaluation, outcome: str) -> dict[str, object]:
    rows = (*answer.projects, *answer.pooled)
    return {r.project: r for r in rows if r.outcome == outcome and r.event_time is None}


def test_known_effects_are_found_and_nulls_are_not(answer):
    found = overall(answer, "hospital")
    for name, row in found.items():
        if name in ("all", "without_large_cities", "regional"):
            continue
        truth = EFFECT.get(name, 0.0)
        assert row.estimate == pytest.approx(truth, abs=4 * row.test.scale), name  # four standard deviations
        assert row.test.low <= row.estimate <= row.test.high
    for name in EFFECT:
        assert found[name].test.p_value <= 0.05, name


def test_placebo_estimate_is_the_estimators_own(answer):
    rows = [r for r in answer.projects if r.test is not None]
    assert len(rows) > 100
    for row in rows:
        # one contrast of periods for each unit against cell by cell: the same numbers but for rounding
        assert row.test.estimate == pytest.approx(row.estimate, abs=1e-10)


def test_pooled_estimate_is_the_estimators_overall_mean(answer):
    for (name, outcome), effects in answer.effects.items():
        if name in answer.config.pooled:
            pooled = overall(answer, outcome)[name]
            # weights insured years times full years are the estimator's cell sizes; same comparison units in all cells
            assert pooled.estimate == pytest.approx(float(effects.select(estimand="overall").estimate[0]), abs=1e-10)


def test_a_sector_published_too_late_is_said_not_estimated(answer):
    row = overall(answer, "gp_chain")["kb_utrecht"]
    assert np.isnan(row.estimate)
    assert row.test is None
    assert row.gap == Gap("published_from", 2015)
    assert "kb_utrecht" in overall(answer, "gp_chain")["all"].missing


def test_the_part_year_and_the_base_are_no_effect_years(answer):
    times = [r.event_time for r in answer.projects if r.project == "deventer" and r.outcome == "hospital"]
    assert times[0] is None
    assert -2 not in times
    assert max(t for t in times if t is not None) == 2022 - 2020


def test_breaks_between_base_and_year_are_flagged(answer):
    rows = [r for r in answer.projects if r.project == "kb_utrecht" and r.outcome == "hospital"]
    whole = next(r for r in rows if r.event_time is None)
    assert {b.year for b in whole.breaks} == {2015, 2020, 2021}
    assert next(r for r in rows if r.event_time == -1).breaks == ()


def test_a_project_that_stopped_is_never_pooled_and_followed_to_its_end(answer):
    assert all("afferden" not in members for members in answer.config.pooled.values())
    times = [r.event_time for r in answer.projects if r.project == "afferden" and r.outcome == "hospital"]
    assert max(t for t in times if t is not None) == 2021 - 2016


def test_no_effect_per_exposed_patient_where_none_could_be_seen(answer):
    limit = answer.config.exposure.largest_detectable
    for row in answer.exposed:
        assert (row.ratio is None) == (row.detectable[1] > limit)
        assert row.share.low <= row.share.mean <= row.share.high
        if row.ratio is not None:
            effect = next(r for r in (*answer.projects, *answer.pooled) if r.project == row.project
                          and r.outcome == row.outcome and r.event_time is None)  # fmt: skip
            assert row.ratio.estimate == pytest.approx(np.expm1(effect.estimate) / row.share.mean, rel=1e-12)


def test_the_share_of_a_set_is_a_ratio_of_sums(small, data):
    members = [p for p in data.projects if p.name in small.pooled["regional"]]
    exposed = person_years = 0.0
    for project in members:
        years = years_averaged(small, data, project)
        at = np.isin(data.costs.unit_ids, project.exposed)
        frozen = float(data.costs.insured_years[at, data.costs.years.index(2013)].sum()) * len(years)
        exposed += frozen * share_of(small, data, [project]).mean
        person_years += frozen
    assert share_of(small, data, members).mean == pytest.approx(exposed / person_years, rel=1e-12)


def test_sensitivities_change_one_choice(small, data):
    question, other = changed(small, data, small.sensitivity["alternative_start"])
    assert question.estimation == small.estimation
    assert (other.exposed.entry != data.exposed.entry).any()
    question, other = changed(small, data, small.sensitivity["before_covid"])
    assert other.panel.periods[-1] == "2019"
    rows = overall(evaluate_open_data(question, other, path=False), "hospital")
    assert rows["deventer"].gap == Gap("observed_to", 2019)
    question, other = changed(small, data, small.sensitivity["no_covariates"])
    assert question.estimation.covariates == ()
    question, other = changed(small, data, small.sensitivity["direct_standardisation"])
    gap = other.panel.outcomes["hospital"] - data.panel.outcomes["hospital"]
    assert np.abs(gap - gap.mean(axis=0)).max() < 0.2  # the same places on another scale


def test_the_same_question_gives_the_same_answer(small, data, answer):
    again = evaluate_open_data(small, data)
    assert [(r.estimate, r.test and r.test.p_value) for r in again.pooled] == [
        (r.estimate, r.test and r.test.p_value) for r in answer.pooled
    ]


def test_frames_hold_every_number_once(small, data, answer):
    other = sensitivities(replace(small, sensitivity={"no_covariates": small.sensitivity["no_covariates"]}), data)
    frames = open_data_frames(answer, other, CODES)
    effects = frames["effects"]
    assert not effects.duplicated(["kind", "project", "outcome", "event_time"]).any()
    assert len(effects) == len(answer.projects) + len(answer.pooled)
    row = effects[(effects["project"] == "deventer") & (effects["outcome"] == "hospital")].iloc[0]
    assert row["per_cent"] == pytest.approx(100 * (np.exp(row["log_points"]) - 1))
    assert row["ci_low"] < row["per_cent"] < row["ci_high"]
    assert set(frames["sensitivity"]["sensitivity"]) == {"declared", "no_covariates"}
    assert len(frames["projects"]) == 8
    trends = frames["trends"].set_index(["outcome", "project", "year"])["log_ratio"]
    assert trends["hospital", "deventer", 2022] - trends["hospital", "deventer", 2018] < -0.05
    assert abs(trends["hospital", "never", 2022]) < 0.02  # the reference group is its own expectation
    assert not frames["partial"].duplicated(["outcome", "project"]).any()
    assert len(frames["exposed"]) == len(answer.exposed)


def test_misspelt_and_impossible_choices_are_named_together(tmp_path):
    with pytest.raises(CommandError) as caught:
        question(tmp_path, {"anticipation: 1": "anticipatoin: 1", "last_year: 2022": "last_year: 2023"})
    assert "anticipatoin" in str(caught.value)
    assert "no comparison is left" in str(caught.value)


def test_unknown_projects_and_missing_regions_are_refused(tmp_path, small):
    misspelt = {"[west_friesland, gorinchem, deventer]": "[westfriesland]", "region: corop": "region: none"}
    config = question(tmp_path, misspelt)
    with pytest.raises(CommandError, match="westfriesland"):
        prepare_open_data(config, tmp_path, CODES)
    with pytest.raises(CommandError, match="CBS tables"):
        prepare_open_data(question(tmp_path, {}), tmp_path, CODES)
    with pytest.raises(DataError, match="no municipality file for 2011"):
        prepare_open_data(small, tmp_path, CODES)


@pytest.fixture(scope="module")
def real(shared_dir: Path) -> OpenData:
    config = OpenDataConfig.read(QUESTION)
    return prepare_open_data(config, shared_dir / "data" / "vektis", CODES, shared_dir / "data" / "cbs")


@pytest.mark.shared
def test_one_real_effect_by_brute_force_on_the_raw_files(real, shared_dir):
    """Hospital cost, Deventer, without covariates: pandas on the raw files from the first byte to the effect."""
    config = OpenDataConfig.read(QUESTION)
    config, data = changed(config, real, config.sensitivity["no_covariates"])
    row = overall(evaluate_open_data(config, data, path=False), "hospital")["deventer"]
    comparison = set(data.panel.unit_ids[data.exposed.never[np.isin(data.costs.unit_ids, data.panel.unit_ids)]])
    codes = pd.read_csv(CODES / "open_data" / "vektis_divisions.csv", sep=";", dtype=str)
    unit_of = dict(zip(codes["municipality"], codes["unit"], strict=True))
    never = set(data.costs.unit_ids[data.exposed.never])
    log_ratio, weight = {}, None
    for year in range(2011, 2023):
        raw = pd.read_csv(shared_dir / f"data/vektis/vektis_{year}_gemeente.csv.gz", sep=";")
        raw.columns = raw.columns.str.lower()
        raw = raw.dropna(subset=["gemeentenaam"])
        name = raw["gemeentenaam"].str.replace("-", " ")
        raw["unit"] = name.map(unit_of).fillna(name)
        raw = raw.rename(columns={"kosten_medisch_specialistische_zorg": "cost", "aantal_verzekerdejaren": "insured"})
        cell = ["geslacht", "leeftijdsklasse"]
        rates = raw[raw["unit"].isin(never)].groupby(cell)[["cost", "insured"]].sum()
        raw = raw.join((rates["cost"] / rates["insured"]).rename("rate"), on=cell)
        raw["expected"] = raw["rate"] * raw["insured"]
        sums = raw.groupby("unit")[["cost", "expected", "insured"]].sum()
        log_ratio[year] = np.log(sums["cost"] / sums["expected"])
        if year == 2013:
            weight = sums["insured"]
    y = pd.DataFrame(log_ratio)
    change = y[[2020, 2021, 2022]].mean(axis=1) - y[2018]
    treated = ["DEVENTER", "OLST WIJHE", "RAALTE"]
    others = sorted(comparison)
    brute = np.average(change[treated], weights=weight[treated])
    brute -= np.average(change[others], weights=weight[others])
    assert row.estimate == pytest.approx(brute, abs=1e-10)  # sums in another order


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 3])  # with five or more only some 20 regions are left: the report says so
def test_size_of_the_placebo_test_on_real_untouched_municipalities(real, members, shared_dir):
    """Every untouched group in turn plays a project (its region barred): a 5 % test should reject about 5 %."""
    panel, config = real.panel, OpenDataConfig.read(QUESTION)
    never = np.asarray(panel.entry) > 2022
    region = read_cbs(shared_dir / "data" / "cbs", {}).region  # regions exist; the panel's own clusters are COROP
    assert set(panel.cluster) <= set(region["corop"])
    y = panel.outcomes["total_comparable"][never]
    change = y[:, 8:].mean(axis=1) - y[:, 6]  # 2019-2022 against 2017
    weight, cluster = panel.weight[never], panel.cluster[never]
    rng = np.random.default_rng(config.estimation.seed)
    groups = placebo_groups(weight, cluster, members, within_region=True, limit=40, rng=rng)
    size = weight[groups].sum(axis=1)
    contrast = group_contrasts(change, weight, groups)
    stratum = np.unique(cluster[groups[:, 0]].astype(str), return_inverse=True)[1]
    third = np.searchsorted(np.quantile(size, [1 / 3, 2 / 3]), size)
    rejected: list[list[bool]] = [[], [], []]
    for i in rng.permutation(len(groups))[:600]:
        others = np.flatnonzero(stratum != stratum[i])
        strata = stratum[others] if members > 1 else np.arange(len(others))
        near = others[nearest_in_size(size[others], strata, size[i], config.placebo.groups)]
        noise = noise_scale(contrast[others], size[others])
        own = float(noise.at(size[[i]])[0])
        rejected[third[i]].append(rank_test(contrast[i], own, contrast[near] / noise.at(size[near])).p_value <= 0.05)
    shares = [float(np.mean(part)) for part in rejected]
    # about 200 trials a third: Monte Carlo error 1.5 points; groups of one region overlap, which widens it
    assert all(share < 0.12 for share in shares), shares
    assert 0.02 < float(np.mean(np.concatenate(rejected))) < 0.09, shares
