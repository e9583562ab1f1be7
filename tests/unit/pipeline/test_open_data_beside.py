"""Euros, bounds on trends and synthetic comparisons of the open-data question, on an invented replica."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.costbenefit.prices import Index, read_price_table
from mtvp_eval.data.open_data.codes import Break
from mtvp_eval.errors import CommandError, DataError, LedgerError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.synthetic_did import synthetic_did
from mtvp_eval.inference.fieller import RatioSet
from mtvp_eval.inference.honest import original_interval
from mtvp_eval.pipeline.open_data import evaluate_open_data, prepare_open_data, sample
from mtvp_eval.pipeline.open_data_config import OpenDataConfig
from mtvp_eval.pipeline.open_data_euros import euro_effects
from mtvp_eval.pipeline.open_data_results import OpenDataEvaluation
from mtvp_eval.pipeline.open_data_size import placebo_sizes
from mtvp_eval.pipeline.open_data_synthetic import synthetic_fits
from mtvp_eval.pipeline.open_data_trends import placebo_study, trend_bounds, years_before
from tests.unit.data.open_data.replica import write_question, write_replica

ROOT = Path(__file__).resolve().parents[3]
CODES, PRICES = ROOT / "data_dictionary" / "codes", ROOT / "data_dictionary" / "prices"


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> OpenDataEvaluation:
    folder = tmp_path_factory.mktemp("beside")
    config = OpenDataConfig.read(
        write_question(
            folder,
            {
                "primary: total_comparable": "primary: hospital",
                "[hospital, pharmacy, mental_health, district_nursing]": "[district_nursing, pharmacy]",
                "[gp_registration, gp_consult, gp_chain, gp_other]": "[]",
                "region: corop": "region: none",
            },
        )
    )
    write_replica(folder, CODES, comparison=60, effect={"deventer": -0.10, "terneuzen": -0.15})
    return evaluate_open_data(config, prepare_open_data(config, folder, CODES))


def by_hand(answer: OpenDataEvaluation, units: list[str], years: list[int], sector: str) -> float:
    """Mean over years of cost per insured year, each in euros of 2022 by the published yearly factors."""
    factor = {2019: 1.013 * 1.027 * 1.1, 2020: 1.027 * 1.1, 2021: 1.1, 2022: 1.0}
    costs, at = answer.data.costs, np.isin(answer.data.costs.unit_ids, units)
    values = []
    for year in years:
        t = costs.years.index(year)
        values.append(np.nansum(costs.cost[sector][at, t]) / np.nansum(costs.insured[at, t]) * factor[year])
    return float(np.mean(values))


def test_cost_is_in_euros_of_one_year_moved_once(answer):
    euros = {(e.project, e.outcome): e for e in euro_effects(answer, read_price_table(PRICES).index)}
    own = euros["deventer", "hospital"]
    expected = by_hand(answer, ["DEVENTER", "OLST WIJHE", "RAALTE"], [2020, 2021, 2022], "hospital")
    assert own.cost == pytest.approx(expected, rel=1e-8)  # the index is written to nine digits
    assert own.fee == pytest.approx(11.52 / 1.038, rel=1e-9)
    assert own.needed_share == pytest.approx(own.fee / own.expected, rel=1e-12)


def test_savings_follow_the_effects(answer):
    rows = {(r.project, r.outcome): r for r in (*answer.projects, *answer.pooled) if r.event_time is None}
    exposed = {(e.project, e.outcome): e for e in answer.exposed}
    seen = 0
    for e in euro_effects(answer, read_price_table(PRICES).index):
        row, share = rows[e.project, e.outcome], exposed[e.project, e.outcome]
        saving, low, high = e.saving
        assert e.cost == pytest.approx(e.expected * np.exp(row.estimate), rel=1e-12)
        assert saving == pytest.approx(e.expected - e.cost, rel=1e-9, abs=1e-9)
        assert (low, high) == pytest.approx(tuple(-e.expected * np.expm1((row.test.high, row.test.low))), rel=1e-12)
        assert e.needed == pytest.approx((e.fee * share.share.low, e.fee * share.share.high), rel=1e-12)
        if share.ratio is not None and share.ratio.shape is RatioSet.INTERVAL:
            seen += 1
            assert e.per_exposed[0] == pytest.approx(saving / share.share.mean, rel=1e-9, abs=1e-9)
            assert e.per_exposed[1] < e.per_exposed[0] < e.per_exposed[2]
            assert np.subtract(e.per_exposed, e.net) == pytest.approx([e.fee] * 3, rel=1e-9)
        else:
            assert np.isnan([*e.per_exposed, *e.net]).all()
    assert seen > 2


def test_a_year_without_price_level_is_refused(answer):
    with pytest.raises(LedgerError, match="no level for 2019"):
        euro_effects(answer, Index(dict.fromkeys((2015, 2016, 2017, 2018, 2020, 2021, 2022, 2023), 100.0)))


def test_the_window_before_the_start_ends_at_the_last_break(answer):
    years = list(range(2011, 2018))
    assert years_before(answer.data, "hospital", 2018, years, "unbroken") == (2015, 2016, 2017)
    assert years_before(answer.data, "hospital", 2018, years, "all_years") == tuple(years)
    # the epidemic lies between 2019 and 2020: a base of 2020 has no unbroken year before it
    assert years_before(answer.data, "hospital", 2020, list(range(2011, 2020)), "unbroken") == ()
    other = replace(answer.data, breaks=(Break("pharmacy", 2014, "definition", "w", "s"),))
    assert years_before(other, "hospital", 2018, years, "unbroken") == tuple(years)


def test_bounds_on_trends_widen_and_parallel_trends_give_the_usual_interval(answer):
    found = [b for b in trend_bounds(answer) if not b.refused]
    assert {b.window for b in found if b.outcome == "hospital"} == {"unbroken", "all_years"}
    # nursing is published from 2015 on: the projects of 2019 and later have two years before their base
    assert {(b.outcome, b.window) for b in found if b.outcome != "hospital"} == {
        ("district_nursing", "unbroken"), ("pharmacy", "unbroken")
    }  # fmt: skip
    groups: dict[tuple[str, ...], list] = {}
    for b in found:
        groups.setdefault((b.project, b.outcome, b.window, b.restriction), []).append(b)
    for (project, outcome, _, restriction), bounds in groups.items():
        widths = [b.high - b.low for b in sorted(bounds, key=lambda b: b.bound)]
        assert all(a <= b + 1e-9 for a, b in itertools.pairwise(widths)), (project, outcome, restriction)
    draws = answer.draws["deventer", "hospital"]
    study, post = placebo_study(draws, [-5, -4, -3], -2)
    assert post.tolist() == [0.0, 1 / 3, 1 / 3, 1 / 3]  # the part year is no effect year
    usual = original_interval(study, post)
    parallel = next(
        b for b in found if (b.project, b.outcome, b.bound) == ("deventer", "hospital", 0.0)
        and b.window == "unbroken" and b.restriction == "relative_magnitudes"
    )  # fmt: skip
    step = 2 * 40 * study.combination(post)[1] / 999  # two points of the grid: an end is the last point inside
    # one tenth of the level goes to the first stage of the test: a little wider than the usual interval
    assert usual.low - 0.1 * (usual.high - usual.low) - step < parallel.low < usual.low + step
    assert usual.high - step < parallel.high < usual.high + 0.1 * (usual.high - usual.low) + step
    assert parallel.high < 0  # the effect put into the replica is found
    assert parallel.breakdown > 0
    assert study.combination(post)[0] == pytest.approx(draws[None].estimate, abs=1e-12)


def test_no_bound_where_fewer_than_two_years_are_unbroken(answer):
    refused = {(b.project, b.outcome, b.window): b.refused for b in trend_bounds(answer) if b.refused}
    assert refused["terneuzen", "hospital", "unbroken"] == "few_years"
    assert refused["gorinchem", "hospital", "unbroken"] == "few_years"
    assert refused["kb_utrecht", "district_nursing", "unbroken"] == "not_estimated"
    assert ("terneuzen", "hospital", "all_years") not in refused


def test_size_of_the_placebo_test_by_project_and_together(answer):
    sizes = {(s.project, s.outcome): s.found for s in placebo_sizes(answer.config, answer.data)}
    for outcome in ("hospital", "district_nursing", "pharmacy"):
        mine = [found for (name, o), found in sizes.items() if o == outcome and name != "together"]
        together = sizes["together", outcome]
        assert len(together.rejected) == sum(len(found.rejected) for found in mine)
        assert int(together.rejected.sum()) == sum(int(found.rejected.sum()) for found in mine)
        assert together.share < 0.05 + 4 * together.error  # the replica's untouched municipalities are noise
    assert ("kb_utrecht", "district_nursing") not in sizes  # no effect, so no test
    assert len(sizes["terneuzen", "hospital"].rejected) <= answer.config.placebo.groups


def test_synthetic_comparisons_need_five_years_of_one_definition(answer):
    fits = {(f.project, f.outcome): f for f in synthetic_fits(answer.config, answer.data)}
    for (project, outcome), f in fits.items():
        assert (f.refused == "few_years") == (0 < f.clean_years < 5), (project, outcome)
        if not f.refused:
            assert f.without_low <= f.without_high
            assert 1 / 100 <= f.p_value <= 1
            assert 0 < f.largest_weight <= 1 <= f.effective_donors + 1e-9
    # hospital means one thing from 2015: six years before the base of Terneuzen, four before that of Deventer
    assert fits["terneuzen", "hospital"].clean_years == 6
    assert fits["deventer", "hospital"].clean_years == 4
    assert fits["deventer", "pharmacy"].clean_years == 6
    assert fits["kb_utrecht", "district_nursing"].refused == "published_from"
    made = [f for f in fits.values() if not f.refused]
    assert made
    assert all(f.pre_rmspe > 1e-9 for f in made)


def test_synthetic_did_is_that_of_the_library(answer):
    config, data = answer.config, answer.data
    project = next(p for p in data.projects if p.name == "west_friesland")  # seven municipalities, by insured years
    other = next(p for p in data.projects if p.name == "terneuzen")
    fits = {(f.project, f.outcome): f for f in synthetic_fits(config, data)}
    for chosen, outcome in ((project, "pharmacy"), (other, "hospital")):
        fit = fits[chosen.name, outcome]
        panel, design = sample(config, data, [chosen], outcome, fit.first_year)
        rng = np.random.default_rng(1)
        own = synthetic_did(panel, design, outcome, rng=rng, placebos=1, weighting=Weighting.PATIENT)
        # the same weights and sums in another order
        assert fit.did_estimate == pytest.approx(float(own.effects.estimate[0]), abs=1e-12)
        assert fit.did_donors == pytest.approx(1 / (own.fits[0].unit_weights ** 2).sum(), rel=1e-12)
    few = fits["deventer", "hospital"]  # four clean years
    assert few.refused == "few_years"
    assert np.isnan(few.did_estimate)
    assert not np.isnan(fits["terneuzen", "hospital"].did_estimate)


@pytest.mark.shared
def test_scores_of_every_municipality_or_no_question_about_them(tmp_path, shared_dir):
    asked = {"assistance_middle, assistance_high]": "ses_middle, ses_high]"}
    config = OpenDataConfig.read(write_question(tmp_path, asked))
    with pytest.raises(DataError, match="85163NED gives none for 338 of 339"):
        prepare_open_data(config, shared_dir / "data" / "vektis", CODES, shared_dir / "data" / "cbs")


def test_bounds_must_be_numbers_and_not_negative(tmp_path):
    with pytest.raises(CommandError, match="bounds must hold numbers of at least 0"):
        OpenDataConfig.read(write_question(tmp_path, {"bounds: [0, 0.5, 1, 2]": "bounds: [0, -1]"}))
    with pytest.raises(CommandError, match="fee_year is required"):
        OpenDataConfig.read(write_question(tmp_path, {"  fee_year: 2023": "  # fee_year: 2023"}))
