"""Every registered method answers in the same way, and refuses with a reason what it cannot do."""

import numpy as np
import pytest

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators import registry
from mtvp_eval.estimators.method import Averages, Choices
from mtvp_eval.estimators.registry import METHODS
from tests.unit.estimators.made_panel import made_panel

SYNTHETIC = ("synthetic_did", "synthetic_control")  # for projects of a few units: below, by themselves
DRAWN = [name for name, method in METHODS.items() if "undrawn" in method.refuses]  # below, with a draw
MANY = [name for name in METHODS if name not in (*SYNTHETIC, *DRAWN)]


def counts(p: Panel) -> Panel:
    from dataclasses import replace

    y = np.random.default_rng(0).poisson(np.exp(3 + 0.1 * np.nan_to_num(p.outcomes["y"]))).astype(float)
    return replace(p, outcomes={"y": y, "list_size": np.repeat(p.weight[:, None], p.n_periods, axis=1)})


def panel_for(name: str) -> Panel:
    return counts(made_panel()) if METHODS[name].counts else made_panel()


@pytest.mark.parametrize("name", MANY)
def test_every_estimand_a_method_names_is_given(name):
    p, method = panel_for(name), METHODS[name]
    design = StaggeredDesign.from_panel(p)
    found = registry.run(name, p, design, "y", sorted(method.estimands), Choices())
    assert {k.estimand for k in found.index} == set(method.estimands)
    assert np.isfinite(found.estimate).all()
    assert (found.std_error() > 0).all()
    frame = found.to_frame(0.9)
    assert (frame.ci_low < frame.estimate).all()
    times = [k.event_time for k in found.index if k.estimand == "event_study"]
    assert len(set(times)) == len(times) > 2


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize(
    ("feature", "choices"),
    [
        ("covariates", Choices(covariates=("x",))),
        ("patient_weights", Choices(weighting=Weighting.PATIENT)),
        ("exposure", Choices(exposure="list_size")),
    ],
)
def test_a_choice_moves_the_estimate_or_is_refused_with_the_reason(name, feature, choices):
    p, method = panel_for(name), METHODS[name]
    if feature == "exposure":
        p = counts(made_panel())
    design = StaggeredDesign.from_panel(p)
    asked = sorted(method.estimands & {"overall", "overall_event"})
    if feature in method.refuses:
        with pytest.raises(EstimationError, match=r"takes no .*: \w+"):
            registry.run(name, p, design, "y", asked, choices)
        return
    with_it = registry.run(name, p, design, "y", asked, choices)
    without = registry.run(name, p, design, "y", asked, Choices())
    # exposure that never changes cancels where unit effects are conditioned on, and cohort effects take most of it
    moved = not np.allclose(with_it.estimate, without.estimate, rtol=1e-6)
    assert moved or feature == "exposure"


@pytest.mark.parametrize("name", MANY)
def test_gaps_clusters_anticipation_and_comparison_are_served_or_refused(name):
    from dataclasses import replace

    p, method = panel_for(name), METHODS[name]
    asked = sorted(method.estimands & {"overall", "overall_event"})
    y = p.outcomes["y"].copy()
    y[np.random.default_rng(1).random(y.shape) < 0.05] = np.nan
    holes = replace(p, outcomes={**p.outcomes, "y": y})
    if "gaps" in method.refuses:
        with pytest.raises(EstimationError, match="missing"):
            registry.run(name, holes, StaggeredDesign.from_panel(holes), "y", asked, Choices())
    else:
        found = registry.run(name, holes, StaggeredDesign.from_panel(holes), "y", asked, Choices())
        assert np.isfinite(found.std_error()).all()
        assert any("missing" in note for note in found.notes)
    grouped = replace(p, cluster=np.array([f"c{i % 9}" for i in range(p.n_units)], dtype=object))
    one, two = (registry.run(name, q, StaggeredDesign.from_panel(q), "y", asked, Choices()) for q in (p, grouped))
    # here clusters explain nothing, and the mixed model leaves out a variance of zero
    assert name == "stepped_wedge" or one.std_error()[0] != pytest.approx(two.std_error()[0], rel=1e-3)
    if "anticipation" in method.refuses:
        with pytest.raises(EstimationError, match="no anticipation"):
            registry.run(name, p, StaggeredDesign.from_panel(p, anticipation=1), "y", asked, Choices())
    else:
        early = registry.run(name, p, StaggeredDesign.from_panel(p, anticipation=1), "y", asked, Choices())
        assert early.estimate[0] != pytest.approx(one.estimate[0], rel=1e-6)
    never = StaggeredDesign.from_panel(p, Comparison.NEVER_ENROLLED)
    if "never_enrolled" in method.refuses:
        with pytest.raises(EstimationError, match="never-enrolled only"):
            registry.run(name, p, never, "y", asked, Choices())
    else:
        other = registry.run(name, p, never, "y", asked, Choices())
        # Sun-Abraham never uses others; here only the never-enrolled stay clean through the stack's whole window
        assert name in ("sun_abraham", "stacked") or other.estimate[0] != pytest.approx(one.estimate[0], rel=1e-6)


def test_unknown_names_and_choices_are_all_named():
    p = made_panel()
    design = StaggeredDesign.from_panel(p)
    with pytest.raises(EstimationError, match="did you mean imputation"):
        registry.run("imputatoin", p, design, "y", ["overall"], Choices())
    with pytest.raises(EstimationError) as error:
        registry.run("twfe", p, design, "y", ["cohort"], Choices(exposure="x", options={"base_period": "varying"}))
    assert all(word in str(error.value) for word in ("exposure", "base_period", "cohort"))


def test_methods_are_called_by_name_on_the_package():
    import mtvp_eval.estimators as package

    p = made_panel()
    design = StaggeredDesign.from_panel(p)
    for name in METHODS:
        assert callable(getattr(package, name)), name
    assert package.imputation(p, design, "y").estimate.shape == (8,)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic_methods_serve_a_project_of_two_units_with_placebo_errors(name):
    rng = np.random.default_rng(5)
    n, T = 24, 12
    y = rng.normal(size=(n, 1)) + rng.normal(size=(n, T)).cumsum(axis=1) * 0.2
    y[:2, 9:] += 3.0
    clock = np.arange(1, T + 1)
    entry = np.where(np.arange(n) < 2, 10, 99)
    p = Panel(np.arange(n).astype(object), tuple(map(str, clock)), clock, {"y": y}, entry=entry)
    design = StaggeredDesign.from_panel(p)
    one, two = (registry.run(name, p, design, "y", ["overall", "event_study"], Choices()) for _ in range(2))
    assert [k.event_time for k in one.index] == [None, 0, 1, 2]
    assert np.array_equal(one.std_error(), two.std_error())
    assert abs(one.estimate[0] - 3.0) < 4 * one.std_error()[0] < 4.0
    with pytest.raises(EstimationError, match="takes no covariates"):
        registry.run(name, p, design, "y", ["overall"], Choices(covariates=("x",)))


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if isinstance(method.gives, Averages)])
def test_methods_of_a_draw_use_it_and_the_others_leave_it_aside(name):
    p = made_panel()
    whole = StaggeredDesign.from_panel(p)
    chance = np.full((whole.n_units, len(whole.clock) + 1), 1 / (len(whole.clock) + 1))
    two = np.array([f"b{i % 2}" for i in range(whole.n_units)], dtype=object)
    drawn = LotteryDesign(whole, two, whole.entry, entry_probability=chance)
    found = registry.run(name, p, drawn, "y", ["overall"], Choices())
    cells, why = registry.supported(name, p, drawn, "y", Choices())
    estimand = overall(registry.averages(name).read(drawn), within=cells)
    again = registry.estimate(name, p, drawn, "y", [estimand], Choices())
    assert why == {}
    assert again.estimate[0] == pytest.approx(found.estimate[0], rel=1e-12)
    assert again.std_error()[0] == pytest.approx(found.std_error()[0], rel=1e-12)
    if "undrawn" in METHODS[name].refuses:
        with pytest.raises(EstimationError, match="needs a declared draw"):
            registry.run(name, p, whole, "y", ["overall"], Choices())
        return
    alone = registry.run(name, p, whole, "y", ["overall"], Choices())
    assert (alone.estimate[0] == found.estimate[0]) is not name.startswith("lottery")


def test_a_method_without_cells_gives_no_totals():
    for name, method in METHODS.items():
        if not isinstance(method.gives, Averages):
            with pytest.raises(EstimationError, match=f"{name} gives .*of which totals are sums"):
                registry.averages(name)
