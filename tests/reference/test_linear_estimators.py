"""Sun-Abraham against fixest, imputation against didimputation, two-stage against did2s.

Tolerance 1e-6, the tier of fits with absorbed effects: the originals demean iteratively (their estimates of one and
the same number agree to 4e-10). Seen: 7e-8 estimates and 2e-8 errors; Sun-Abraham 5e-12 and 2e-11.
"""

import re

import numpy as np
import pytest

from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimands.placebo import placebo
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.imputation import imputation
from mtvp_eval.estimators.sun_abraham import sun_abraham
from mtvp_eval.estimators.twfe import twfe_event_study, twfe_static
from mtvp_eval.estimators.two_stage import two_stage
from mtvp_eval.inference.clustering import clustered
from tests.reference.published_data import SETTINGS, column, frame, panel, variants

pytestmark = pytest.mark.shared


def case(shared, data, label):
    weight = "list_size" if "weights=list_size" in label else None
    p = panel(shared, data.replace("_lt10", ""), weight)
    if data.endswith("_lt10"):
        p = p.window(1, 9)
    return p, StaggeredDesign.from_panel(p), Weighting.PATIENT if weight else Weighting.PRACTICE


def clusters(shared, data, design, label):
    """None where the cluster is the unit."""
    name, unit = label.rsplit("cluster=", 1)[1], SETTINGS[data.replace("_lt10", "")][1]
    if name == unit:
        return None
    first = frame(shared, data.replace("_lt10", "")).groupby(unit)[name].first()
    return first.loc[design.unit_ids].to_numpy().astype(object)


def hold(effects, recorded, label, shared, data, design):
    """Terms like `.rel::-3`, `0`, `treat`: event times, or the one static effect."""
    error = "std_error" if "std_error" in recorded else "std.error"
    terms = [re.sub(r"^\.\w+::(cohort::)?|^cohort::", "", str(t)) for t in recorded["term"]]
    table = {t: (e, s) for t, e, s in zip(terms, column(recorded["estimate"]), column(recorded[error]), strict=True)}
    keys = [k.event_time if k.event_time is not None else k.cohort for k in effects.index]
    rows = [table[str(key)] if key is not None else next(iter(table.values())) for key in keys]
    expected, errors = np.array(rows).T
    labels = clusters(shared, data, design, label)
    if labels is not None:
        effects = clustered(effects, labels, correction="cr1" if effects.correction == "cr1" else "none")
    elif effects.correction != "cr1":
        effects = effects.with_correction("none")
    # a cohort of one has no error here; none is in these files
    assert np.abs(effects.estimate - expected).max() <= 1e-6 * np.abs(expected).max(), label
    assert np.abs(effects.std_error() / errors - 1).max() <= 1e-6, label


@pytest.mark.parametrize("data", ["mpdta", "base_stagg", "df_het", "lottery_small", "lottery_small_lt10"])
@pytest.mark.parametrize("method", ["didimputation", "did2s"])
def test_imputation_and_two_stage_equal_the_originals(shared_dir, data, method):
    checked = 0
    for label, v in variants(shared_dir, f"{data}__{method}").items():
        # covariate x period is not part of these estimators; didimputation with weights solves with squared weights
        # (register), so its errors are no target; pretrends are another regression, leads are placebos here
        if v["error"] or " x period" in label or "pretrends" in label:
            continue
        p, design, weighting = case(shared_dir, data, label)
        outcome = SETTINGS[data.replace("_lt10", "")][4][0]
        made = [estimand.overall(design, weighting)]
        if "event study" in label:
            path = estimand.event_study(design, weighting, BasePeriod.UNIVERSAL)
            leads = method == "did2s" and data != "lottery_small"  # there the control cohort has leads as well
            made = [e for e in path if leads or e.event_time >= 0]
        fit = {"did2s": two_stage, "didimputation": imputation}[method]
        effects = fit(p, design, outcome, made)
        if method == "didimputation" and weighting == Weighting.PATIENT:
            estimate = column(v["coef"]["estimate"])[: len(effects)]
            assert np.abs(effects.estimate - estimate).max() <= 1e-6 * np.abs(estimate).max(), label
            recorded = column(v["coef"]["std.error"])[: len(effects)]
            ratio = effects.with_correction("none").std_error() / recorded
            if clusters(shared_dir, data, design, label) is None:
                assert 1e-3 < np.abs(ratio - 1).max() < 0.05
            continue
        hold(effects, v["coef"], label, shared_dir, data, design)
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("data", ["mpdta", "base_stagg", "df_het", "lottery_small"])
def test_sun_abraham_equals_fixest(shared_dir, data):
    checked = 0
    for label, v in variants(shared_dir, f"{data}__fixest").items():
        last = "as control: sample restricted" in label
        if not label.startswith("sunab") or " x period" in label or v.get("caution"):
            continue
        if data == "lottery_small" and not last:
            continue
        p, design, weighting = case(shared_dir, data, label)
        outcome = SETTINGS[data][4][0]
        for made, key in (
            ([estimand.overall(design, weighting)], "agg_att"),
            (list(estimand.by_cohort(design, weighting)), "agg_cohort"),
            (list(estimand.event_study(design, weighting, BasePeriod.UNIVERSAL)), "coef"),
        ):
            if v.get(key):
                hold(sun_abraham(p, design, outcome, made), v[key], label, shared_dir, data, design)
                checked += 1
    assert checked >= 2


def test_what_these_estimators_cannot_do_they_refuse(shared_dir):
    p = panel(shared_dir, "mpdta_unbalanced")
    design = StaggeredDesign.from_panel(p)
    for fit in (sun_abraham, imputation, two_stage):
        with pytest.raises(EstimationError, match="missing periods"):
            fit(p, design, "lemp", [estimand.overall(design)])
    whole = panel(shared_dir, "mpdta")
    full = StaggeredDesign.from_panel(whole)
    with pytest.raises(NotIdentifiedError, match="before entry"):
        imputation(whole, full, "lemp", placebo(full))
    assert callaway_santanna(whole, full, "lemp").estimate.size


@pytest.mark.parametrize("data", ["mpdta", "base_stagg", "df_het", "lottery_small"])
def test_two_way_fixed_effects_equal_fixest(shared_dir, data):
    checked = 0
    for label, v in variants(shared_dir, f"{data}__fixest").items():
        fit = twfe_static if label.startswith("TWFE static") else twfe_event_study
        if not label.startswith("TWFE") or not v.get("coef") or "cluster=" not in label:
            continue
        p, design, weighting = case(shared_dir, data, label.split("|no never")[0])
        effects = fit(p, design, SETTINGS[data][4][0], weighting)
        terms = {str(t).split("::")[-1].split(":")[0] for t in v["coef"]["term"]}
        if fit is twfe_event_study:
            assert {str(k.event_time) for k in effects.index} == terms, label
        hold(effects, trimmed(v["coef"]), label.split("|no never")[0], shared_dir, data, design)
        checked += 1
    assert checked >= 2


def trimmed(table):
    """`.rel::-3:.tr` becomes `.rel::-3`."""
    return table | {"term": [re.sub(r":\.tr$", "", str(t)) for t in table["term"]]}
