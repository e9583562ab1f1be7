"""Sun-Abraham, imputation, two-stage and the extended regression against dense least squares and one another."""

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.etwfe import etwfe
from mtvp_eval.estimators.imputation import imputation, pretrends
from mtvp_eval.estimators.sun_abraham import sun_abraham
from mtvp_eval.estimators.two_stage import two_stage
from tests.unit.estimators.made_panel import made_panel

METHODS = (sun_abraham, imputation, two_stage, etwfe)


def dense(p, cells, x=None, w=None, slopes=False):
    """Cells by least squares with every dummy written out, and errors clustered by unit without any factor."""
    y, n, T = p.outcomes["y"], p.n_units, p.n_periods
    unit, t = map(np.ravel, np.meshgrid(np.arange(n), np.arange(T), indexing="ij"))
    columns = [unit == i for i in range(n)] + [t == s for s in range(1, T)]
    if x is not None:
        columns += [x[unit] * (t == s) for s in range(1, T)]
    at = len(columns)
    columns += [(p.entry[unit] == g) & (p.clock[t] == s) for g, s in cells]
    if slopes:
        columns += [
            (x - np.average(x[p.entry == g], weights=None if w is None else w[p.entry == g]))[unit]
            * ((p.entry[unit] == g) & (p.clock[t] == s))
            for g, s in cells
        ]
    seen = np.isfinite(y.ravel())
    F = np.column_stack(columns).astype(float)[seen]
    weight = (np.ones(n) if w is None else w)[unit][seen]
    root = np.sqrt(weight)
    beta = np.linalg.lstsq(F * root[:, None], y.ravel()[seen] * root, rcond=None)[0]
    score = F * (weight * (y.ravel()[seen] - F @ beta))[:, None]
    sums = np.zeros((n, F.shape[1]))
    np.add.at(sums, unit[seen], score)
    bread = np.linalg.pinv((F * weight[:, None]).T @ F)
    V = bread @ sums.T @ sums @ bread
    picked = slice(at, at + len(cells))
    return beta[picked], np.sqrt(np.diag(V)[picked])


@pytest.mark.parametrize("missing", [0.0, 0.15])
@pytest.mark.parametrize("weighting", ["practice", "patient"])
@pytest.mark.parametrize("x", [(), ("x",)])
def test_saturated_regressions_equal_dense_least_squares(missing, weighting, x):
    """1e-8: condition numbers of a few thousand on both sides."""
    p = made_panel(missing=missing)
    design = StaggeredDesign.from_panel(p)
    w = p.weight if weighting == "patient" else None
    for method, slopes in ((sun_abraham, False), (etwfe, bool(x))):
        found = method(p, design, "y", covariates=x, weighting=weighting).with_correction("none")
        cells = [(k.cohort, k.period) for k in found.index]
        beta, error = dense(p, cells, p.baseline["x"] if x else None, w, slopes)
        assert found.estimate == pytest.approx(beta, rel=1e-8, abs=1e-9)
        assert found.std_error() == pytest.approx(error, rel=1e-8)


@pytest.mark.parametrize("missing", [0.0, 0.15])
@pytest.mark.parametrize("weighting", ["practice", "patient"])
@pytest.mark.parametrize("x", [(), ("x",)])
def test_imputation_equals_a_written_out_imputation(missing, weighting, x):
    p = made_panel(missing=missing)
    design = StaggeredDesign.from_panel(p)
    y, n, T = p.outcomes["y"], p.n_units, p.n_periods
    w = p.weight if weighting == "patient" else np.ones(n)
    unit, t = map(np.ravel, np.meshgrid(np.arange(n), np.arange(T), indexing="ij"))
    F = np.column_stack(
        [unit == i for i in range(n)]
        + [t == s for s in range(1, T)]
        + [p.baseline[name][unit] * (t == s) for name in x for s in range(1, T)]
    ).astype(float)
    seen, before = np.isfinite(y.ravel()), (p.clock < p.entry[:, None]).ravel()
    rows, root = seen & before, np.sqrt(w[unit])
    beta = np.linalg.lstsq((F * root[:, None])[rows], (y.ravel() * root)[rows], rcond=None)[0]
    tau = y.ravel() - F @ beta
    found = imputation(p, design, "y", covariates=x, weighting=weighting).with_correction("none")
    gram = np.linalg.pinv((F * w[unit][:, None])[rows].T @ F[rows])
    for k, key in enumerate(found.index):
        cell = seen & (p.entry[unit] == key.cohort) & (p.clock[t] == key.period)
        h = np.where(cell, w[unit], 0.0) / w[unit][cell].sum()
        assert found.estimate[k] == pytest.approx(h[cell] @ tau[cell], rel=1e-9)
        v = h.copy()
        v[rows] = -(F[rows] * w[unit][rows][:, None]) @ gram @ (F[cell].T @ h[cell])
        centre = np.where(cell, (v[cell] ** 2) @ tau[cell] / (v[cell] ** 2).sum(), 0.0)
        score = np.bincount(unit[seen], (v * (tau - centre))[seen], minlength=n)
        assert found.std_error()[k] == pytest.approx(np.sqrt((score**2).sum()), rel=1e-8)


def test_methods_agree_where_theory_says_so():
    p = made_panel()
    design = StaggeredDesign.from_panel(p)
    never = StaggeredDesign.from_panel(p, Comparison.NEVER_ENROLLED)
    sa, cs = sun_abraham(p, never, "y"), callaway_santanna(p, never, "y", base_period=BasePeriod.UNIVERSAL)
    assert sa.index == cs.index
    assert sa.estimate == pytest.approx(cs.estimate, rel=1e-10)  # rounding of sums in another order
    # hc2 of a saturated regression without gaps is Neyman's variance: cohort means with N - 1
    y, at = p.outcomes["y"], {int(t): j for j, t in enumerate(p.clock)}
    for k, key in enumerate(sa.index):
        change = y[:, at[key.period]] - y[:, at[key.cohort - 1]]
        parts = [change[p.entry == g] for g in (key.cohort, NEVER)]
        assert sa.std_error()[k] == pytest.approx(np.sqrt(sum(c.var(ddof=1) / len(c) for c in parts)), rel=1e-10)
    bjs, gardner, extended = imputation(p, design, "y"), two_stage(p, design, "y"), etwfe(p, design, "y")
    assert bjs.estimate == pytest.approx(extended.estimate, rel=1e-10)
    post = [j for j, k in enumerate(gardner.index) if k.event_time >= 0]
    assert np.array_equal(gardner.take(post).estimate, bjs.estimate)
    # one cell, one coefficient: the two centre alike; over cells Gardner adds what the shares move
    assert np.allclose(gardner.take(post).covariance(), bjs.covariance(), rtol=1e-12)
    one = estimand.overall(design)
    wide, narrow = (aggregate(e, design, [one]).std_error()[0] for e in (gardner, bjs))
    assert wide > narrow


@pytest.mark.parametrize("method", METHODS)
def test_truth_is_found_and_a_cohort_of_one_has_no_error(method):
    p = made_panel(sizes=(1, 60, 60))
    design = StaggeredDesign.from_panel(p)
    found = method(p, design, "y", covariates=("x",) if method is not etwfe else ())
    for k, key in enumerate(found.index):
        if key.cohort == 3:
            assert np.isnan(found.std_error()[k])
            assert "one unit" in found.no_error[k]
        elif key.event_time >= 0 and method is not etwfe:
            # noise sd 0.5: an error of about 0.12 a cell, four of them
            assert found.estimate[k] == pytest.approx(1.0 + key.event_time, abs=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_levels_of_units_and_scale_change_nothing_but_scale(method):
    p = made_panel(missing=0.1)
    design = StaggeredDesign.from_panel(p)
    one = method(p, design, "y", covariates=("x",))
    from dataclasses import replace

    moved = replace(p, outcomes={"y": 1e-9 * (p.outcomes["y"] + 1000.0 * np.arange(p.n_units)[:, None])})
    two = method(moved, design, "y", covariates=("x",))
    assert two.estimate == pytest.approx(1e-9 * one.estimate, rel=1e-6, abs=1e-18)
    assert two.std_error() == pytest.approx(1e-9 * one.std_error(), rel=1e-6)


def test_gaps_that_cut_a_cell_off_are_refused_with_its_name():
    p = made_panel()
    y = p.outcomes["y"].copy()
    y[p.entry == 3, 4] = np.nan
    from dataclasses import replace

    broken = replace(p, outcomes={"y": y})
    for method in METHODS:
        with pytest.raises(EstimationError, match="cell"):
            method(broken, StaggeredDesign.from_panel(broken), "y")


def test_imputation_refuses_a_comparison_it_cannot_make():
    p = made_panel()
    with pytest.raises(EstimationError, match="never-enrolled only"):
        imputation(p, StaggeredDesign.from_panel(p, Comparison.NEVER_ENROLLED), "y")


def test_too_many_leads_are_refused():
    p = made_panel()
    assert pretrends(p, StaggeredDesign.from_panel(p), "y", leads=2).estimate.shape == (2,)
    with pytest.raises(EstimationError, match="fewer leads"):
        pretrends(p, StaggeredDesign.from_panel(p), "y", leads=4)


def test_anticipation_moves_base_and_first_cell():
    p = made_panel()
    design = StaggeredDesign.from_panel(p, anticipation=1)
    assert min(k.event_time for k in imputation(p, design, "y").index) == -1
    assert -2 not in {k.event_time for k in sun_abraham(p, design, "y").index}
