import numpy as np
import pytest

from mtvp_eval.estimators.kenward_roger import independent_blocks, small_sample


def groups(m, size, seed=0):
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(m), size)
    y = rng.normal(size=m)[label] * 2 + rng.normal(size=m * size)
    return label, y


def components_of_variance(y, label, m, size):
    """Analysis of variance of a balanced one-way layout: restricted maximum likelihood where it is positive."""
    mean = np.array([y[label == j].mean() for j in range(m)])
    within = sum(((y[label == j] - mean[j]) ** 2).sum() for j in range(m)) / (m * (size - 1))
    return np.array([(size * mean.var(ddof=1) - within) / size, within])


def test_a_balanced_mean_has_one_degree_of_freedom_less_than_groups_and_no_adjustment():
    label, y = groups(6, 4)
    variance = components_of_variance(y, label, 6, 4)
    found = small_sample(independent_blocks(np.ones((24, 1)), y - y.mean(), label, [label]), variance)
    mean = np.array([y[label == j].mean() for j in range(6)])
    # the variance of a mean of group means, exactly chi-square with 5 degrees of freedom
    assert found.adjusted[0, 0] == pytest.approx(mean.var(ddof=1) / 6, rel=1e-10)
    assert found.df(np.array([[1.0]]))[0] == pytest.approx(5, rel=1e-10)
    assert found.gain < 1e-20


def test_two_arms_of_clusters_have_two_less():
    label, y = groups(8, 3, seed=1)
    arm = (label % 2).astype(float)
    X = np.column_stack([np.ones(24), arm])
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    mean = np.array([y[label == j].mean() for j in range(8)])
    between = sum(((mean[k::2] - mean[k::2].mean()) ** 2).sum() for k in (0, 1)) / 6
    within = sum(((y[label == j] - mean[j]) ** 2).sum() for j in range(8)) / 16
    found = small_sample(
        independent_blocks(X, y - X @ beta, label, [label]), np.array([between - within / 3, within])
    )  # fmt: skip
    assert found.df(np.array([[0.0, 1.0]]))[0] == pytest.approx(6, rel=1e-10)
    assert found.adjusted[1, 1] == pytest.approx(between * (1 / 4 + 1 / 4), rel=1e-10)


def test_derivative_and_score_equal_finite_differences():
    rng = np.random.default_rng(2)
    label, period = np.repeat(np.arange(5), 6), np.tile(np.arange(6), 5)
    X = np.column_stack([np.ones(30), rng.normal(size=30)])
    y, theta = rng.normal(size=30), np.array([0.7, 0.4, 1.1])
    block = label // 3

    def at(values):
        def gls(v):
            V = sum(
                t * G
                for t, G in zip(
                    v,
                    [
                        (label[:, None] == label).astype(float),
                        ((block[:, None] == block) & (period[:, None] == period)).astype(float),
                        np.eye(30),
                    ],
                    strict=True,
                )
            )
            inverse = np.linalg.inv(V)
            plain = np.linalg.inv(X.T @ inverse @ X)
            residual = y - X @ plain @ X.T @ inverse @ y
            likelihood = -0.5 * (np.linalg.slogdet(V)[1] - np.linalg.slogdet(plain)[1] + residual @ inverse @ residual)
            return plain, residual, likelihood

        return gls(values)

    plain, residual, _ = at(theta)
    found = small_sample(independent_blocks(X, residual, block, [label, block * 6 + period]), theta)
    assert np.allclose(found.plain, plain, rtol=1e-10)
    score = np.empty(3)
    for k in range(3):
        up, down = at(theta + 1e-5 * np.eye(3)[k]), at(theta - 1e-5 * np.eye(3)[k])
        # central differences
        assert np.allclose(found.derivative[k], (up[0] - down[0]) / 2e-5, atol=1e-8)
        score[k] = (up[2] - down[2]) / 2e-5
    assert found.gain == pytest.approx(0.5 * score @ found.component_covariance @ score, rel=1e-6)
