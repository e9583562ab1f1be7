"""Local projections and the stack against regressions written out row by row, and against Callaway-Sant'Anna."""

import numpy as np
import pytest

from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.local_projections import local_projections
from mtvp_eval.estimators.stacked import stacked
from tests.unit.estimators.made_panel import made_panel


def clustered(F, y, w, unit, n, k):
    """Coefficient k of weighted least squares, its error clustered by unit without any factor."""
    root = np.sqrt(w)
    beta = np.linalg.lstsq(F * root[:, None], y * root, rcond=None)[0]
    sums = np.zeros((n, F.shape[1]))
    np.add.at(sums, unit, F * (w * (y - F @ beta))[:, None])
    bread = np.linalg.pinv((F * w[:, None]).T @ F)
    V = bread @ sums.T @ sums @ bread
    return beta[k], np.sqrt(V[k, k])


def projection(p, h, weighting, x, equal, never):
    """All rows of one horizon: enrolled in g or still untouched in g + h (and in g), date effects, slopes by date."""
    y, n = p.outcomes["y"], p.n_units
    rows = []
    for g in (3, 5):
        if not 1 <= g + h <= p.n_periods:
            continue
        change = y[:, g + h - 1] - y[:, g - 2]
        control = p.entry > max(g + h, g) if not never else p.entry > 7
        rows += [
            (i, g, p.entry[i] == g, change[i])
            for i in range(n)
            if (p.entry[i] == g or control[i]) and np.isfinite(change[i])
        ]
    unit = np.array([r[0] for r in rows])
    date, D, change = (np.array([r[j] for r in rows], dtype=float) for j in (1, 2, 3))
    X = p.baseline["x"][unit] if x else None
    w = p.weight[unit] if weighting == "patient" else np.ones(len(rows))
    F = [D] + [date == g for g in np.unique(date)] + ([X * (date == g) for g in np.unique(date)] if x else [])
    F = np.column_stack(F).astype(float)
    if equal:
        for g in np.unique(date):
            here = date == g
            Z = np.column_stack([np.ones(here.sum())] + ([X[here]] if x else []))
            r = D[here] - Z @ np.linalg.lstsq(Z * np.sqrt(w[here])[:, None], D[here] * np.sqrt(w[here]), rcond=None)[0]
            w[here] *= (w[here] * D[here]).sum() / (w[here] * r**2).sum()
    return clustered(F, change, w, unit, n, 0)


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("weighting", ["practice", "patient"])
@pytest.mark.parametrize("x", [(), ("x",)])
@pytest.mark.parametrize("weights", ["equal", "variance"])
@pytest.mark.parametrize("comparison", list(Comparison))
def test_local_projections_equal_the_regression_of_each_horizon(missing, weighting, x, weights, comparison):
    """1e-9: the same normal equations solved by another route."""
    p = made_panel(missing=missing)
    design = StaggeredDesign.from_panel(p, comparison)
    found = local_projections(p, design, "y", covariates=x, weighting=weighting, cohort_weights=weights)
    found = found.with_correction("none")
    for k, key in enumerate(found.index[:-2]):
        never = comparison == Comparison.NEVER_ENROLLED
        beta, error = projection(p, key.event_time, weighting, x, weights == "equal", never)
        assert found.estimate[k] == pytest.approx(beta, rel=1e-9)
        assert found.std_error()[k] == pytest.approx(error, rel=1e-9)
    since = [k for k, key in enumerate(found.index) if key.event_time is not None and key.event_time >= 0]
    assert found.estimate[-1] == pytest.approx(found.estimate[since].mean(), rel=1e-12)


@pytest.mark.parametrize("comparison", list(Comparison))
@pytest.mark.parametrize("weighting", list(Weighting))
def test_equal_weights_are_the_event_study_of_callaway_santanna(comparison, weighting):
    """statistics.md section 7: to 1e-10 on balanced data."""
    p = made_panel(sizes=(12, 9, 15))
    design = StaggeredDesign.from_panel(p, comparison)
    cells = callaway_santanna(p, design, "y", weighting=weighting, base_period=BasePeriod.UNIVERSAL)
    study = estimand.event_study(design, weighting, BasePeriod.UNIVERSAL)
    cs = aggregate(cells, design, [*study, estimand.overall(design, weighting)])
    lp = local_projections(p, design, "y", weighting=weighting)
    assert [k.event_time for k in cs.index] == [k.event_time for k in lp.index[:-1]]
    assert np.abs(cs.estimate - lp.estimate[:-1]).max() < 1e-10
    other = local_projections(p, design, "y", weighting=weighting, cohort_weights="variance")
    assert other.estimate[-1] != pytest.approx(lp.estimate[-1], rel=1e-7)


def stack_regression(p, before, after, weighting, never, e):
    """The stack row by row, with corrective weights, saturated in enrolled and event time."""
    y, n = p.outcomes["y"], p.n_units
    rows = []
    for g in (3, 5):
        if g - before < 1 or g + after > p.n_periods:
            continue
        window = np.arange(g - before, g + after + 1)
        whole = np.isfinite(y[:, window - 1]).all(axis=1)
        clean = whole & (p.entry > (g + after if not never else p.n_periods))
        for i in np.flatnonzero(whole & ((p.entry == g) | clean)):
            rows += [(i, g, p.entry[i] == g, t - g, y[i, t - 1]) for t in window]
    unit, sub, D, time, value = (np.array([r[j] for r in rows]) for j in range(5))
    size = p.weight if weighting == "patient" else np.ones(n)
    once = time == time.min()
    w = size[unit].astype(float)
    total = {d: size[unit[once & (d == D)]].sum() for d in (True, False)}
    for g in np.unique(sub):
        own = {d: size[unit[once & (d == D) & (sub == g)]].sum() for d in (True, False)}
        w[(sub == g) & ~D] *= (own[True] / total[True]) / (own[False] / total[False])
    times = [t for t in np.unique(time) if t != -1]
    F = np.column_stack([np.ones(len(D)), D, *(time == t for t in times), *(D & (time == t) for t in times)]).astype(
        float
    )
    return clustered(F, value, w, unit, n, 2 + len(times) + times.index(e))


@pytest.mark.parametrize("missing", [0.0, 0.05])
@pytest.mark.parametrize("weighting", ["practice", "patient"])
@pytest.mark.parametrize("comparison", list(Comparison))
@pytest.mark.parametrize(("before", "after"), [(None, None), (2, 1), (4, 0)])
def test_the_stack_equals_its_regression(missing, weighting, comparison, before, after):
    p = made_panel(missing=missing, sizes=(20, 20, 30))
    design = StaggeredDesign.from_panel(p, comparison)
    found = stacked(p, design, "y", weighting=weighting, before=before, after=after).with_correction("none")
    never = comparison == Comparison.NEVER_ENROLLED
    for k, key in enumerate(found.index[:-2]):
        beta, error = stack_regression(p, before or 2, 2 if after is None else after, weighting, never, key.event_time)
        assert found.estimate[k] == pytest.approx(beta, rel=1e-9)
        assert found.std_error()[k] == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize("weighting", list(Weighting))
def test_the_stack_is_the_trimmed_aggregate_of_callaway_santanna(weighting):
    """Against the never-enrolled both compare with the same units; the cohorts are those seen in the whole window."""
    p = made_panel()
    design = StaggeredDesign.from_panel(p, Comparison.NEVER_ENROLLED)
    cells = callaway_santanna(p, design, "y", weighting=weighting, base_period=BasePeriod.UNIVERSAL)
    for before, cohorts in ((2, (3, 5)), (4, (5,))):
        found = stacked(p, design, "y", weighting=weighting, before=before, after=2)
        within = [(g, g + e) for g in cohorts for e in range(-before, 3) if e != -1]
        trimmed = aggregate(cells, design, estimand.event_study(design, weighting, BasePeriod.UNIVERSAL, within=within))
        assert np.abs(found.estimate[:-2] - trimmed.estimate).max() < 1e-10
        if cohorts == (5,):
            assert found.with_correction("none").std_error()[:-2] == pytest.approx(
                trimmed.with_correction("none").std_error(), rel=1e-10
            )


def test_windows_that_fit_nobody_are_refused():
    p = made_panel()
    design = StaggeredDesign.from_panel(p)
    with pytest.raises(NotIdentifiedError, match="shorter window"):
        stacked(p, design, "y", before=2, after=5)
    with pytest.raises(EstimationError, match="needs the base period"):
        stacked(p, design, "y", before=0)


@pytest.mark.parametrize("method", [stacked, local_projections])
def test_one_enrolled_unit_has_no_error(method):
    p = made_panel(sizes=(1, 0, 20))
    found = method(p, StaggeredDesign.from_panel(p), "y")
    assert np.isnan(found.std_error()).all()


def test_covariates_that_tell_groups_apart_are_refused():
    from dataclasses import replace

    p = made_panel()
    told = replace(p, baseline={"x": (p.entry == 3).astype(float)})
    with pytest.raises(EstimationError, match="without error"):
        local_projections(told, StaggeredDesign.from_panel(told), "y", covariates=("x",))
