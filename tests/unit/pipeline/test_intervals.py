"""Which interval an outcome's average effect has: counts by outcome, the switch to replays, looks, refusals."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.config import LookChoices
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.looks import spending_levels
from mtvp_eval.pipeline.intervals import REPLAYED, interval_choices, look_level, with_replayed


def config(taken=None, planned=None):
    looks = LookChoices(taken, planned)
    return SimpleNamespace(estimation=SimpleNamespace(seed=1, level=0.95), looks=looks)


def region(treated=8, waiting=9, missing=0):
    rng = np.random.default_rng(2)
    n = treated + waiting
    entry = np.repeat([4, NEVER], [treated, waiting])
    y = rng.normal(size=(n, 6)) + (np.arange(6) >= 4) * (entry[:, None] == 4)
    part = y.copy()
    part[:missing] = np.nan
    ids = np.array([f"p{i:02d}" for i in range(n)], dtype=object)
    panel = Panel(ids, tuple("012345"), np.arange(6), {"whole": y, "part": part}, entry=entry)
    design = StaggeredDesign.from_panel(panel)
    parts = []
    for name in ("whole", "part"):
        cells = callaway_santanna(panel, design, name)
        parts += [aggregate(cells, design, [overall(design)]), cells]
    return design, EffectEstimates.stack(*parts)


def replayed(low=-1.0, high=2.0):
    rows = [(name, "overall", low, high) for name in ("whole", "part")]
    return pd.DataFrame(rows, columns=["outcome", "estimand", "ci_low", "ci_high"])


def test_each_outcome_counts_the_practices_it_was_observed_for():
    found = interval_choices(*region(missing=4), replayed(), config()).set_index("outcome")
    assert found.loc["whole", ["treated", "comparison"]].tolist() == [8, 9]
    assert found.loc["part", ["treated", "comparison"]].tolist() == [4, 9]
    assert found["recommended"].tolist() == ["satterthwaite", "randomization"]
    assert np.isfinite(found.loc["whole", "wild_low"])
    assert np.isnan(found.loc["part", "wild_low"])
    assert "4 clusters with" in found.loc["part", "note"]


def test_an_effect_without_a_standard_error_has_no_bootstrap_either():
    design, joint = region()
    reasons = tuple("the outcome does not move in this cell" for _ in joint.index)
    found = interval_choices(design, replace(joint, no_error=reasons), None, config())
    assert found["wild_low"].isna().all()
    assert set(found["note"]) == {"the outcome does not move in this cell"}


def test_without_a_draw_nothing_can_be_replayed():
    found = interval_choices(*region(missing=4), None, config())
    assert set(found["recommended"]) == {"satterthwaite"}
    assert found["replay_low"].isna().all()


@pytest.mark.parametrize(("estimator", "switched"), [("lottery_default", True), ("callaway_santanna", False)])
def test_few_practices_on_a_side_change_the_interval_of_the_lottery(estimator, switched):
    design, joint = region(missing=4)
    choices = interval_choices(design, joint, replayed(), config())
    frame = joint.to_frame()
    made = with_replayed(frame, choices, estimator)
    few = (made["outcome"] == "part") & (made["estimand"] == "overall")
    assert (made.loc[few, "ci_method"] == REPLAYED).all() == switched
    assert (made.loc[few, "ci_low"].item() == -1.0) == switched
    pd.testing.assert_frame_equal(made[~few], frame[~few])


def test_a_replay_without_an_end_changes_nothing():
    design, joint = region(missing=4)
    choices = interval_choices(design, joint, replayed(np.nan, np.nan), config())
    frame = joint.to_frame()
    pd.testing.assert_frame_equal(with_replayed(frame, choices, "lottery_default"), frame)


def test_planned_looks_widen_the_interval_to_their_level():
    looked = config(2, 4)
    level = spending_levels(4)[1]
    assert look_level(looked) == level
    design, joint = region()
    found = interval_choices(design, joint, None, looked).iloc[0]
    shown = joint.select(outcome="whole", estimand="overall").to_frame(level).iloc[0]
    assert [found["look_low"], found["look_high"]] == [shown["ci_low"], shown["ci_high"]]
    plain = interval_choices(design, joint, None, config())
    assert plain["look_low"].isna().all()


def test_clusters_that_hold_several_cohorts_are_seen():
    design, joint = region(treated=12, waiting=12)
    labels = np.array([f"c{i % 8}" for i in range(24)], dtype=object)
    crossed = replace(joint, cluster=labels, correction="cr1")
    found = interval_choices(design, crossed, None, config())
    assert set(found["recommended"]) == {"cr1"}
    assert found["treated"].tolist() == [8, 8]
