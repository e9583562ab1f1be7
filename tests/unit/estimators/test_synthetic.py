import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimators.synthetic_control import control_weights, synthetic_control
from mtvp_eval.estimators.synthetic_did import did_weights, synthetic_did

CLOCK = np.arange(2010, 2022)
METHODS = [synthetic_control, synthetic_did]


def municipalities(entry, effect=0.0, seed=0, y=None):
    """Paths of one common factor with unit loadings, plus noise; the effect is added from entry on."""
    entry = np.asarray(entry)
    rng = np.random.default_rng(seed)
    n = len(entry)
    if y is None:
        factor = rng.normal(size=12).cumsum()
        y = 10 + rng.normal(size=(n, 1)) + rng.uniform(0.5, 1.5, size=(n, 1)) * factor
        y = y + rng.normal(scale=0.3, size=(n, 12)) + effect * (entry[:, None] <= CLOCK)
    return Panel(
        np.array([f"m{i}" for i in range(n)], dtype=object),
        tuple(map(str, CLOCK)),
        CLOCK,
        {"cost": y},
        weight=rng.uniform(1e4, 1e5, size=n),
        entry=entry,
    )


def run(method, panel, seed=1, **settings):
    return method(panel, StaggeredDesign.from_panel(panel), "cost", rng=np.random.default_rng(seed), **settings)


ONE = np.array([2018] + [NEVER] * 15)
THREE = np.array([2017, 2018, 2018] + [NEVER] * 15)


@pytest.mark.parametrize("method", METHODS)
def test_an_effect_is_found_and_added_to_the_estimate_one_for_one(method):
    without, with_effect = run(method, municipalities(ONE)), run(method, municipalities(ONE, effect=5.0))
    # the weights of units and of periods are fitted before entry, so the effect passes through
    assert np.allclose(with_effect.effects.estimate - without.effects.estimate, 5.0, atol=1e-9)
    assert with_effect.p_value()[0] == 1 / 16
    assert np.isnan(with_effect.effects.std_error()).all()
    assert all("one treated unit" in note for note in with_effect.to_frame().note)


@pytest.mark.parametrize(("method", "weights"), [(synthetic_control, control_weights), (synthetic_did, did_weights)])
def test_placebos_are_each_donor_against_the_others(method, weights):
    panel = municipalities(ONE)
    y = panel.outcomes["cost"]
    found = run(method, panel)
    for j in range(1, 16):
        others = [i for i in range(1, 16) if i != j]
        omega, lam = weights(y[j], y[others], 8, 1)
        gap = y[j] - omega @ y[others]
        gap = gap - lam @ gap[:8]
        at = sorted(panel.unit_ids[1:]).index(panel.unit_ids[j])
        assert found.effects.draws[at, 0] == pytest.approx(gap[8:].mean(), abs=1e-12)
        assert found.placebo_pre_rmspe[at] == pytest.approx(np.sqrt((gap[:8] ** 2).mean()), abs=1e-12)
    ranks = np.abs(found.effects.draws[:, 0]) / found.placebo_pre_rmspe
    own = abs(found.effects.estimate[0]) / found.pre_rmspe
    assert found.p_value()[0] == (1 + (ranks >= own).sum()) / 16


@pytest.mark.parametrize(("method", "weights"), [(synthetic_control, control_weights), (synthetic_did, did_weights)])
@pytest.mark.parametrize("weighting", ["practice", "patient"])
def test_cohorts_are_averaged_by_treated_unit_periods(method, weights, weighting):
    panel = municipalities(THREE)
    y, w = panel.outcomes["cost"], panel.weight if weighting == "patient" else np.ones(18)
    total, mass = 0.0, 0.0
    for rows, pre in (([0], 7), ([1, 2], 8)):
        treated = np.average(y[rows], axis=0, weights=w[rows])
        omega, lam = weights(treated, y[3:], pre, len(rows))
        gap = treated - omega @ y[3:]
        total += w[rows].sum() * (gap[pre:] - lam @ gap[:pre]).sum()
        mass += w[rows].sum() * (12 - pre)
    found = run(method, panel, placebos=20, weighting=weighting)
    assert found.effects.estimate[0] == pytest.approx(total / mass, rel=1e-10)
    assert found.effects.std_error()[0] == pytest.approx(found.effects.draws[:, 0].std(), rel=1e-12)
    assert [k.event_time for k in found.effects.index] == [None, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("method", METHODS)
def test_rows_in_any_order_and_any_scale_give_the_same_effects(method):
    panel = municipalities(ONE, effect=2.0)
    order = np.random.default_rng(5).permutation(16)
    y = 1e-6 * panel.outcomes["cost"][order] + 3
    other = Panel(panel.unit_ids[order], panel.periods, CLOCK, {"cost": y}, entry=ONE[order])
    one, two = run(method, panel), run(method, other)
    # a level of 3 over values of 1e-6 leaves nine digits
    assert np.allclose(1e6 * two.effects.estimate, one.effects.estimate, atol=1e-6)
    assert two.p_value()[0] == one.p_value()[0]


@pytest.mark.parametrize("method", METHODS)
def test_diagnostics_equal_runs_by_hand(method):
    panel = municipalities(ONE, effect=1.0)
    found = run(method, panel)
    said = found.diagnostics().set_index("measure").value
    carrying = np.flatnonzero(found.fits[0].unit_weights >= 1e-3)
    left_out = []
    for j in carrying:
        keep = panel.unit_ids != found.donors[j]
        left_out.append(run(method, panel.restrict(keep, "test", "one donor less")).effects.estimate[0])
    assert np.allclose(found.leave_one_out, left_out, rtol=1e-10, atol=1e-10)
    assert said["largest weight of one donor"] == found.fits[0].unit_weights.max()
    assert said["effective number of donors"] == pytest.approx(1 / (found.fits[0].unit_weights ** 2).sum())
    assert "effective number of donors" in repr(found)
    # eight pre-periods leave three for an entry in 2015 that did not happen
    early = Panel(panel.unit_ids, panel.periods, CLOCK, panel.outcomes, entry=np.where(ONE == NEVER, NEVER, 2015))
    assert found.in_time == pytest.approx(run(method, early.window(2010, 2017)).effects.estimate[0], abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_fitted_is_refused(method):
    with pytest.raises(EstimationError, match="1 of 1 cohorts have fewer than 5 periods"):
        run(method, municipalities(np.array([2014] + [NEVER] * 15)))
    with pytest.raises(NotIdentifiedError, match="2 treated units and 2 complete donors"):
        run(method, municipalities([2018, 2018, NEVER, NEVER]))
    y = municipalities(ONE).outcomes["cost"].copy()
    y[0, 2] = np.nan
    with pytest.raises(EstimationError, match="1 treated units lack outcomes"):
        run(method, municipalities(ONE, y=y))


@pytest.mark.parametrize("method", METHODS)
def test_donors_with_gaps_are_left_out_and_counted(method):
    panel = municipalities(ONE)
    y = panel.outcomes["cost"].copy()
    y[5, 2] = np.nan
    gappy = run(method, municipalities(ONE, y=y))
    whole = run(method, panel.restrict(np.arange(16) != 5, "test", "has a gap"))
    assert np.allclose(gappy.effects.estimate, whole.effects.estimate, rtol=1e-10, atol=1e-12)
    assert any("1 of 15 donors lack outcomes" in note for note in gappy.effects.notes)


def test_where_everybody_enrolls_the_last_cohort_before_its_entry_is_the_donor_pool():
    last = np.array([2017] + [2020] * 10)
    found = run(synthetic_control, municipalities(last))
    assert [k.event_time for k in found.effects.index] == [None, 0, 1, 2]
    assert len(found.donors) == 10
    assert any("Everybody enrolls" in note for note in found.effects.notes)


def test_flat_donors_have_no_scale():
    y = np.ones((16, 12)) * np.arange(16)[:, None]
    with pytest.raises(EstimationError, match="do not move"):
        run(synthetic_did, municipalities(ONE, y=y))


def test_a_perfect_fit_is_ranked_without_its_error():
    # more donors than pre-periods fit anything: the error says nothing
    panel = municipalities(np.array([2018] + [NEVER] * 60), effect=3.0, seed=4)
    found = run(synthetic_control, panel)
    larger = (np.abs(found.effects.draws[:, 0]) >= abs(found.effects.estimate[0])).sum()
    assert found.placebo_pre_rmspe.min() < 1e-9
    assert found.p_value()[0] == (1 + larger) / 61


@pytest.mark.parametrize("method", METHODS)
def test_more_donors_than_a_fit_can_tell_apart_are_refused(method):
    entry = np.array([2018] + [NEVER] * 2001)
    with pytest.raises(EstimationError, match="2001 donors are more than the 2000"):
        run(method, municipalities(entry, y=np.zeros((2002, 12))))
