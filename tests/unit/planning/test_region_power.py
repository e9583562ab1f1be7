"""The region's page on power: nothing after the first start is read; the draw is the declared one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.link import link
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.errors import DesignError
from mtvp_eval.pipeline.draw import declared_rule
from mtvp_eval.pipeline.power import detectable_effects, region_detectable
from mtvp_eval.planning.region_draw import region_draw
from mtvp_eval.report.inputs import OutcomeInfo
from mtvp_eval.report.power_page import PowerInputs, PowerPage
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.settings import read_region

ROOT = Path(__file__).resolve().parents[3]
DICTIONARY, PROGRAMME = load_dictionary(ROOT / "data_dictionary"), load_programme(ROOT / "data_dictionary", "mtvp")
CONFIG = EvaluationConfig.read(ROOT / "reports" / "example" / "evaluation.yaml")
DECLARED = declared_rule(CONFIG.draw, PROGRAMME, PROGRAMME.first_round, PROGRAMME.open_round)


@pytest.fixture(scope="module")
def linked():
    region = simulate_region(read_region(ROOT / "data_dictionary" / "regions.yaml", "example"))
    return link(as_read(region.extracts, DICTIONARY), DICTIONARY, PROGRAMME)


@pytest.fixture(scope="module")
def frame(linked):
    return detectable_effects(linked, region_draw(linked.history, DECLARED, PROGRAMME), DICTIONARY, CONFIG)


def test_no_outcome_of_the_first_start_or_later_is_read(linked, frame):
    draw = region_draw(linked.history, DECLARED, PROGRAMME)
    late = linked.panel.clock >= draw.first_round
    spoilt = {
        name: np.where(late[None], 1e9 * np.arange(len(y))[:, None], y) for name, y in linked.panel.outcomes.items()
    }
    other = replace(linked, panel=replace(linked.panel, outcomes=spoilt))
    pd.testing.assert_frame_equal(detectable_effects(other, draw, DICTIONARY, CONFIG), frame)


def test_every_overall_estimate_has_a_detectable_effect_or_a_reason(linked, frame):
    beside = region_detectable(linked, DICTIONARY, PROGRAMME, CONFIG)
    assert set(beside["event_time"].dropna()) == {0, 1}  # quarters that the draw still compares
    beside = beside[beside["estimand"] == "overall"]
    keys = set(zip(beside["outcome"], beside["weighting"], strict=True))
    assert keys == {(name, w) for name in linked.panel.outcomes for w in ("practice", "patient")}
    said = beside["mde_immediate"].notna() | (beside["note"].fillna("") != "")
    assert said.all()
    shown = beside[beside["mde_immediate"].notna()]
    assert (shown["mde_ramp"] > shown["mde_immediate"]).all()
    assert set(shown["note"]) == {""}
    # replay and formula tell the same story: 400 replays x 8 windows, unequal lists and cohort sizes included
    assert (shown["mde_immediate"] / shown["mde_formula"]).between(0.9, 1.1).all()


def test_units_of_assignment_are_drawn_together(linked):
    story = linked.history
    applied = np.flatnonzero(story.has_applied & (story.applied < PROGRAMME.open_round))[:2]
    unit = story.unit.copy()
    unit[applied] = "shared"
    draw = region_draw(replace(story, unit=unit), DECLARED, PROGRAMME)
    assert draw.unit[applied[0]] == draw.unit[applied[1]]
    assert draw.applications.list_size[draw.unit[applied[0]]] == story.reference_list[applied].sum()
    cohorts = draw.replay(applied, np.random.default_rng(1), 50)
    assert (cohorts[:, 0] == cohorts[:, 1]).all()
    assert draw.applications.region_total == story.reference_list.sum()  # applicants or not


def test_nobody_applied(linked):
    story = linked.history
    late = np.full_like(story.applied, PROGRAMME.open_round)
    with pytest.raises(DesignError, match="no lottery to replay"):
        region_draw(replace(story, applied=late), DECLARED, PROGRAMME)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_page_says_what_can_and_cannot_be_shown(frame, language):
    asked = ("consults_per_1000", "work_pleasure")
    infos = tuple(OutcomeInfo(n, {"nl": n, "en": n}, {"nl": "e", "en": "u"}, "down") for n in asked)
    few = frame[frame["outcome"].isin(asked)].reset_index(drop=True)
    page = PowerPage(PowerInputs("example", True, infos, few, 0.95, 0.8, 5, 40, "2023Q2", 1, 4), language)
    lines = page.sentences().lines
    assert len(lines) == 2 + 3  # two outcomes; the window, what lies beyond it, and what is shared
    row = few[(few["outcome"] == asked[0]) & (few["estimand"] == "overall") & (few["weighting"] == "practice")].iloc[0]
    mark = "," if language == "nl" else "."
    assert f"{row['mde_immediate']:.2f}".replace(".", mark) in lines[0]
    assert f"{row['mde_ramp']:.2f}".replace(".", mark) in lines[0]
    assert asked[0] in repr(page.table())
    assert page.figure().svg.startswith(b"<?xml")
