"""Moments of a two-way regression by cluster equal those of its dense rows."""

import numpy as np
import pytest

from mtvp_eval.inference.cluster_robust import LeastSquares, two_way_rows

ROUNDING = 1e-13
"""Of the largest entry: the same sums in another order."""


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_moments_equal_those_of_the_dense_rows(gaps: float, *, weighted: bool) -> None:
    rng = np.random.default_rng(4)
    n, T = 40, 6
    y = rng.normal(size=(n, T))
    y[rng.random((n, T)) < gaps] = np.nan
    effects = rng.normal(size=(n, T, 2))
    cluster = rng.permutation(np.repeat([0, 1, 3, 4], n // 4))  # a number without units stays without
    rows = two_way_rows(y, effects, cluster, rng.uniform(1, 3, n) if weighted else None)
    dense = LeastSquares(rows.X, rows.y, rows.cluster, rows.weight)
    assert len(rows.y) == np.isfinite(y).sum()
    for found, expected in zip(rows.moments(), dense.moments(), strict=True):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= ROUNDING * np.abs(expected).max()
