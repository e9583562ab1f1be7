"""Robust event-study intervals: the closed-form extreme points against linear programmes, and what is refused."""

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linprog

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import event_study
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.inference.honest import _changes, _extreme_points, breakdown, breakdown_relative, relative_magnitudes
from mtvp_eval.inference.honest_study import HonestStudy


@pytest.mark.parametrize("P", [1, 2, 3, 4])
@pytest.mark.parametrize("bound", [0.0, 0.7])
def test_extreme_points_solve_the_dual_linear_programme(P, bound):
    """max gamma'y over gamma >= 0, gamma's = 1, gamma'X = 0: the best extreme point equals HiGHS' optimum."""
    rng = np.random.default_rng(P)
    p, post = 3, rng.normal(size=P)
    changes = _changes(p, P)
    moments = np.concatenate([changes[p:] - bound * changes[0], -changes[p:] - bound * changes[0]])
    error = rng.uniform(0.5, 2, size=2 * P)
    points = _extreme_points(moments[:, -P:], post, error)
    other = np.linalg.svd(post[None, :])[2][1:]  # directions that leave the combination as it is
    for _ in range(30):
        y = rng.normal(size=2 * P)
        found = linprog(
            -y, A_eq=np.vstack([error, other @ moments[:, -P:].T]), b_eq=np.r_[1.0, np.zeros(P - 1)], method="highs"
        )
        assert (points @ y).max() == pytest.approx(-found.fun, abs=1e-9)


def test_breakdown_is_where_the_interval_reaches_zero():
    study = HonestStudy(np.array([0.1, -0.1, 0.05]), np.array([1.0, 1.2]), 0.01 * np.eye(5))
    post = np.array([0.5, 0.5])
    at = breakdown_relative(study, post, np.random.default_rng(0))
    below, above = relative_magnitudes(study, post, (at * 0.98, at * 1.02), np.random.default_rng(0))
    assert 0 < at < 20
    assert not below.holds_zero
    assert above.holds_zero


def test_breakdown_of_an_effect_that_is_not_there_is_zero():
    study = HonestStudy(np.array([0.1, -0.1]), np.array([0.01]), 0.01 * np.eye(3))
    assert breakdown_relative(study, np.ones(1), np.random.default_rng(0)) == 0.0


def test_breakdown_without_end_is_infinite():
    from mtvp_eval.inference.honest import RobustInterval

    assert breakdown(lambda m: RobustInterval(m, 1.0, 2.0)) == np.inf


def region(entry_times=(5, 6, NEVER), each=10):
    rng = np.random.default_rng(2)
    entry = np.repeat(entry_times, each)
    clock = np.arange(1, 9)
    y = rng.normal(size=(len(entry), 8)) + 3.0 * (clock[None, :] >= entry[:, None])
    ids = np.array([f"p{i:02d}" for i in range(len(entry))], dtype=object)
    panel = Panel(ids, tuple(map(str, clock)), clock, {"y": y}, entry=entry)
    return panel, StaggeredDesign.from_panel(panel)


def study_with(base, panel, design):
    cells = callaway_santanna(panel, design, "y", base_period=base)
    return aggregate(cells, design, event_study(design, base=base))


def test_only_one_universal_base_is_accepted():
    panel, design = region()
    read = HonestStudy.of(study_with(BasePeriod.UNIVERSAL, panel, design), first=-4, last=1)
    assert len(read.before), len(read.after) == (3, 2)
    assert read.notes == ()
    with pytest.raises(EstimationError, match="universal"):
        HonestStudy.of(study_with(BasePeriod.VARYING, panel, design), first=-4, last=1)


def test_two_coefficients_before_the_base_are_needed():
    panel, design = region()
    with pytest.raises(EstimationError, match="two coefficients before"):
        HonestStudy.of(study_with(BasePeriod.UNIVERSAL, panel, design), first=-2, last=1)


def test_few_clusters_are_said():
    panel, design = region(each=6)
    read = HonestStudy.of(study_with(BasePeriod.UNIVERSAL, panel, design), first=-4, last=1)
    assert "18 clusters" in read.notes[0]


def test_all_pairs_of_bounds_nest():
    study = HonestStudy(np.array([0.3, -0.1]), np.array([1.0, 1.5, 1.2]), 0.02 * np.eye(5))
    found = relative_magnitudes(study, np.array([0, 1.0, 0]), (0, 0.5, 1, 2), np.random.default_rng(0))
    assert all(a.low >= b.low and a.high <= b.high for a, b in combinations(found, 2))
