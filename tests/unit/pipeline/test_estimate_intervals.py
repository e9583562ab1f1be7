"""`interval:` of `mtvp estimate`: every kind against the function that makes it, and refusals with reasons."""

import numpy as np
import pytest
from scipy.stats import t

from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import CommandError, EstimationError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.imputation import imputation
from mtvp_eval.inference.cluster_robust import Kind, cluster_robust, two_way_rows
from mtvp_eval.inference.score_bootstrap import score_bootstrap, sides
from mtvp_eval.inference.wild_bootstrap import wild_cluster_bootstrap
from tests.unit.estimators.made_panel import made_panel
from tests.unit.pipeline.test_estimate import ask

TWFE = {"estimator": "twfe", "estimands": ["overall"]}
CS = {"estimator": "callaway_santanna", "estimands": ["overall"]}


def rows():
    p = made_panel()
    on = (p.clock[None, :] >= p.entry[:, None]).astype(float)
    order = np.unique(p.unit_ids.astype(str), return_inverse=True)[1]  # signs are drawn in the order of the labels
    return two_way_rows(p.outcomes["y"], on[:, :, None], order), on.ravel() == 1


def test_cr2_is_that_of_the_regression(tmp_path):
    printed, (record,) = ask(tmp_path, **TWFE, interval="cr2")
    found = cluster_robust(rows()[0], Kind.CR2)
    assert record["estimate"] == pytest.approx(found.estimate[0], abs=1e-9)
    assert [record["ci_low"], record["ci_high"]] == pytest.approx(found.interval()[0], abs=1e-9)
    assert record["df"] == pytest.approx(found.df[0])
    assert "CR2, Satterthwaite t" in printed


def test_the_wild_bootstrap_of_a_regression_is_its_own(tmp_path):
    printed, (record,) = ask(tmp_path, **TWFE, interval="wild")
    found = wild_cluster_bootstrap(*rows(), np.random.default_rng(1))
    assert [record["ci_low"], record["ci_high"]] == pytest.approx([found.low, found.high], abs=1e-7)
    assert record["p_value"] == found.p_value
    assert "p_value" in printed


def test_the_wild_bootstrap_of_scores_is_its_own(tmp_path):
    _, (record,) = ask(tmp_path, **CS, interval="wild")
    panel = made_panel()
    design = StaggeredDesign.from_panel(panel)
    target = overall(design)
    effects = aggregate(callaway_santanna(panel, design, "y", cells=target.cells), design, [target])
    found = score_bootstrap(effects, *sides(design, target.cells), np.random.default_rng(1))
    assert [record["ci_low"], record["ci_high"]] == pytest.approx([found.low[0], found.high[0]], abs=1e-9)
    assert record["p_value"] == found.p_value[0]


def test_cr3_leaves_one_practice_out_and_estimates_again(tmp_path):
    _, (record,) = ask(tmp_path, estimator="imputation", estimands=["overall"], interval="cr3")
    estimates = []
    panel = made_panel()
    for i in range(panel.n_units):
        keep = np.arange(panel.n_units) != i
        fewer = panel.restrict(keep, "test", "one left out")
        design = StaggeredDesign.from_panel(fewer)
        estimates.append(aggregate(imputation(fewer, design, "y"), design, [overall(design)]).estimate[0])
    error = np.sqrt(((np.array(estimates) - record["estimate"]) ** 2).sum())
    assert record["std_error"] == pytest.approx(error, rel=1e-8)
    half = t.ppf(0.975, panel.n_units - 1) * error
    assert record["ci_high"] - record["estimate"] == pytest.approx(half, rel=1e-8)


def test_clusters_are_left_out_whole(tmp_path):
    _, (record,) = ask(tmp_path, **CS, interval="cr3", cluster="area")
    assert record["df"] == 7
    _, (by_unit,) = ask(tmp_path, **CS, interval="cr3")
    assert record["std_error"] != pytest.approx(by_unit["std_error"], rel=1e-3)


@pytest.mark.parametrize(("interval", "said"), [("normal", "normal"), ("hc2", "HC2"), ("cr1", "CR1")])
def test_corrections_go_by_name(tmp_path, interval, said):
    _, records = ask(tmp_path, interval=interval)
    assert all(said in r["ci_method"] for r in records)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"interval": "cr2"}, "cr2 needs one design matrix"),
        ({"interval": "wild"}, "tried for callaway_santanna and twfe only"),
        ({**TWFE, "estimands": ["event_study"], "interval": "wild"}, "one coefficient of twfe"),
        ({"interval": "cr9"}, "interval is cr9"),
    ],
)
def test_what_a_method_has_not_is_refused_before_estimating(tmp_path, changes, said):
    with pytest.raises(CommandError, match=said):
        ask(tmp_path, **changes)
    assert not (tmp_path / "estimates.json").exists()


def test_few_clusters_stop_the_bootstrap_and_nothing_is_written(tmp_path):
    from tests.unit.pipeline.test_estimate import table

    frame = table().assign(area=lambda d: d["gp"].astype("category").cat.codes % 4)
    with pytest.raises(EstimationError, match="needs 5 on either side"):
        ask(tmp_path, frame, **CS, interval="wild", cluster="area")
    assert not (tmp_path / "estimates.json").exists()
