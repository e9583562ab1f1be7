"""Uptake, the placebo after the announcement, and interference in simulated regions drawn under the cap on patients."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.config import EvaluationConfig
from mtvp_eval.data.link import link
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.estimands.aggregate import event_study
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.pipeline.comparison import analysis_panel, compared, lottery_design
from mtvp_eval.pipeline.interference import region_interference
from mtvp_eval.pipeline.replayable import replayable_draw
from mtvp_eval.pipeline.uptake import region_uptake
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.scenarios import SCENARIOS
from mtvp_eval.simulate.settings import Uptake, read_region

ROOT = Path(__file__).resolve().parents[2]
CONFIG = EvaluationConfig.read(ROOT / "reports" / "example" / "evaluation.yaml")
DICTIONARY, PROGRAMME = load_dictionary(ROOT / "data_dictionary"), load_programme(ROOT / "data_dictionary", "mtvp")
OUTCOME, REGIONS = "referrals_per_1000", 300


def region(seed):
    """Sixty practices, trends bent by list size, a tenth late, a tenth never; the effect grows by a fifth a quarter."""
    settings = read_region(ROOT / "data_dictionary" / "regions.yaml", "example")
    settings = replace(
        settings, uptake=Uptake(late=0.1, never=0.1, ended=0.0), supplied=("consults_per_1000", OUTCOME),
        effects=replace(settings.effects, scenario=SCENARIOS["optimistic"], build_up_quarters=5),
    )  # fmt: skip
    return settings, simulate_region(settings, seed)


@pytest.mark.slow
def test_intervals_and_tests_hold_under_the_draw():
    ratio, placebo, probed = [], [], []
    for seed in range(REGIONS):
        settings, made = region(seed)
        extracts = as_read(made.extracts, DICTIONARY)
        linked = link(extracts, DICTIONARY, PROGRAMME)
        panel, design = compared(analysis_panel(linked, CONFIG.estimation), CONFIG.estimation)
        drawn = lottery_design(linked, design)
        shown = region_uptake(linked, panel, drawn, [OUTCOME])
        row, before = shown.effects.iloc[0], shown.placebo.iloc[0]
        cells = [c for c in drawn.identified_cells() if c[1] >= c[0]]
        kept = [c for c, r in zip(cells, lottery(panel, drawn, OUTCOME, cells=cells).no_error, strict=True) if not r]
        if row["note"] or not kept:
            continue
        truth = _per_quarter(settings, made)
        inside = row["low"] <= truth <= row["high"]
        ratio.append(inside if row["shape"] == "interval" else row["shape"] == "everything" or not inside)
        if np.isfinite(before["ci_low"]):
            placebo.append(before["ci_low"] <= 0 <= before["ci_high"])
        own = aggregate(lottery(panel, drawn, OUTCOME, cells=kept), drawn, event_study(drawn, within=kept)).estimate
        groups = extracts.tables["practices"].columns["care_group"]
        draw = replayable_draw(linked, PROGRAMME, CONFIG)
        test = region_interference(linked, draw, groups, [OUTCOME], seed, 199, {OUTCOME: own}).iloc[0]
        probed.append(test["p_value"] <= 0.05)
    error = np.sqrt(0.95 * 0.05 / REGIONS)  # .0126
    assert min(len(ratio), len(placebo), len(probed)) > 0.9 * REGIONS
    seen = (np.mean(ratio), np.mean(placebo), np.mean(probed))
    assert seen[0] >= 0.95 - 3 * error, seen
    assert seen[1] >= 0.95 - 3 * error, seen
    assert seen[2] <= 0.05 + 3 * error, seen


def _per_quarter(settings, made):
    """Return what a quarter of exposure adds, a fifth of the steady effect, on the level the scenario refers to."""
    steady = made.truth.steady[OUTCOME]
    return float(steady) / settings.effects.build_up_quarters
