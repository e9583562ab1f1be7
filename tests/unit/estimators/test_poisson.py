"""Poisson methods against statsmodels, hand arithmetic, and the conditions under which they refuse."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.etwfe_poisson import etwfe_poisson
from mtvp_eval.estimators.poisson_fe import poisson_fe
from tests.unit.estimators.made_panel import made_panel


def count_panel(missing=0.0, seed=3, **kwargs):
    """Counts with list size as exposure; the effect is a fifth fewer."""
    p = made_panel(seed=seed, **kwargs)
    rng = np.random.default_rng(seed)
    enrolled = p.clock >= p.entry[:, None]
    list_size = np.repeat(p.weight[:, None], p.n_periods, axis=1) * rng.uniform(0.9, 1.1, (p.n_units, p.n_periods))
    rate = 0.02 * np.exp(0.2 * p.baseline["x"][:, None] + 0.1 * np.sin(p.clock)) * np.where(enrolled, 0.8, 1.0)
    y = rng.poisson(rate * list_size).astype(float)
    y[rng.random(y.shape) < missing] = np.nan
    return replace(p, outcomes={"y": y, "list_size": list_size})


def dummies(p, cells, unit_effects, x=None):
    n, T = p.n_units, p.n_periods
    unit, t = map(np.ravel, np.meshgrid(np.arange(n), np.arange(T), indexing="ij"))
    level = [unit == i for i in range(n)] if unit_effects else [p.entry[unit] == g for g in np.unique(p.entry)]
    columns = level + [t == s for s in range(1, T)]
    if x is not None:
        columns += [(p.entry[unit] == g) * x[unit] for g in np.unique(p.entry)] if not unit_effects else []
        columns += [(t == s) * x[unit] for s in range(1, T)]
    at = len(columns)
    columns += [(p.entry[unit] == g) & (p.clock[t] == s) for g, s in cells]
    return np.column_stack(columns).astype(float), unit, at


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("comparison", list(Comparison))
def test_cells_and_errors_equal_a_generalised_linear_model(missing, comparison):
    import statsmodels.api as sm

    p = count_panel(missing)
    design = StaggeredDesign.from_panel(p, comparison)
    found = etwfe_poisson(p, design, "y", exposure="list_size", scale="log").with_correction("none")
    found = found.select(estimand="att_gt")
    F, unit, at = dummies(p, [(k.cohort, k.period) for k in found.index], unit_effects=False)
    seen = np.isfinite(p.outcomes["y"].ravel())
    model = sm.GLM(
        p.outcomes["y"].ravel()[seen], F[seen], family=sm.families.Poisson(),
        exposure=p.outcomes["list_size"].ravel()[seen],
    )  # fmt: skip
    fit = model.fit(
        tol=1e-14, maxiter=200, cov_type="cluster", cov_kwds={"groups": unit[seen], "use_correction": False}
    )
    # 1e-7: statsmodels stops at a deviance change of 1e-14
    assert found.estimate == pytest.approx(fit.params[at:], rel=1e-7, abs=1e-9)
    assert found.std_error() == pytest.approx(fit.bse[at:], rel=1e-7)


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("x", [None, "x"])
def test_unit_effects_equal_a_model_with_every_dummy(missing, x):
    import statsmodels.api as sm

    p = count_panel(missing)
    design = StaggeredDesign.from_panel(p)
    found = poisson_fe(p, design, "y", exposure="list_size", covariates=(x,) if x else (), scale="log")
    F, unit, _ = dummies(p, [], unit_effects=True, x=p.baseline[x] if x else None)
    F = np.column_stack([F, (p.clock >= p.entry[:, None]).ravel()])
    seen = np.isfinite(p.outcomes["y"].ravel())
    model = sm.GLM(
        p.outcomes["y"].ravel()[seen], F[seen], family=sm.families.Poisson(),
        exposure=p.outcomes["list_size"].ravel()[seen],
    )  # fmt: skip
    fit = model.fit(
        tol=1e-14, maxiter=200, cov_type="cluster", cov_kwds={"groups": unit[seen], "use_correction": False}
    )
    assert found.estimate[0] == pytest.approx(fit.params[-1], rel=1e-7)
    assert found.with_correction("none").std_error()[0] == pytest.approx(fit.bse[-1], rel=1e-7)


def test_scales_are_one_effect_told_three_ways():
    p = count_panel()
    design = StaggeredDesign.from_panel(p)
    ratio, log, per = (
        etwfe_poisson(p, design, "y", exposure="list_size", scale=scale) for scale in ("ratio", "log", "per_1000")
    )
    assert ratio.estimate == pytest.approx(np.expm1(log.estimate), rel=1e-12)
    overall = ratio.select(estimand="overall")
    assert abs(overall.estimate[0] + 0.2) < 3 * overall.std_error()[0] < 0.2
    # overall: events with the programme less events without, over exposure; cells of one object add up
    cells, one = per.select(estimand="att_gt"), per.select(estimand="overall")
    since = [k.event_time >= 0 for k in cells.index]
    exposed = [p.outcomes["list_size"][p.entry == k.cohort, k.period - 1].sum() for k in cells.index]
    assert one.estimate[0] == pytest.approx(
        np.average(cells.estimate[since], weights=np.array(exposed)[since]), rel=1e-12
    )
    assert {k.unit_of_measure for k in per.index} == {"events per 1,000"}


@pytest.mark.parametrize("scale", ["ratio", "log", "per_1000"])
def test_influence_of_a_cell_is_the_derivative_in_the_weight_of_a_unit(scale):
    """Duplicating a unit k times is giving it weight 1 + k; the influence is the slope at k = 0, by brute force."""
    p = count_panel()
    design = StaggeredDesign.from_panel(p)
    found = etwfe_poisson(p, design, "y", exposure="list_size", scale=scale).select(estimand="att_gt")
    n = p.n_units
    for unit in (0, 14, 30):
        values = {}
        for copies in (40, 41):
            rows = np.concatenate([np.repeat(np.arange(n), 40), np.repeat(unit, copies - 40)])
            many = replace(
                p, unit_ids=np.arange(len(rows)).astype(object), cluster=np.arange(len(rows)).astype(object),
                outcomes={k: v[rows] for k, v in p.outcomes.items()}, weight=p.weight[rows],
                baseline={k: v[rows] for k, v in p.baseline.items()}, entry=p.entry[rows],
            )  # fmt: skip
            design_of = StaggeredDesign.from_panel(many)
            values[copies] = etwfe_poisson(many, design_of, "y", exposure="list_size", scale=scale).estimate
        slope = ((values[41] - values[40]) * 40 * n)[: len(found)]
        # a forward difference with step 1/40: its own error is of that order
        assert slope == pytest.approx(found.influence[unit], rel=0.03, abs=0.01 * np.abs(found.influence).max())


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_entries_asked_for_are_those_among_all(missing):
    p = count_panel(missing)
    design = StaggeredDesign.from_panel(p)
    every = etwfe_poisson(p, design, "y", exposure="list_size", covariates=["x"])
    for names in (["event_study"], ["overall", "cohort"]):
        some = etwfe_poisson(p, design, "y", exposure="list_size", covariates=["x"], entries=names)
        expected = every.take([j for j, key in enumerate(every.index) if key.estimand in names])
        assert some.index == expected.index
        assert some.no_error == expected.no_error
        # the same fit, of which fewer sums are taken: rounding alone, relative to the largest of each entry
        assert np.abs(some.estimate / expected.estimate - 1).max() <= 1e-12
        largest = np.abs(expected.influence).max(axis=0)
        assert largest.min() > 0
        assert (np.abs(some.influence - expected.influence).max(axis=0) <= 1e-12 * largest).all()


def test_refusals_say_why():
    p = count_panel()
    design = StaggeredDesign.from_panel(p)
    y = p.outcomes["y"].copy()

    def with_counts(values):
        return replace(p, outcomes={**p.outcomes, "y": values})

    none = np.where((p.entry == 5)[:, None] & (p.clock == 6), 0.0, y)
    with pytest.raises(EstimationError, match=r"no events of y: \(5, 6\)"):
        etwfe_poisson(with_counts(none), design, "y")
    negative = np.where(y == y[0, 0], -1.0, y)
    with pytest.raises(EstimationError, match="negative"):
        etwfe_poisson(with_counts(negative), design, "y")
    silent = np.where((p.entry == 5)[:, None] & (p.clock < 5), 0.0, y)
    with pytest.raises(EstimationError, match="no events in their comparison rows"):
        etwfe_poisson(with_counts(silent), design, "y")
    with pytest.raises(EstimationError, match="need an exposure"):
        etwfe_poisson(p, design, "y", scale="per_1000")
    with pytest.raises(EstimationError, match="neither an outcome nor a baseline"):
        etwfe_poisson(p, design, "y", exposure="lists")
    with pytest.raises(EstimationError, match="no level"):
        poisson_fe(p, design, "y", exposure="list_size", scale="per_1000")
    zero = replace(p, outcomes={**p.outcomes, "list_size": np.zeros_like(y)})
    with pytest.raises(EstimationError, match="zero or negative"):
        etwfe_poisson(zero, design, "y", exposure="list_size")


def test_units_without_events_change_nothing_and_a_cohort_of_one_has_no_error():
    p = count_panel(sizes=(1, 12, 12))
    design = StaggeredDesign.from_panel(p)
    found = etwfe_poisson(p, design, "y", exposure="list_size")
    for k, error in zip(found.index, found.std_error(), strict=True):
        if k.cohort == 3 or k.estimand == "overall":
            assert np.isnan(error)
    y = p.outcomes["y"].copy()
    y[20] = 0.0
    silent = replace(p, outcomes={**p.outcomes, "y": y})
    without = silent.restrict(np.arange(p.n_units) != 20, "made", "")
    one = poisson_fe(silent, StaggeredDesign.from_panel(silent), "y", exposure="list_size")
    two = poisson_fe(without, StaggeredDesign.from_panel(without), "y", exposure="list_size")
    assert one.estimate == pytest.approx(two.estimate, rel=1e-10)
    assert any("say nothing" in note for note in one.notes)
