"""What cohorts' moments say without a pass over units equals the general regressions, on random designs."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.estimands.aggregate import by_cohort, event_study, overall, overall_event
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators import imputation, sun_abraham, two_stage, untreated_path
from mtvp_eval.estimators.cohort_moments import CohortInfluence
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.saturated import saturated_cells
from mtvp_eval.estimators.sun_abraham import against_last

EXACT = 1e-12
"""Of the largest entry: the same numbers by two ways; seen 3e-14."""
CORRECTIONS = {"sun_abraham": ("none", "hc2", "cr1", "fixest"), "imputation": ("none", "hc2"), "two_stage": ("none",)}


def random_panel(seed: int) -> Panel:
    """Seven of eight designs: some without never-enrolled, always-enrolled units, unequal weights, levels far apart."""
    rng = np.random.default_rng(seed)
    n, T = int(rng.integers(15, 60)), int(rng.integers(6, 11))
    entry = rng.choice([2, 4, 5, 6, NEVER] if seed % 2 else [1, 3, 4, 5, 6], n)
    y = 30 * rng.normal(size=(n, 1)) + 5 * rng.normal(size=T) + rng.normal(size=(n, T)).cumsum(axis=1)
    return Panel(
        rng.permutation(n), tuple(map(str, range(T))), np.arange(1, T + 1), {"y": y}, rng.uniform(0.2, 4, n),
        cluster=rng.integers(0, 6, n) if seed % 3 == 0 else None, entry=entry,
    )  # fmt: skip


def general(method, data: Panel, design: StaggeredDesign, monkeypatch, **more) -> EffectEstimates:
    """Estimate by regression on the rows, whatever could be said in closed form."""
    if method is sun_abraham:
        last = against_last(design)
        cells = last.identified_cells(BasePeriod.UNIVERSAL)
        return saturated_cells(data, last, "y", cells, covariates=(), interact=False, method="Sun-Abraham", **more)
    with monkeypatch.context() as patch:
        patch.setattr(untreated_path, "_complete", lambda *_: None)
        return method(data, design, "y", **more)


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    known = ~np.isnan(expected)
    largest = np.abs(expected[known]).max()
    return largest > 0 and np.abs(found[known] - expected[known]).max() <= EXACT * largest


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("weighting", list(Weighting))
@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("method", [sun_abraham, imputation, two_stage])
def test_moments_say_what_the_regression_says(method, seed, anticipation, weighting, averaged, monkeypatch):
    data = random_panel(seed)
    design = StaggeredDesign.from_panel(data, anticipation=anticipation)
    asked = ()
    if averaged:
        inside = {(k.cohort, k.period) for k in method(data, design, "y").index}
        asked = [
            *event_study(design, weighting, BasePeriod.UNIVERSAL, within=inside), overall(design, weighting, inside),
            overall_event(design, weighting, inside), *by_cohort(design, weighting, inside),
        ]  # fmt: skip
    found = method(data, design, "y", weighting=weighting, estimands=asked)
    expected = general(method, data, design, monkeypatch, weighting=weighting, estimands=asked)
    assert isinstance(found.psi, CohortInfluence)
    assert isinstance(expected.psi, np.ndarray)
    for name in ("index", "no_error", "notes", "ci_method", "regression", "sampling", "correction", "n_units"):
        assert getattr(found, name) == getattr(expected, name), name
    assert close(found.estimate, expected.estimate)
    assert close(found.influence, expected.influence)
    for correction in CORRECTIONS[method.__name__]:
        for cluster in (found.cluster, None):
            one, other = (replace(e, cluster=cluster).with_correction(correction) for e in (found, expected))
            assert close(one.covariance(), other.covariance())
            assert np.allclose(one.std_error(), other.std_error(), rtol=EXACT, atol=0, equal_nan=True)
            assert np.allclose(one.df(), other.df(), rtol=EXACT, atol=0, equal_nan=True)


def test_combinations_and_selections_keep_the_closed_form():
    data = random_panel(1)
    found = imputation(data, StaggeredDesign.from_panel(data), "y")
    rows = np.asarray(found.influence)
    matrix = np.random.default_rng(0).normal(size=(2, len(found)))
    combined = found.combine(found.index[:2], matrix)
    assert isinstance(combined.psi, CohortInfluence)
    assert close(combined.influence, rows @ matrix.T)
    assert close(found.take([3, 0]).influence, rows[:, [3, 0]])


def test_influence_is_not_made_for_a_table():
    data = random_panel(1)
    found = two_stage(data, StaggeredDesign.from_panel(data), "y").with_correction("none")
    found.to_frame()
    assert "values" not in vars(found.psi)
    assert found.influence is found.influence


def test_cells_given_twice_take_the_general_way():
    data = random_panel(1)
    design = StaggeredDesign.from_panel(data)
    cell = design.post_cells()[0]
    found = imputation(data, design, "y", cells=[cell, cell])
    assert isinstance(found.psi, np.ndarray)
    assert found.estimate[0] == found.estimate[1]
