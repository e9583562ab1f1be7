"""Sun-Abraham against R `fixest` 0.14.2 `sunab`, the extended two-way regression against `etwfe` 0.6.2.

Tolerances: 1e-6, the tier of the reference README for effects that fixest absorbs by iteration. Seen: 5e-12 / 1e-11
(sunab on df_het), 1e-13 (cells of etwfe). Errors of emfx are a numerical derivative and are held to 5e-6: where a
group is one cell (mpdta never|lpop, event time -4 = cell 2007 in 2003) the original's own coefficient table and its
emfx differ by 2.9e-6, and ours is the coefficient table's to 1e-13. `sunab` with nobody never-enrolled and no cut is
not Sun-Abraham (reference README) and is left out; so are variants with a covariate that changes over time, which a
panel's baseline does not hold.
"""

import re

import numpy as np
import pytest

from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.etwfe import etwfe
from mtvp_eval.estimators.results import EffectKey
from mtvp_eval.estimators.sun_abraham import sun_abraham
from tests.reference.published_data import column, panel, variants

OUTCOME = {"mpdta": "lemp", "lottery_small": "consults_per_1000", "df_het": "dep_var", "base_stagg": "y"}
TIER = 1e-6


def settings(shared, data, label):
    cluster = label.split("cluster=")[1].split("|")[0] if "cluster=" in label else None
    weighting = Weighting.PATIENT if "weights" in label else Weighting.PRACTICE
    weight = "list_size" if weighting == Weighting.PATIENT else None
    p = panel(shared, data, weight, cluster if cluster in ("region", "state") else None)
    return p, weighting, [x for x in ("lpop", "deprivation") if x in label]


DERIVATIVE = 5e-6


def close(effects, errors, recorded, label, error="std_error", tier=TIER):
    expected = column(recorded["estimate"])
    assert np.abs(effects - expected).max() <= TIER * np.abs(expected).max(), label
    assert errors == pytest.approx(column(recorded[error]), rel=tier), label


def sunab_cases(shared, data):
    for label, v in variants(shared, f"{data}__fixest").items():
        plain = data != "lottery_small" or "last cohort" in label
        if label.startswith("sunab") and plain and "x1" not in label:
            yield label, v


@pytest.mark.parametrize("data", OUTCOME)
def test_sun_abraham_equals_sunab(recorded_dir, data):
    checked = 0
    for label, v in sunab_cases(recorded_dir, data):
        p, weighting, x = settings(recorded_dir, data, label)
        design = StaggeredDesign.from_panel(p)
        cells = sun_abraham(p, design, OUTCOME[data], covariates=x, weighting=weighting).with_correction("fixest")
        path = aggregate(cells, design, estimand.event_study(design, weighting, BasePeriod.UNIVERSAL))
        rows = [t for t in v["coef"]["term"] if not t.endswith(":.x")]
        assert [k.event_time for k in path.index] == [int(t.split("::")[1]) for t in rows]
        table = {k: values[: len(rows)] for k, values in v["coef"].items()}
        close(path.estimate, path.std_error(), table, label)
        one = aggregate(cells, design, [estimand.overall(design, weighting)])
        close(one.estimate, one.std_error(), {k: values[:1] for k, values in v["agg_att"].items()}, label)
        if v.get("agg_cohort"):
            by = aggregate(cells, design, estimand.by_cohort(design, weighting))
            close(by.estimate, by.std_error(), v["agg_cohort"], label)
        if v.get("vcov") and not x:
            place = {(k.cohort, k.event_time): j for j, k in enumerate(cells.index)}
            names = [tuple(map(int, re.findall(r"::(-?\d+)", name))) for name in v["vcov"]["names"]]
            at = [place[g, e] for e, g in names]
            theirs = np.array(v["vcov"]["values"], dtype=float)
            scale = np.sqrt(np.outer(np.diag(theirs), np.diag(theirs)))
            assert (np.abs(cells.covariance()[np.ix_(at, at)] - theirs) / scale).max() <= TIER, label
        checked += 1
    assert checked


@pytest.mark.parametrize("data", ["mpdta", "lottery_small"])
def test_extended_regression_equals_etwfe(recorded_dir, data):
    checked = 0
    for label, v in variants(recorded_dir, f"{data}__etwfe").items():
        if "poisson" in label:
            continue
        p, weighting, x = settings(recorded_dir, data, label)
        never = label.startswith("never")
        design = StaggeredDesign.from_panel(p, Comparison.NEVER_ENROLLED if never else Comparison.NOT_YET_ENROLLED)
        found = etwfe(p, design, OUTCOME[data], covariates=x, weighting=weighting)
        C, (N, K) = found.n_clusters, found.regression
        if "ivar" in label:  # told the units, the original counts no cohort effects
            K -= len(design.cohorts) - 1
        factor = np.sqrt(C / (C - 1) * (N - 1) / (N - K))
        cells = found.with_correction("none")
        t = v["coef"]
        rows = {
            tuple(map(int, re.findall(r"::(\d+)", name))): pair
            for name, *pair in zip(t["term"], t["estimate"], t["std_error"], strict=True)
            if name.startswith(".Dtreat") and not name.endswith("_dm")
        }
        assert len(rows) == len(cells)
        expected = np.array([rows[k.cohort, k.period] for k in cells.index])
        recorded = dict(zip(("estimate", "std_error"), expected.T.tolist(), strict=True))
        close(cells.estimate, factor * cells.std_error(), recorded, label)
        # emfx averages over enrolled observations, unweighted counts even where the fit is weighted
        size = design.cohort_size[np.searchsorted(design.cohorts, [k.cohort for k in cells.index])]
        for kind, of in (
            ("simple", lambda k: True if k.event_time >= 0 else None),
            ("group", lambda k: k.cohort if k.event_time >= 0 else None),
            ("calendar", lambda k: k.period if k.event_time >= 0 else None),
            ("event", lambda k: k.event_time),
        ):
            labels = np.array([of(k) for k in cells.index], dtype=object)
            values = sorted({value for value in labels if value is not None})
            A = np.stack([np.where(labels == value, size, 0.0) for value in values])
            mine = cells.combine(
                [EffectKey("y", f"{kind}{value}") for value in values], A / A.sum(axis=1, keepdims=True)
            )
            table = v[f"emfx_{kind}"]["table"]
            stated = [i for i, e in enumerate(table["std.error"]) if e is not None]
            close(
                mine.estimate, factor * mine.std_error(),
                {c: [table[c][i] for i in stated] for c in ("estimate", "std.error")}, f"{label} {kind}", "std.error",
                DERIVATIVE,
            )  # fmt: skip
        checked += 1
    assert checked == 5


def test_never_enrolled_comparison_without_covariates_is_sun_abraham(recorded_dir):
    p = panel(recorded_dir, "mpdta")
    design = StaggeredDesign.from_panel(p, Comparison.NEVER_ENROLLED)
    one, two = etwfe(p, design, "lemp"), sun_abraham(p, design, "lemp")
    assert one.index == two.index
    assert np.allclose(one.estimate, two.estimate, rtol=1e-12)
    assert np.allclose(one.covariance(), two.covariance(), rtol=1e-10)


def test_a_covariate_that_changes_over_time_equals_the_example_of_sunab(shared_dir):
    """feols(y ~ x1 + sunab(year_treated, year) | id + year): one slope, counted among the parameters."""
    (v,) = variants(shared_dir, "base_stagg__fixest_sunab_vignette").values()
    p = panel(shared_dir, "base_stagg")
    design = StaggeredDesign.from_panel(p)
    cells = sun_abraham(p, design, "y", covariates=["x1"]).with_correction("fixest")
    path = aggregate(cells, design, estimand.event_study(design, base=BasePeriod.UNIVERSAL))
    for made, recorded in (
        (path, "coef"),
        (aggregate(cells, design, [estimand.overall(design)]), "agg_att"),
        (aggregate(cells, design, estimand.by_cohort(design)), "agg_cohort"),
    ):
        close(made.estimate, made.std_error(), {k: values[1:] for k, values in v[recorded].items()}, recorded)
