from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.errors import DesignError, EstimationError
from mtvp_eval.estimands import aggregate as estimand
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna, supported_cells
from mtvp_eval.estimators.doubly_robust import LEVERAGE_COUNTS_BELOW

CLOCK = np.arange(8090, 8096)


def region(entry, seed=0, **baseline):
    """Units with own level and trend by log list size; effect 0.5 from entry on."""
    rng = np.random.default_rng(seed)
    entry = np.asarray(entry)
    n = len(entry)
    x = rng.normal(size=n)
    y = rng.normal(size=(n, 1)) + 0.1 * x[:, None] * np.arange(6) + rng.normal(scale=0.15, size=(n, 6))
    y = y + 0.5 * (entry[:, None] <= CLOCK)
    values = {"x": x} | {k: np.asarray(v, dtype=float) for k, v in baseline.items()}
    return Panel(
        np.array([f"p{i}" for i in range(n)], dtype=object),
        tuple(map(str, CLOCK)),
        CLOCK,
        {"y": y},
        weight=rng.uniform(1000, 9000, size=n),
        baseline=values,
        entry=entry,
    )


ENTRY = np.repeat([8092, 8093, 8094, NEVER], 15)


def fit(panel, **settings):
    design = StaggeredDesign.from_panel(panel)
    return callaway_santanna(panel, design, "y", **settings), design


def test_influence_is_the_derivative_of_the_estimate_in_each_units_weight():
    # brute force: raise one unit's weight a little; psi_i = n dATT/dw_i
    panel = region(ENTRY)
    design = StaggeredDesign.from_panel(panel)
    for method in ("reg", "ipw", "dr"):
        ones = StaggeredDesign(design.unit_ids, design.entry, design.clock)
        effects = callaway_santanna(panel, ones, "y", covariates=["x"], weighting="patient", method=method)
        for i in (0, 20, 50):
            moved = []
            for step in (1e-4, -1e-4):
                size = np.ones(60)
                size[i] += step
                other = StaggeredDesign(design.unit_ids, design.entry, design.clock, size=size)
                moved.append(
                    callaway_santanna(panel, other, "y", covariates=["x"], weighting="patient", method=method).estimate
                )
            # central differences: error of order step squared
            assert np.allclose(60 * (moved[0] - moved[1]) / 2e-4, effects.influence[i], atol=1e-5), method


def test_share_influence_is_the_derivative_of_the_aggregate():
    panel = region(ENTRY)
    design = StaggeredDesign.from_panel(panel)
    made = [estimand.overall, estimand.overall_cohort, estimand.overall_event, estimand.overall_calendar]

    def value(size):
        d = StaggeredDesign(design.unit_ids, design.entry, design.clock, size=size)
        cells = callaway_santanna(panel, d, "y", weighting="patient")
        return aggregate(cells, d, [f(d, "patient") for f in made])

    effects = value(np.ones(60))
    for i in (3, 33, 59):
        step = np.eye(60)[i] * 1e-4
        derivative = 60 * (value(1 + step).estimate - value(1 - step).estimate) / 2e-4
        assert np.allclose(derivative, effects.influence[i], atol=1e-5)


def test_rows_in_any_order_and_any_scale_give_the_same_effects():
    panel = region(ENTRY)
    effects, _ = fit(panel, covariates=["x"])
    order = np.random.default_rng(1).permutation(60)
    shuffled = Panel(
        panel.unit_ids[order], panel.periods, CLOCK, {"y": 1e-9 * panel.outcomes["y"][order]},
        baseline={"x": 1e6 * panel.baseline["x"][order] + 5}, entry=panel.entry[order],
    )  # fmt: skip
    scaled, _ = fit(shuffled, covariates=["x"])
    # sums in another order
    assert np.allclose(scaled.estimate * 1e9, effects.estimate, rtol=1e-9)
    assert np.allclose(scaled.std_error() * 1e9, effects.std_error(), rtol=1e-9)


def test_a_cohort_of_one_has_an_estimate_and_a_reason_instead_of_an_error():
    effects, design = fit(region([*ENTRY, 8095]))
    lonely = effects.select(cohort=8095)
    assert np.isfinite(lonely.estimate).all()
    assert np.isnan(lonely.std_error()).all()
    assert all("one unit" in r for r in lonely.no_error)
    overall = aggregate(effects, design, [estimand.overall(design)])
    assert np.isnan(overall.std_error()[0])
    rest = [c for c in design.post_cells() if c[0] != 8095]
    assert np.isfinite(aggregate(effects, design, [estimand.overall(design, within=rest)]).std_error()[0])


def test_a_separating_covariate_stops_with_the_cells_named_never_with_a_number():
    # every enrolled unit is larger than every waiting one
    panel = region(ENTRY, size=np.where(ENTRY == NEVER, 0.0, 10.0) + np.arange(60) / 60)
    with pytest.raises(EstimationError, match=r"(?s)cells of y have no trustworthy.*ATT\(202.Q., 202.Q.\).*separate"):
        fit(panel, covariates=["size"])
    design = StaggeredDesign.from_panel(panel)
    cells, why = supported_cells(panel, design, "y", covariates=["size"])
    assert set(cells) | set(why) == set(design.identified_cells())
    assert not set(cells) & set(why)


@pytest.mark.parametrize(
    ("values", "words"),
    [(np.ones(60), "size is constant"), (np.where(np.arange(60) < 2, np.nan, np.arange(60)), "missing for 2 units")],
)
def test_unusable_covariates_are_refused(values, words):
    with pytest.raises(EstimationError, match=words):
        fit(region(ENTRY, size=values), covariates=["size"])


def test_supported_cells_never_read_an_outcome():
    panel = region(ENTRY)
    design = StaggeredDesign.from_panel(panel)
    other = Panel(panel.unit_ids, panel.periods, CLOCK, {"y": np.exp(panel.outcomes["y"])}, baseline=panel.baseline)
    assert supported_cells(panel, design, "y", covariates=["x"]) == supported_cells(
        other, design, "y", covariates=["x"]
    )


def test_gaps_use_units_seen_in_both_periods_of_a_cell_only():
    panel = region(ENTRY)
    y = panel.outcomes["y"].copy()
    y[[0, 7, 50], [3, 2, 4]] = np.nan
    gappy = Panel(panel.unit_ids, panel.periods, CLOCK, {"y": y}, entry=panel.entry)
    effects, design = fit(gappy)
    j = effects.index.index(effects.select(cohort=8092, period=8093).index[0])
    change = y[:, 3] - y[:, 1]
    treated, against = change[:15], change[design.comparison_units(8092, 8093)]
    assert effects.estimate[j] == pytest.approx(np.nanmean(treated) - np.nanmean(against), rel=1e-12)
    # Neyman by hand on the units seen: 14 treated, all comparison units
    pooled = against - np.nanmean(against)
    a = sum((pooled[k : k + 15] ** 2).sum() * 15 / 14 for k in range(0, len(against), 15)) / len(against) ** 2
    assert effects.std_error()[j] ** 2 == pytest.approx(np.nanvar(treated, ddof=1) / 14 + a, rel=1e-12)
    assert any("missing" in note for note in effects.notes)


def test_universal_base_gives_leads_from_one_base_and_the_same_effects():
    varying, _ = fit(region(ENTRY))
    universal, _ = fit(region(ENTRY), base_period=BasePeriod.UNIVERSAL)
    post = {(k.cohort, k.period): e for k, e in zip(universal.index, universal.estimate, strict=True)}
    for key, value in zip(varying.index, varying.estimate, strict=True):
        if key.event_time >= 0:
            assert post[key.cohort, key.period] == pytest.approx(value, rel=1e-12)
    assert -1 not in {k.event_time for k in universal.index}


def test_another_clock_or_an_unknown_outcome_is_refused():
    panel = region(ENTRY)
    design = StaggeredDesign.from_panel(panel)
    with pytest.raises(DesignError, match="periods"):
        callaway_santanna(panel.window(8090, 8094), design, "y")
    with pytest.raises(EstimationError, match="Unknown outcome z"):
        callaway_santanna(panel, design, "z")


def two_cohorts(seed=4, treated=9, waiting=14):
    """Two periods, one cohort that enters and one that waits: a single cell."""
    rng = np.random.default_rng(seed)
    n = treated + waiting
    x, z = rng.lognormal(size=n), rng.normal(size=n)
    y = rng.normal(size=(n, 2)) + np.column_stack([np.zeros(n), 0.4 * x])
    entry = np.array([8091] * treated + [NEVER] * waiting)
    ids = np.array([f"p{i}" for i in range(n)], dtype=object)
    return Panel(ids, ("1", "2"), CLOCK[:2], {"y": y}, weight=rng.uniform(1, 9, n), baseline={"x": x, "z": z},
                 entry=entry)  # fmt: skip


@pytest.mark.parametrize("weighting", ["practice", "patient"])
def test_hc2_with_covariates_is_that_of_the_regression_among_those_who_wait(weighting):
    import statsmodels.api as sm

    panel = two_cohorts()
    found, _ = fit(panel, covariates=["x", "z"], method="reg", weighting=weighting)
    change = np.diff(panel.outcomes["y"], axis=1)[:, 0]
    X = np.column_stack([np.ones(panel.n_units), panel.baseline["x"], panel.baseline["z"]])
    treated = panel.entry == 8091
    w = panel.weight if weighting == "patient" else np.ones(panel.n_units)
    model = sm.WLS(change[~treated], X[~treated], weights=w[~treated]).fit()
    share = w[treated] / w[treated].sum()
    at = share @ X[treated]
    own = share * (change - X @ model.params)[treated]
    own -= share * own.sum()
    n1, n0 = treated.sum(), (~treated).sum()
    # A mean by weights has leverage w/W, to which the correction by cohorts prefers 1/N: nothing for practices.
    mean = (1 - w[~treated] / w[~treated].sum()) * n0 / (n0 - 1)
    rooted = np.sqrt(w[~treated])[:, None] * X[~treated]
    inverse = np.linalg.inv(rooted.T @ rooted)
    leverage = np.einsum("ij,jk,ik->i", rooted, inverse, rooted)
    score = np.sqrt(mean / (1 - leverage)) * model.wresid * (rooted @ inverse @ at)
    expected = np.sqrt((own**2).sum() * n1 / (n1 - 1) + (score**2).sum())
    assert found.std_error()[0] == pytest.approx(expected, rel=1e-12)
    if weighting == "practice":
        comparison = at @ model.get_robustcov_results("HC2").cov_params() @ at
        assert (score**2).sum() == pytest.approx(comparison, rel=1e-12)


def test_leverage_moves_nothing_but_hc2_and_follows_every_combination():
    panel = region(ENTRY, seed=7)
    found, design = fit(panel, covariates=["x"])
    bare = replace(found, leveraged=None)
    assert (found.std_error() > bare.std_error()).all()
    for correction in ("none", "cr1"):
        same = found.with_correction(correction).std_error()
        assert same == pytest.approx(bare.with_correction(correction).std_error(), rel=0, abs=0)
    wanted = [estimand.overall(design), *estimand.event_study(design)]
    at_once = callaway_santanna(panel, design, "y", covariates=["x"], estimands=wanted)
    assert aggregate(found, design, wanted).std_error() == pytest.approx(at_once.std_error(), rel=1e-12)
    keys = tuple(replace(k, outcome="z") for k in bare.index)
    stacked = found.stack(found, replace(bare, index=keys))
    assert stacked.std_error() == pytest.approx(np.concatenate([found.std_error(), bare.std_error()]), rel=1e-12)
    assert found.take([1]).std_error()[0] == pytest.approx(found.std_error()[1], rel=1e-12)


def test_without_covariates_and_where_many_wait_leverage_is_left_out():
    assert fit(region(ENTRY))[0].leveraged is None
    many = region(np.repeat([8092, NEVER], [20, LEVERAGE_COUNTS_BELOW]))
    whole = fit(many, covariates=["x"])[0]
    assert whole.leveraged is None
    fewer = many.restrict(np.arange(many.n_units) > 0, "one left out", "to come below the bound")
    fewer = fewer.restrict(np.arange(fewer.n_units) < fewer.n_units - 1, "one left out", "to come below the bound")
    close = fit(fewer, covariates=["x"])[0]
    assert close.leveraged is not None
    assert close.std_error() == pytest.approx(replace(close, leveraged=None).std_error(), rel=1.2e-3)
