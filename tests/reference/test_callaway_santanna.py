"""Callaway-Sant'Anna against R `did` 2.5.1 and 2.3.0, every analytic panel variant on five data sets.

Tolerances: 1e-8 of the largest estimate and 1e-6 a standard error, the deterministic tier of the reference README.
Seen: 2e-15 without covariates; 6e-10 and 2e-9 with them, because R's logit stops at a relative deviance of 1e-8.
"""

import re

import numpy as np
import pytest

from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.variance import variance
from tests.reference.published_data import column, panel, variants

pytestmark = pytest.mark.shared
FILES = [
    f"{data}__{version}_att_gt"
    for data, version in (
        ("mpdta", "did"),
        ("mpdta", "did23"),
        ("lottery_small", "did"),
        ("lottery_small", "did23"),
        ("base_stagg", "did"),
        ("df_het", "did"),
        ("pj_officer", "did"),
    )
]
# Bootstrap rows are in test_bands.py; rows of single periods in test_cross_sections.py.
OTHER = ("bootstrap", "repeated cross", "allow_unbalanced_panel=TRUE")


def settings(shared, file, label):
    """The arguments of the recorded call (the files of did 2.3.0 repeat the labels of 2.5.1 without the call)."""
    call = variants(shared, file)[label]["call"] or variants(shared, file.replace("did23", "did"))[label]["call"]
    return {name: value.strip('"') for name, value in re.findall(r'(\w+) = ("[^"]+"|~\w+|\w+)', call)}


def fit(shared, file, label):
    said = settings(shared, file, label)
    data = "mpdta_unbalanced" if "mpdta_unbalanced" in label else file.split("__")[0]
    weight = {"w": "exp_lpop"}.get(said.get("weightsname"), said.get("weightsname"))
    # did 2.3.0 accepts clustervars without a bootstrap and ignores it (reference README).
    cluster = None if "did23" in file else said.get("clustervars")
    p = panel(shared, data, weight, cluster)
    never = said.get("control_group", "nevertreated") == "nevertreated"
    design = StaggeredDesign.from_panel(
        p,
        Comparison.NEVER_ENROLLED if never else Comparison.NOT_YET_ENROLLED,
        int(said.get("anticipation", "0").rstrip("L")),
    )
    x = said.get("xformla", "~1")[1:]
    base = BasePeriod(said.get("base_period", "varying"))
    effects = callaway_santanna(
        p,
        design,
        "ref_rate" if "referrals" in label else said["yname"],
        covariates=() if x == "1" else (x,),
        weighting=Weighting.PATIENT if weight else Weighting.PRACTICE,
        method=said["est_method"],
        base_period=base,
        missing="complete_units" if data == "mpdta_unbalanced" else "pairwise",
    )
    if effects.n_units < design.n_units:
        design = design.restrict(np.isin(design.unit_ids, effects.unit_ids))
    return effects, design, base


def plain_errors(effects):
    """sqrt(psi'psi)/n, or of cluster sums: did applies no correction, and prints cohorts of one too."""
    return np.sqrt(variance(effects.influence, effects.cluster))


def compare(effects, attribute, recorded, where):
    """Hold entries to a recorded table by cohort, period or event time; rows without error in did may be absent."""
    rows = {getattr(k, attribute): j for j, k in enumerate(effects.index)}
    key = recorded["egt"] if isinstance(recorded["egt"], list) else [recorded["egt"]]
    estimate, error = column(recorded["att_egt"]), column(recorded["se_egt"])
    kept = [i for i, k in enumerate(key) if np.isfinite(error[i]) or k in rows]
    mine = [rows[key[i]] for i in kept]
    assert len(mine) == len(rows), where
    close(effects.estimate[mine], estimate[kept], plain_errors(effects)[mine], error[kept], where)


def close(estimate, expected, error, expected_error, where):
    assert np.abs(estimate - expected).max() <= 1e-8 * np.abs(expected).max(), where
    stated = np.isfinite(expected_error)
    assert np.abs(error[stated] / expected_error[stated] - 1).max(initial=0) <= 1e-6, where


@pytest.mark.parametrize("file", FILES)
def test_cells_and_aggregates_equal_the_original(shared_dir, file):
    labels = [label for label in variants(shared_dir, file) if not label.startswith(OTHER) and OTHER[2] not in label]
    assert labels
    for label in labels:
        recorded = variants(shared_dir, file)[label]
        effects, design, base = fit(shared_dir, file, label)
        weighting = effects.index[0].weighting
        table = recorded["att_gt"]
        cell = {c: j for j, c in enumerate(zip(table["group"], table["time"], strict=True))}
        at = [cell[k.cohort, k.period] for k in effects.index]
        estimate, error = column(table["att"]), column(table["se"])
        # Cells that we do not give are did's reference periods and cells without comparison: zero or NA, no error.
        rest = np.setdiff1d(np.arange(len(estimate)), at)
        assert np.isnan(error[rest]).all()
        assert not np.nan_to_num(estimate[rest]).any()
        close(effects.estimate, estimate[at], plain_errors(effects), error[at], label)

        def made(*estimands, effects=effects, design=design):
            return aggregate(effects, design, estimands)

        aggte = recorded["aggte"]
        for kind, single in (
            ("simple", estimand.overall),
            ("group", estimand.overall_cohort),
            ("dynamic", estimand.overall_event),
            ("calendar", estimand.overall_calendar),
        ):
            mine = made(single(design, weighting))
            close(
                mine.estimate,
                column(aggte[kind]["overall_att"]),
                plain_errors(mine),
                column(aggte[kind]["overall_se"]),
                f"{label} {kind}",
            )
        compare(made(*estimand.by_cohort(design, weighting)), "cohort", aggte["group"], label)
        compare(made(*estimand.by_calendar(design, weighting)), "period", aggte["calendar"], label)
        path = made(*estimand.event_study(design, weighting, base))
        compare(path, "event_time", aggte["dynamic"], label)
        if recorded.get("aggte_window"):
            inside = [j for j, k in enumerate(path.index) if -2 <= k.event_time <= 2]
            compare(path.take(inside), "event_time", recorded["aggte_window"]["dynamic"], f"{label} window")
        if recorded.get("aggte_balance_e1") and not recorded["aggte_balance_e1"]["dynamic"]["error"]:
            balanced = made(*estimand.event_study(design, weighting, base, balanced=1))
            compare(balanced, "event_time", recorded["aggte_balance_e1"]["dynamic"], f"{label} balanced")


def test_joint_covariance_equals_the_original(shared_dir):
    recorded = variants(shared_dir, "df_het__did_att_gt")
    checked = 0
    for label, variant in recorded.items():
        if not variant.get("att_gt_vcov"):
            continue
        effects, _, _ = fit(shared_dir, "df_het__did_att_gt", label)
        table = variant["att_gt"]
        at = [list(zip(table["group"], table["time"], strict=True)).index((k.cohort, k.period)) for k in effects.index]
        expected = np.array(variant["att_gt_vcov"]["values"], dtype=float)[np.ix_(at, at)]
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        # 1e-12: the same products summed in another order
        assert (np.abs(effects.with_correction("none").covariance() - expected) / scale).max() < 1e-12
        checked += 1
    assert checked


def test_without_gaps_complete_units_and_pairs_agree_and_with_gaps_pairs_use_more(shared_dir):
    p = panel(shared_dir, "mpdta_unbalanced")
    design = StaggeredDesign.from_panel(p, Comparison.NEVER_ENROLLED)
    pairs = aggregate(callaway_santanna(p, design, "lemp"), design, [estimand.overall(design)])
    # statistics.md section 4: pairwise -.0468, full data -.0400, dropping units -.0538
    assert pairs.estimate[0] == pytest.approx(-0.0468, abs=5e-5)
    whole = panel(shared_dir, "mpdta")
    full = StaggeredDesign.from_panel(whole, Comparison.NEVER_ENROLLED)
    one = callaway_santanna(whole, full, "lemp", covariates=["lpop"])
    two = callaway_santanna(whole, full, "lemp", covariates=["lpop"], missing="complete_units")
    assert np.array_equal(one.estimate, two.estimate)
