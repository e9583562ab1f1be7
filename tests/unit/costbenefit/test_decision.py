"""Envelope, frontier and ratios against brute force and against cases small enough to see."""

import numpy as np
import pytest

from mtvp_eval.costbenefit.decision import FrontierStatus, acceptability, frontier
from mtvp_eval.costbenefit.plane import Difference, Quadrant, SetShape, fieller
from mtvp_eval.costbenefit.voi import evsi_linear, unit_loss
from mtvp_eval.errors import DataError


def brute_force(effects, costs, grid):
    nb = grid[:, None, None] * effects - costs
    best = nb.argmax(axis=2)
    ceac = np.stack([(best == d).mean(axis=1) for d in range(effects.shape[1])])
    return ceac, nb.max(axis=2).mean(axis=1) - nb.mean(axis=1).max(axis=1)


@pytest.mark.parametrize("options", [2, 3, 4, 7])
def test_envelope_equals_brute_force(options):
    rng = np.random.default_rng(options)
    effects, costs = rng.normal(size=(500, options)), 1e4 * rng.normal(size=(500, options))
    grid = rng.permutation(np.linspace(0.0, 60_000.0, 41))  # any order of thresholds
    result = acceptability(effects, costs, grid)
    ceac, evpi = brute_force(effects, costs, grid)
    assert result.ceac == pytest.approx(ceac, abs=1e-12)
    assert result.evpi == pytest.approx(evpi, rel=1e-10)


def test_ties_go_to_the_larger_effect_whatever_the_order():
    effects, costs = np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 2.0]]), np.zeros((2, 3))
    for order in ([0, 1, 2], [2, 1, 0]):
        result = acceptability(effects[:, order], costs[:, order], np.array([0.0, 1.0]))
        assert result.ceac.sum(axis=0).tolist() == [1.0, 1.0]
        assert result.ceac[order.index(0)].tolist() == [0.0, 0.0]


def test_without_uncertainty_information_is_worth_nothing():
    effects, costs = np.tile([0.0, 1.0, 3.0], (50, 1)), np.tile([0.0, 5.0, 40.0], (50, 1))
    assert acceptability(effects, costs, np.linspace(0, 100, 21)).evpi.tolist() == [0.0] * 21


def test_frontier_with_strict_and_extended_dominance():
    #        usual  A    B (dear, weak)  C    D
    cost = np.array([0.0, 10.0, 40.0, 30.0, 100.0])
    effect = np.array([0.0, 1.0, 0.5, 4.0, 5.0])
    result = frontier(cost, effect)
    names = [status.name for status in result.status]
    assert names == ["EFFICIENT", "EXTENDEDLY_DOMINATED", "DOMINATED", "EFFICIENT", "EFFICIENT"]
    assert result.icer[[3, 4]].tolist() == [7.5, 70.0]
    order = [4, 2, 0, 3, 1]
    shuffled = frontier(cost[order], effect[order])
    assert [shuffled.status[order.index(i)] for i in range(5)] == list(result.status)


def test_of_identical_options_one_is_kept():
    assert frontier(np.zeros(2), np.zeros(2)).status == (FrontierStatus.EFFICIENT, FrontierStatus.DOMINATED)


def test_draws_that_do_not_match_are_refused():
    with pytest.raises(DataError, match="same options"):
        acceptability(np.zeros((3, 2)), np.zeros((4, 2)), np.array([1.0]))
    with pytest.raises(DataError, match="1 of 3 draws"):
        acceptability(np.array([[0, 1], [np.nan, 1], [0, 1]]), np.zeros((3, 2)), np.array([1.0]))


def test_quadrants():
    quadrants = [Difference(e, c, 1, 1, 0).quadrant for e, c in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    assert quadrants == [Quadrant.NE, Quadrant.SE, Quadrant.SW, Quadrant.NW]
    # the same effect at less cost dominates and has no ratio to accept; more effect at the same cost dominates too
    on_axes = [Difference(e, c, 1, 1, 0).quadrant for e, c in ((0, -1), (0, 1), (1, 0), (-1, 0))]
    assert on_axes == [Quadrant.SE, Quadrant.NW, Quadrant.SE, Quadrant.NW]


def test_fieller_boundaries():
    z2 = 1.959963984540054**2
    line = fieller(Difference(0.0, 0.0, 1.0, 1.0, 0.0))
    assert line.shape is SetShape.WHOLE_LINE
    assert line.contains(1e9)
    complement = fieller(Difference(1.0, 10.0, 1.0, 1.0, 0.0))  # effect not distinguishable from zero, cost is
    assert complement.shape is SetShape.COMPLEMENT
    assert not complement.contains(0.0)
    assert complement.contains(10.0)
    interval = fieller(Difference(10.0, 0.0, 1.0, 1.0, 0.0))
    # with zero cost the limits are symmetric: k^2 (100 - z2) = z2
    assert interval.high == pytest.approx(np.sqrt(z2 / (100 - z2)))
    assert interval.low == pytest.approx(-interval.high)


def test_one_more_sample_against_simulation():
    v, w = np.array([[4.0, 1.0], [1.0, 2.0]]), np.array([[3.0, 0.5], [0.5, 1.0]])
    c, mean = np.array([1.0, -2.0]), 0.7
    rng = np.random.default_rng(11)
    truth = rng.multivariate_normal([0, 0], v, 200_000)
    data = truth + rng.multivariate_normal([0, 0], w, 200_000)
    posterior = mean + data @ np.linalg.solve(v + w, v @ c)
    simulated = np.maximum(posterior, 0).mean() - max(mean, 0)
    # four Monte Carlo errors of 200,000 draws with a standard deviation of about 1.4
    assert evsi_linear(mean, c, v, w) == pytest.approx(simulated, abs=0.013)
    # as many data again, independent: half of the variance is resolved
    assert evsi_linear(mean, c, v, v) == pytest.approx(float(unit_loss(mean, np.sqrt(c @ v @ c / 2))))
