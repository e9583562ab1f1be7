"""Draws of the vaccine example against BCEA 2.4.84 and dampack 1.0.2, at 1e-12 relative: the same means and maxima."""

import json

import numpy as np
import pytest

from mtvp_eval.costbenefit.decision import FrontierStatus, acceptability, frontier, incremental
from mtvp_eval.costbenefit.plane import difference

pytestmark = pytest.mark.shared
tight = {"rel": 1e-12, "abs": 1e-12}


@pytest.fixture(scope="module")
def vaccine(shared_dir):
    folder = shared_dir / "reference/cea"
    draws = [
        np.loadtxt(folder / f"bcea/vaccine_{name}.csv", delimiter=",", skiprows=1) for name in ("effects", "costs")
    ]
    return *draws, json.loads((folder / "bcea_vaccine.json").read_text(encoding="utf-8"))


def test_difference_and_icer(vaccine):
    effects, costs, expected = vaccine
    want = expected["comparisons"][0]
    d = difference(incremental(effects, 0)[:, 1], incremental(costs, 0)[:, 1])
    assert d.icer == pytest.approx(want["ICER"], **tight)
    assert (d.effect, d.cost) == pytest.approx((want["mean_delta_e"], want["mean_delta_c"]), **tight)
    assert (d.var_effect, d.var_cost, d.covariance) == pytest.approx(
        (want["var_delta_e"], want["var_delta_c"], want["cov_delta"]), rel=1e-12, abs=0
    )
    assert d.inb(np.array(expected["k"]))[0] == pytest.approx(np.array(want["EIB"]), **tight)


def test_acceptability_and_perfect_information(vaccine):
    effects, costs, expected = vaccine
    result = acceptability(effects, costs, np.array(expected["k"]))
    assert pytest.approx(np.array(expected["p_best"]), **tight) == result.ceac.T
    assert result.ceaf == pytest.approx(np.array(expected["CEAF"]), **tight)
    assert (result.optimal + 1).tolist() == expected["best_intervention_1based"]
    assert pytest.approx(np.array(expected["mean_NB"]), **tight) == result.expected.T
    assert result.evpi == pytest.approx(np.array(expected["EVPI"]), **tight)


def test_the_frontier_line_is_not_the_highest_curve(vaccine):
    # at 22,500 the option with the highest mean (vaccination, .493) is not the one most often best (.507)
    effects, costs, _ = vaccine
    result = acceptability(effects, costs, np.array([22_500.0]))
    assert result.ceaf[0] == pytest.approx(0.493)
    assert result.ceac.max() == pytest.approx(0.507)


def test_threshold_on_the_default_grid(vaccine):
    effects, costs, expected = vaccine
    grid = np.arange(0.0, 50_000.0 + 1, expected["kstar_default_grid"]["step"])
    result = acceptability(effects, costs, grid)
    assert grid[np.flatnonzero(np.diff(result.optimal))[0] + 1] == expected["kstar_default_grid"]["kstar"]


def test_frontier(vaccine):
    effects, costs, expected = vaccine
    result = frontier(costs.mean(axis=0), effects.mean(axis=0))
    assert result.status == (FrontierStatus.EFFICIENT,) * 2
    assert result.icer[1] == pytest.approx(expected["dampack_icers"][1]["ICER"], **tight)
