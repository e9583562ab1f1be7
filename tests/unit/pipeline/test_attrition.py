"""Leavers in a simulated region: bounds are the effect where nobody left, and hold it where some did."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.link import link
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.pipeline.attrition import COLUMNS, region_bounds
from mtvp_eval.pipeline.comparison import analysis_panel, compared, lottery_design
from mtvp_eval.pipeline.draw import draw_evidence
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.settings import Uptake, read_region

ROOT = Path(__file__).resolve().parents[3]
CONFIG = EvaluationConfig.read(ROOT / "reports" / "example" / "evaluation.yaml")
CHOICES = CONFIG.estimation
DICTIONARY, PROGRAMME = load_dictionary(ROOT / "data_dictionary"), load_programme(ROOT / "data_dictionary", "mtvp")
OUTCOME = "referrals_per_1000"


@pytest.fixture(scope="module")
def tables():
    settings = read_region(ROOT / "data_dictionary" / "regions.yaml", "example")
    settings = replace(settings, uptake=Uptake(0.0, 0.0, 0.0))
    settings = replace(settings, rounds=replace(settings.rounds, application_shares=(1.0, 0.0, 0.0, 0.0)))
    return dict(simulate_region(settings, 5).extracts)


def prepared(tables):
    linked = link(as_read(tables, DICTIONARY), DICTIONARY, PROGRAMME)
    panel, design = compared(analysis_panel(linked, CHOICES), CHOICES)
    return linked, panel, lottery_design(linked, design)


def average(panel, drawn):
    cells = [c for c in drawn.identified_cells() if c[1] >= c[0]]
    single = lottery(panel, drawn, OUTCOME, cells=cells)
    kept = [c for c, reason in zip(cells, single.no_error, strict=True) if reason is None]
    single = lottery(panel, drawn, OUTCOME, cells=kept)
    return aggregate(single, drawn, [overall(drawn, within=kept)]).estimate[0]


def test_nobody_left(tables):
    linked, panel, drawn = prepared(tables)
    row = region_bounds(linked, panel, CHOICES, [OUTCOME]).iloc[0]
    effect = average(panel, drawn)
    assert row["left"] == 0
    for end in ("lee_low", "lee_high", "manski_low", "manski_high"):
        assert row[end] == pytest.approx(effect, rel=1e-10)  # the same means in another order
    assert row["lee_ci_low"] < effect < row["lee_ci_high"]


def test_bounds_hold_the_effect_without_leavers(tables):
    _, panel, drawn = prepared(tables)
    effect = average(panel, drawn)
    ids, gone = drawn.staggered.unit_ids, []
    for g in drawn.staggered.cohorts[:2]:
        gone += ids[drawn.drawn_entry == g][:2].tolist()
    activity = tables["activity"]
    late = activity["practice_id"].isin(gone) & (activity["quarter"] >= drawn.staggered.cohorts[0])
    linked, fewer, _ = prepared(tables | {"activity": activity[~late]})
    row = region_bounds(linked, fewer, CHOICES, [OUTCOME]).iloc[0]
    assert row["left"] == len(gone)
    assert row["manski_low"] < effect < row["manski_high"]
    assert row["manski_low"] <= row["lee_low"] <= row["lee_high"] <= row["manski_high"]
    assert row["left_drawn"] > 0


def test_practices_merged_across_rounds_are_leavers(tables):
    _, panel, drawn = prepared(tables)
    cohorts, ids = drawn.staggered.cohorts, drawn.staggered.unit_ids
    one, other = (ids[drawn.drawn_entry == g][0] for g in cohorts[:2])
    quarter = int(cohorts[0])
    frame = pd.DataFrame([(one, other, quarter, "merger")], columns=["practice_id", "successor_id", "quarter", "kind"])
    linked, without, _ = prepared(tables | {"practice_lineage": frame})
    assert set(linked.drawn_apart.unit_ids) == {one, other}
    assert not {one, other} & set(without.unit_ids)
    for row, unit in enumerate(linked.drawn_apart.unit_ids):
        y = linked.drawn_apart.outcomes[OUTCOME][row]
        assert np.isnan(y[linked.panel.clock >= quarter]).all()
        full = panel.outcomes[OUTCOME][panel.unit_ids == unit][0]
        early = panel.clock < quarter
        np.testing.assert_array_equal(y[: len(panel.clock)][early], full[early])
    row = region_bounds(linked, without, CHOICES, [OUTCOME]).iloc[0]
    assert row["left"] == 2
    assert row["manski_low"] < average(panel, drawn) < row["manski_high"]


def test_leaving_that_follows_from_winning_is_flagged(tables):
    linked, panel, drawn = prepared(tables)
    read = as_read(tables, DICTIONARY).tables
    draw = draw_evidence(CONFIG.draw, PROGRAMME, linked.history, read["practices"], read["lottery_rounds"], 1)
    ids, first = drawn.staggered.unit_ids, int(drawn.staggered.cohorts[0])
    activity = tables["activity"]
    winners, waiting = ids[drawn.drawn_entry == first], ids[drawn.drawn_entry > first]
    found = []
    for gone in (winners[:6], np.concatenate([winners[::4], waiting[::4]])):
        late = activity["practice_id"].isin(set(gone)) & (activity["quarter"] >= first)
        again, fewer, _ = prepared(tables | {"activity": activity[~late]})
        found.append(region_bounds(again, fewer, CHOICES, [OUTCOME], draw=draw).iloc[0])
    alone, alike = found
    assert alone["p_left"] <= 0.01
    assert alike["p_left"] > 0.1
    assert np.isnan(region_bounds(linked, panel, CHOICES, [OUTCOME], draw=draw).iloc[0]["p_left"])  # nobody left


def test_what_cannot_be_bounded_says_why(tables):
    linked, panel, drawn = prepared(tables)
    story = linked.history
    nobody = replace(linked, history=replace(story, drawn=np.full(len(story.drawn), NEVER)))
    row = region_bounds(nobody, panel, CHOICES, [OUTCOME])
    assert row.columns.tolist() == list(COLUMNS)
    assert "nothing to bound" in row.iloc[0]["note"]
    short = panel.window(int(drawn.staggered.cohorts[0]) - 1, int(panel.clock[-1]))
    row = region_bounds(linked, short, CHOICES, [OUTCOME]).iloc[0]
    assert row["note"] == ""
    assert "no known range" in row["note_manski"]
    assert np.isfinite(row["lee_low"])
    assert np.isnan(row["manski_low"])
