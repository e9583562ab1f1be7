import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimators.imputation import imputation
from mtvp_eval.estimators.sun_abraham import sun_abraham
from mtvp_eval.estimators.two_stage import two_stage

ENTRY = np.repeat([3, 4, 6, NEVER], [4, 3, 5, 4])


def region(entry=ENTRY, seed=0, T=7):
    rng = np.random.default_rng(seed)
    n = len(entry)
    return Panel(
        np.arange(n).astype(object),
        tuple(map(str, range(1, T + 1))),
        np.arange(1, T + 1),
        {"y": rng.normal(size=(n, T)).cumsum(axis=1)},
        weight=rng.uniform(1, 5, n),
        entry=entry,
    )


@pytest.mark.parametrize("weighting", ["practice", "patient"])
@pytest.mark.parametrize("entry", [ENTRY, np.repeat([3, 4, 6], [4, 3, 5])], ids=["some never", "all enroll"])
def test_estimates_equal_a_dense_regression_on_untreated_cells(entry, weighting):
    """Brute force: dummies for units and periods, weighted least squares, then the mean of what is left."""
    p = region(entry)
    design = StaggeredDesign.from_panel(p)
    y, last = p.outcomes["y"], design.last_period
    w = p.weight if weighting == "patient" else np.ones(len(entry))
    unit, period = np.divmod(np.arange(y.size), y.shape[1])
    inside = period + 1 <= last
    untreated = inside & (period + 1 < entry[unit])
    X = np.hstack([np.eye(len(entry))[unit], np.eye(y.shape[1])[period]])
    root = np.sqrt(w[unit])
    beta = np.linalg.lstsq(X[untreated] * root[untreated, None], y.ravel()[untreated] * root[untreated], rcond=None)[0]
    effect, treated = y.ravel() - X @ beta, inside & ~untreated
    expected = np.average(effect[treated], weights=w[unit][treated])
    for fit in (imputation, two_stage):
        found = fit(p, design, "y", [estimand.overall(design, weighting)])
        # dense least squares on 23 dummies
        assert found.estimate[0] == pytest.approx(expected, rel=1e-10)


def test_two_stage_influence_is_the_derivative_of_the_estimate_in_each_units_weight():
    """Imputation centres effects at their cohort's mean instead, so its psi is another one."""
    p = region()
    design = StaggeredDesign.from_panel(p)

    def value(size):
        d = StaggeredDesign(design.unit_ids, design.entry, design.clock, size=size)
        return two_stage(p, d, "y", [estimand.overall(d, "patient"), *estimand.event_study(d, "patient")])

    at = value(np.ones(16))
    for i in (0, 5, 9, 15):
        step = np.eye(16)[i] * 1e-5
        slope = 16 * (value(1 + step).estimate - value(1 - step).estimate) / 2e-5
        # central differences: error of order step squared
        assert np.allclose(slope, at.influence[i], atol=1e-6)


def test_a_cohort_of_one_has_a_reason_instead_of_an_error():
    p = region(np.array([3, 4, 4, NEVER, NEVER]))
    design = StaggeredDesign.from_panel(p)
    for fit in (imputation, two_stage, sun_abraham):
        found = fit(p, design, "y", [estimand.overall(design), *estimand.by_cohort(design)])
        assert np.isnan(found.std_error()).tolist() == [True, True, False]


def test_mixed_weightings_are_refused():
    p = region()
    design = StaggeredDesign.from_panel(p)
    for fit in (imputation, two_stage, sun_abraham):
        with pytest.raises(EstimationError, match="share their weighting"):
            fit(p, design, "y", [estimand.overall(design), estimand.overall(design, "patient")])


def test_sun_abraham_leads_come_from_the_universal_base():
    p = region()
    design = StaggeredDesign.from_panel(p)
    path = sun_abraham(p, design, "y", estimand.event_study(design, base=BasePeriod.UNIVERSAL))
    assert -1 not in {k.event_time for k in path.index}
    assert path.factor > 1
