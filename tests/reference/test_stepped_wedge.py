"""Mixed models and GEE for stepped wedges against R lme4 1.1-31, lmerTest 3.1-3, pbkrtest 0.5.2 and geepack 1.3.9.

Tolerances (README of the reference): lme4's optimiser, 1e-5 on estimates and 1e-4 on standard errors (seen 8e-8 and
4e-6); Kenward-Roger 1e-4 against pbkrtest (seen 1e-7, degrees of freedom 2e-8). lmerTest's Satterthwaite uses the
observed, ours the expected information of the variances: 1e-4 (seen 2e-5). geepack: 1e-8 for linear means (seen 1e-13),
1e-5 for counts, where it stops at a change of 1e-4 (seen 3e-6); its AR(1) estimates another correlation and is not
offered. Mancl-DeRouen has no recorded original; the unit tests hold it to explicit matrices, and here the errors
without it are held to geepack and those with it must be larger.
"""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimators.stepped_wedge_gee import WorkingCorrelation, _log_exposure, _solve, stepped_wedge_gee
from mtvp_eval.estimators.stepped_wedge_rows import wedge_rows
from tests.reference.published_data import frame, panel, variants

mixed = import_module("mtvp_eval.estimators.stepped_wedge")

pytestmark = pytest.mark.shared
NESTED = "HH region x period nested exchangeable REML: (1|region)+(1|region:quarter)+(1|practice)"


def recorded_effects(variant):
    at = [i for i, term in enumerate(variant["coef"]["term"]) if term == "enrolled" or term.startswith("et")]
    return {name: np.array(values, dtype=float)[at] for name, values in variant["coef"].items() if name != "term"}


@pytest.mark.parametrize(
    ("label", "cluster", "shape", "covariates"),
    [
        ("Hussey-Hughes REML KR", None, "constant", ()),
        ("HH + deprivation REML", None, "constant", ("deprivation",)),
        ("HH exposure-time indicators REML", None, "by_exposure", ()),
        (NESTED, "region", "constant", ()),
    ],
)
def test_mixed_models_equal_lme4(shared_dir, label, cluster, shape, covariates):
    variant = variants(shared_dir, "lottery_small__lme4")[label]
    expected = recorded_effects(variant)
    p = panel(shared_dir, "lottery_small", None, cluster)
    design = StaggeredDesign.from_panel(p)
    found = mixed.stepped_wedge(p, design, "consults_per_1000", shape=shape, covariates=covariates)
    effects = len(expected["estimate"])
    assert np.abs(found.estimate[:effects] / expected["estimate"] - 1).max() <= 1e-5
    assert np.abs(found.df()[:effects] / expected["df_satterthwaite"] - 1).max() <= 1e-4
    singular = any(note.startswith("Singular fit: the variance of cluster by period") for note in found.notes)
    assert singular == variant["isSingular"]
    # lme4 prints the errors before Kenward and Roger's adjustment, which adds up to 4e-4 of them here
    rows = wedge_rows(p, design, "consults_per_1000", shape, None, covariates)
    kept = [c for c in mixed._components(rows) if not (singular and c.name == "cluster by period")]
    plain = mixed._fit(rows, rows.y, kept).small.plain
    error = np.sqrt(np.diag(plain))[-effects:]
    assert np.abs(error / expected["std_error"] - 1).max() <= 1e-4
    assert (found.std_error()[:effects] > error).all()


def test_kenward_roger_equals_pbkrtest(shared_dir):
    said = variants(shared_dir, "lottery_small__lme4")["Hussey-Hughes REML KR"]["kenward_roger_enrolled"]
    p = panel(shared_dir, "lottery_small")
    found = mixed.stepped_wedge(p, StaggeredDesign.from_panel(p), "consults_per_1000", shape="constant")
    assert found.std_error()[0] == pytest.approx(said["Std. Error"][0], rel=1e-6)
    assert found.df()[0] == pytest.approx(said["df"][0], rel=1e-6)


@pytest.mark.parametrize(
    ("label", "cluster", "working", "counts"),
    [
        ("geeglm gaussian|id=practice_id|independence", None, "independence", False),
        ("geeglm gaussian|id=practice_id|exchangeable", None, "exchangeable", False),
        ("geeglm gaussian|id=region|independence", "region", "independence", False),
        ("geeglm gaussian|id=region|exchangeable", "region", "exchangeable", False),
        ("geeglm poisson offset log(list_size)|id=practice_id|independence", None, "independence", True),
        ("geeglm poisson offset log(list_size)|id=practice_id|exchangeable", None, "exchangeable", True),
    ],
)
def test_gee_equals_geepack(shared_dir, label, cluster, working, counts):
    expected = recorded_effects(variants(shared_dir, "lottery_small__geepack")[label])
    p = panel(shared_dir, "lottery_small", None, cluster)
    d = frame(shared_dir, "lottery_small")
    more = {v: d.pivot_table(v, "practice_id", "quarter").to_numpy(float) for v in ("referrals", "list_size")}
    p = replace(p, outcomes={**p.outcomes, **more})
    design = StaggeredDesign.from_panel(p)
    outcome, exposure = ("referrals", "list_size") if counts else ("consults_per_1000", None)
    found = stepped_wedge_gee(p, design, outcome, working=working, exposure=exposure, shape="constant")
    tolerance = 1e-5 if counts else 1e-8
    assert found.estimate[0] == pytest.approx(expected["estimate"][0], rel=tolerance)
    rows = wedge_rows(p, design, outcome, "constant", None, ())
    offset = _log_exposure(p, design, rows, "list_size") if counts else None
    robust = _solve(rows, rows.y, WorkingCorrelation(working), offset).cov_robust
    assert np.sqrt(robust[-1, -1]) == pytest.approx(expected["std_error"][0], rel=tolerance)
    assert 1 < found.std_error()[0] / expected["std_error"][0] < 1.2
