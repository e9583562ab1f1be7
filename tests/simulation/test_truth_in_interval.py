"""Over a thousand regions the known truth lies inside the 95 % interval as often as it should.

From simulated extracts through validation, linking, design and estimator, without files in between (that they hold
the same is tested apart). Bounds: of 1,000 intervals that cover with probability .95, the share that does has standard
error .007; .93 is three of them below. HC2 by cohort errs on the side of caution where a comparison pools cohorts: here
the reported error is 1.00 to 1.08 of the true one (four effects, Monte Carlo error .02). An interval 1.08 times as long
covers .966; three standard errors above that, .0057 each, lie at .983.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mtvp_eval.data.link import link
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.scenarios import SCENARIOS
from mtvp_eval.simulate.settings import Shares, Uptake, read_region

pytestmark = pytest.mark.slow

REGIONS = 1000
DICTIONARY = Path(__file__).resolve().parents[2] / "data_dictionary"
OUTCOMES = ("referrals_per_1000", "cost_hospital")


def lottery_region():
    """The example region in which everybody applies at once and starts when drawn: only the draw decides."""
    example = read_region(DICTIONARY / "regions.yaml", "example")
    return replace(
        example,
        shares=Shares(0.0, 0.0, 0.0, 0.0),
        uptake=Uptake(0.0, 0.0, 0.0),
        rounds=replace(example.rounds, application_shares=(1.0, 0.0, 0.0, 0.0)),
        effects=replace(example.effects, scenario=SCENARIOS["base"], build_up_quarters=1),
    )


def share_covered(settings):
    """Return the share of regions whose interval holds the truth, by outcome and weighting."""
    dictionary, programme = load_dictionary(DICTIONARY), load_programme(DICTIONARY, "mtvp")
    inside = {(outcome, weighting): [] for outcome in OUTCOMES for weighting in Weighting}
    for seed in range(REGIONS):
        region = simulate_region(settings, seed)
        panel = link(as_read(region.extracts, dictionary), dictionary, programme).panel
        design = StaggeredDesign.from_panel(panel)
        for outcome, weighting in inside:
            estimand = overall(design, weighting)
            cells = callaway_santanna(
                panel, design, outcome, covariates=("log_list_size",), weighting=weighting, cells=estimand.cells
            )
            effect = aggregate(cells, design, [estimand])
            truth = region.truth.of(outcome, estimand, panel.unit_ids)
            half = stats.t.ppf(0.975, effect.df()[0]) * effect.std_error()[0]
            inside[outcome, weighting].append(abs(effect.estimate[0] - truth) <= half)
    return {key: float(np.mean(values)) for key, values in inside.items()}


def test_constant_effects():
    shares = share_covered(lottery_region())
    assert all(0.93 <= share <= 0.983 for share in shares.values()), shares


def test_effects_that_build_up_and_differ_between_practices():
    settings = lottery_region()
    effects = replace(settings.effects, build_up_quarters=5, by_deprivation=0.5, scale="log")
    shares = share_covered(replace(settings, effects=effects))
    assert all(share >= 0.93 for share in shares.values()), shares
