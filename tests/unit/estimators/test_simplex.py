import numpy as np
import pytest

from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.simplex import simplex_least_squares


def objective(A, b, w, eta):
    return ((A @ w - b) ** 2).sum() + eta * (w**2).sum()


def test_the_objective_is_never_above_that_of_a_general_solver():
    from scipy.optimize import minimize

    rng = np.random.default_rng(7)
    for _ in range(80):
        m, n, eta = rng.integers(1, 12), rng.integers(1, 16), rng.choice([0.0, 0.01, 1.0])
        A, b = rng.normal(size=(m, n)), rng.normal(size=m)
        w = simplex_least_squares(A, b, eta)
        general = minimize(
            lambda x, A=A, b=b, eta=eta: objective(A, b, x, eta),
            np.full(n, 1 / n),
            jac=lambda x, A=A, b=b, eta=eta: 2 * (A.T @ (A @ x - b) + eta * x),
            bounds=[(0, 1)] * n,
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        assert w.min() >= 0
        assert w.sum() == pytest.approx(1, abs=1e-12)
        # rounding; seen 3e-13
        assert objective(A, b, w, eta) <= general.fun + 1e-11


def test_three_columns_equal_a_fine_grid():
    rng = np.random.default_rng(1)
    steps = np.linspace(0, 1, 401)
    grid = np.array([(p, q, 1 - p - q) for p in steps for q in steps if p + q <= 1 + 1e-12])
    for eta in (0.0, 0.5):
        A, b = rng.normal(size=(4, 3)), rng.normal(size=4)
        best = grid[np.argmin([objective(A, b, w, eta) for w in grid])]
        # a step of the grid
        assert np.abs(simplex_least_squares(A, b, eta) - best).max() <= 2 / 400


@pytest.mark.parametrize("eta", [0.0, 0.5, 50.0])
def test_no_donor_could_enter_or_leave_with_gain_among_many(eta):
    rng = np.random.default_rng(2)
    A = rng.normal(size=(10, 340)).cumsum(axis=0)
    b = A[:, :3].mean(axis=1) + rng.normal(size=10)
    w = simplex_least_squares(A, b, eta)
    gradient = A.T @ (A @ w - b) + eta * w
    # the conditions of a minimum, exact but for rounding on values of some hundreds
    assert np.ptp(gradient[w > 0]) <= 1e-8
    assert gradient.min() >= gradient[w > 0].max() - 1e-8


def test_level_and_scale_do_not_matter():
    rng = np.random.default_rng(3)
    A, b = rng.normal(size=(8, 6)), rng.normal(size=8)
    w = simplex_least_squares(A, b)
    # a level of a million leaves ten digits
    assert np.allclose(simplex_least_squares(A + 1e6, b + 1e6), w, atol=1e-8)
    assert np.allclose(simplex_least_squares(1e-9 * A, 1e-9 * b), w, rtol=1e-10, atol=1e-12)


def test_degenerate_columns():
    assert simplex_least_squares(np.ones((3, 4)), np.ones(3), 1.0).tolist() == [0.25] * 4
    twice = simplex_least_squares(np.array([[1.0, 1, 5], [2, 2, 0]]), np.array([1.0, 2]))
    assert twice.sum() == 1
    assert twice[2] == 0
    with pytest.raises(EstimationError, match="finite"):
        simplex_least_squares(np.array([[np.nan]]), np.array([1.0]))
