"""What a region brings to many: the recentred effect of its draw, slopes on declared moderators, or a reason."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.link import link
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimands.heterogeneity import MODERATORS
from mtvp_eval.estimators.heterogeneity import interaction
from mtvp_eval.estimators.lottery_default import CONTRASTS, lottery_default
from mtvp_eval.inference.contrasts import drawn_plan
from mtvp_eval.inference.replay import replay_statistics
from mtvp_eval.inference.shared_shares import RegionContrasts
from mtvp_eval.pipeline.brought import HETEROGENEITY, POOLING, brought
from mtvp_eval.pipeline.comparison import analysis_panel, compared, lottery_design
from mtvp_eval.pipeline.draw import draw_evidence
from mtvp_eval.pipeline.draw_numbers import by_unit, exposure
from mtvp_eval.pipeline.draw_numbers import compared as cells_compared
from mtvp_eval.pipeline.lottery_headline import REPLAYS, recentred
from mtvp_eval.pipeline.pooling_contrasts import region_contrasts
from mtvp_eval.pipeline.replay_tests import replay_tests
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.settings import read_region

ROOT = Path(__file__).resolve().parents[3]
CONFIG = EvaluationConfig.read(ROOT / "reports" / "example" / "evaluation.yaml")
DICTIONARY, PROGRAMME = load_dictionary(ROOT / "data_dictionary"), load_programme(ROOT / "data_dictionary", "mtvp")
OUTCOME = CONFIG.outcomes.primary


@pytest.fixture(scope="module")
def region():
    settings = read_region(ROOT / "data_dictionary" / "regions.yaml", "example")
    extracts = as_read(simulate_region(settings, 2).extracts, DICTIONARY)
    linked = link(extracts, DICTIONARY, PROGRAMME)
    panel, design = compared(analysis_panel(linked, CONFIG.estimation), CONFIG.estimation)
    tables = extracts.tables
    draw = draw_evidence(
        CONFIG.draw, PROGRAMME, linked.history, tables["practices"], tables["lottery_rounds"], CONFIG.estimation.seed
    )
    return SimpleNamespace(
        extracts=extracts, linked=linked, panel=panel, drawn=lottery_design(linked, design, draw), draw=draw
    )


def bring(region, config=CONFIG, **changes):
    r = SimpleNamespace(**(vars(region) | changes))
    return brought(r.extracts, r.linked, r.panel, r.drawn, r.draw, [OUTCOME], config)


def test_the_effect_is_that_of_the_draw_recentred(region):
    row = bring(region)["pooling"].iloc[0]
    tests = replay_tests(region.linked.panel, region.drawn, region.draw, [OUTCOME], CONFIG).frame
    other = tests[tests["estimand"] == "overall"].iloc[0]
    # two sets of replays; 499 of them leave a Monte Carlo error of a 22nd of a standard error
    assert abs(row["estimate"] - other["estimate"]) < 0.2 * row["std_error"]
    plain = bring(region, draw=None)["pooling"].iloc[0]
    alone = lottery_default(region.panel, region.drawn, OUTCOME, [overall(region.drawn)]).effects
    assert plain["estimate"] == pytest.approx(alone.estimate[0], rel=1e-12)
    assert row["recentred"]
    assert not plain["recentred"]
    assert row["std_error"] == plain["std_error"]
    in_draw = np.logical_or.reduce([b.mask for b in region.drawn.drawn])
    last = max(t for _, t in region.drawn.identified_cells())
    assert row["enrolled"] == int((in_draw & (region.drawn.drawn_entry <= last)).sum())
    assert row["practices"] == int(in_draw.sum())


def published(frame):
    """The contrasts as a region publishes them, read back."""
    columns = [f"covariance_{c}" for c in CONTRASTS]
    return RegionContrasts(
        frame["estimate"].to_numpy(), frame[columns].to_numpy(), frame["replayed_outcome"].to_numpy(),
        frame["replayed_exposure"].to_numpy(),
    )  # fmt: skip


def test_the_contrasts_with_the_regions_own_shares_are_its_effect(region):
    found = bring(region)
    frame, row = found["pooling_contrasts"], found["pooling"].iloc[0]
    assert frame["contrast"].tolist() == list(CONTRASTS)
    contrasts, mean = published(frame), overall(region.drawn)
    shares = lottery_default(region.panel, region.drawn, OUTCOME, [mean]).beta[0]
    assert contrasts.effect(shares) == pytest.approx(row["estimate"], rel=1e-12)
    assert contrasts.std_error(shares) == pytest.approx(row["std_error"], rel=1e-10)
    # the headline's recentring replays in single precision
    headline = recentred(region.panel, region.drawn, OUTCOME, [mean], region.draw, CONFIG.estimation.seed)
    assert abs(headline.estimate[0] - row["estimate"]) < 1e-5 * row["std_error"]


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.4, 0.5, -30.0)])
def test_any_shares_are_recentred_as_if_the_draw_were_replayed_with_them(region, shares):
    shares, mean = np.array(shares), overall(region.drawn)
    parts = region_contrasts(region.panel, region.drawn, region.draw, OUTCOME, mean, CONFIG.estimation.seed)
    plain = lottery_default(region.panel, region.drawn, OUTCOME, [mean], beta=shares[None]).effects.estimate[0]
    draw, panel = region.draw, region.panel
    log_size = np.log(draw.region.applications.list_size)
    whole = by_unit(panel, OUTCOME, draw) - plain * exposure(draw, panel.clock)
    numbers = cells_compared(whole, panel.clock, draw, mean.cells, shares, log_size)
    again = np.random.default_rng(np.random.default_rng(CONFIG.estimation.seed).integers(2**63, size=1))
    plan = drawn_plan(mean, draw.first_round, draw.region.cohort)
    bias = replay_statistics([draw.region], numbers[None], plan, again, REPLAYS, np.float64).replayed.mean()
    assert parts.numbers.effect(shares) == pytest.approx(plain - bias, rel=1e-10)


def test_contrasts_are_brought_only_where_the_draw_can_be_replayed(region):
    for draw in (None, replace(region.draw, reacted=True)):
        found = bring(region, draw=draw)
        assert found["pooling_contrasts"].empty
        assert np.isfinite(found["pooling"].iloc[0]["estimate"])


def test_cohorts_of_the_contrasts_are_counted(region):
    found = bring(region)
    frame, drawn = found["pooling_cohorts"].set_index("cohort"), region.drawn
    in_draw = np.logical_or.reduce([b.mask for b in drawn.drawn])
    assert frame["members"].sum() == region.panel.n_units
    assert frame["analysed"].sum() == in_draw.sum()
    assert (frame["alike"] <= frame["analysed"]).all()
    assert (frame["analysed"] <= frame["members"]).all()
    late = np.minimum(drawn.drawn_entry, drawn.clock[-1] + 1)[in_draw]
    assert found["pooling_contrasts"]["fewest"].tolist() == [np.unique(late, return_counts=True)[1].min()] * 4


def test_slopes_are_the_interactions_declared_and_no_others(region):
    frame = bring(region)["heterogeneity"]
    assert frame.columns.tolist() == list(HETEROGENEITY)
    assert frame["moderator"].tolist() == list(CONFIG.estimation.moderators)
    row = frame.set_index("moderator").loc["deprivation"]
    expected = interaction(
        region.panel, region.drawn, OUTCOME, MODERATORS["deprivation"], region.panel.baseline["deprivation"]
    )
    assert row["estimate"] == pytest.approx(expected.estimate[0], rel=1e-12)
    assert row["ci_low"] < row["estimate"] < row["ci_high"]
    assert "different values" in frame.set_index("moderator").loc["interventions", "note"]  # all have the same plan
    none = replace(CONFIG, estimation=replace(CONFIG.estimation, moderators=()))
    assert bring(region, none)["heterogeneity"].empty


def test_interventions_in_use_soon_after_the_start_are_counted(region):
    table = region.extracts.tables["interventions"]
    keep = np.random.default_rng(1).random(table.rows) < 0.6
    fewer = replace(table, columns={name: values[keep] for name, values in table.columns.items()})
    extracts = replace(region.extracts, tables={**region.extracts.tables, "interventions": fewer})
    row = bring(region, extracts=extracts)["heterogeneity"].set_index("moderator").loc["interventions"]
    story, at = region.linked.history, region.linked.history.of(fewer)
    entry = story.enrolled[at]
    soon = (entry != NEVER) & (fewer.columns["start_quarter"] <= entry + 1)
    count = np.bincount(at[soon], minlength=len(story.practice_ids)).astype(float)
    count[story.enrolled == NEVER] = np.nan  # who never started has no plan
    of_unit = [story.practice_ids.tolist().index(unit) for unit in region.drawn.staggered.unit_ids.tolist()]
    expected = interaction(region.panel, region.drawn, OUTCOME, MODERATORS["interventions"], count[of_unit])
    assert row["estimate"] == pytest.approx(expected.estimate[0], rel=1e-12)
    bare = replace(region.extracts, tables={k: v for k, v in region.extracts.tables.items() if k != "interventions"})
    assert bring(region, extracts=bare)["heterogeneity"].set_index("moderator").loc["interventions", "note"]


def test_a_region_without_a_draw_says_why_it_brings_nothing(region):
    free = replace(region.drawn, no_lottery=np.ones(region.drawn.staggered.n_units, dtype=bool))
    found = bring(region, drawn=free)
    assert found["pooling"].columns.tolist() == list(POOLING)
    assert "No cell compares" in found["pooling"].iloc[0]["note"]
    assert np.isnan(found["pooling"].iloc[0][["estimate", "recentred"]].astype(float)).all()
    assert (found["heterogeneity"]["note"] != "").all()
