"""Uptake of a simulated region whose truth is known: exact counts, and the effect of a quarter without noise."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.link import link
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.pipeline.comparison import analysis_panel, compared, lottery_design
from mtvp_eval.pipeline.uptake import region_uptake
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.settings import Uptake, read_region

ROOT = Path(__file__).resolve().parents[3]
CONFIG = EvaluationConfig.read(ROOT / "reports" / "example" / "evaluation.yaml")


@pytest.fixture(scope="module")
def evaluated():
    settings = read_region(ROOT / "data_dictionary" / "regions.yaml", "example")
    settings = replace(settings, uptake=Uptake(late=0.15, never=0.15, ended=0.1))
    dictionary, programme = load_dictionary(ROOT / "data_dictionary"), load_programme(ROOT / "data_dictionary", "mtvp")
    linked = link(as_read(simulate_region(settings, 3).extracts, dictionary), dictionary, programme)
    panel, design = compared(analysis_panel(linked, CONFIG.estimation), CONFIG.estimation)
    return linked, panel, lottery_design(linked, design)


def test_counts_effects_and_placebo(evaluated):
    linked, panel, drawn = evaluated
    shown = region_uptake(linked, panel, drawn, ("consults_per_1000", "referrals_per_1000"))
    story = linked.history
    inside = np.isin(story.practice_ids.astype(str), panel.unit_ids.astype(str)) & ~story.no_lottery & story.was_drawn
    assert shown.counts["winners"].sum() == inside.sum()
    assert shown.counts["never"].sum() == (inside & (story.enrolled == NEVER)).sum() > 0
    assert shown.counts["late"].sum() == (inside & (story.enrolled > story.drawn) & (story.enrolled != NEVER)).sum() > 0
    assert (shown.effects["note"] == "").all()
    first = shown.effects.iloc[0]
    assert first["estimate"] == pytest.approx(first["itt"] / first["itt_exposure"], rel=1e-12)
    assert 0 < first["itt_exposure"] < 2  # quarters in a window of at most three
    assert set(shown.placebo["event_time"].dropna()) == {-1}  # announced thirty days before the start
    assert len(shown.assumptions) == 3
