"""Free permutations: every order equally likely, and moments of equal cohort sizes equal cohort means by hand."""

import itertools

import numpy as np
import pytest

from mtvp_eval.design.rules import Applications
from mtvp_eval.inference.contrasts import event_study
from mtvp_eval.inference.permutations import permutations
from mtvp_eval.inference.replay import DrawnRegion, replay_statistics


def test_every_order_is_equally_likely():
    labels = np.array([1, 2, 3, 0], dtype=np.int8)
    drawn = permutations(labels, np.random.default_rng(0), 24_000)
    orders, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(orders) == len(list(itertools.permutations(labels)))
    # 23 degrees of freedom: the 99.99th percentile of chi-square is 57.4
    assert ((counts - 1000) ** 2 / 1000).sum() < 57.4


class CoarseKeys:
    """A generator whose keys are 0 or 1, so that nearly every draw holds equal ones."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def integers(self, low, high, size, dtype):
        first, second = self.rng.integers(0, 2, size=(2, size), dtype=dtype)
        return first | second << np.uint64(32)

    def random(self, size):
        return self.rng.random(size)


def test_equal_keys_favour_no_order():
    drawn = permutations(np.array([1, 2, 3, 0], dtype=np.int8), CoarseKeys(), 24_000)
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    # 23 degrees of freedom: the 99.99th percentile of chi-square is 57.4
    assert ((counts - 1000) ** 2 / 1000).sum() < 57.4


def test_labels_are_kept_where_keys_collide():
    labels = np.arange(30_000, dtype=np.int64).astype(np.int8) % 7
    drawn = permutations(labels.astype(np.int8), np.random.default_rng(0), 2)
    assert (np.sort(drawn, axis=1) == np.sort(labels)).all()
    assert (drawn[0] != drawn[1]).any()


@pytest.mark.parametrize("missing", [False, True])
def test_moments_equal_cohort_means_by_hand(missing):
    rng = np.random.default_rng(3)
    plan, _ = event_study(3, leads=1, overall=True)
    cohort = rng.permutation(np.repeat([1, 2, 3, 4], 6))
    y = rng.normal(size=(2, len(plan.cohort), 24))
    if missing:  # a unit without outcome takes part in the draw, so that sizes differ between draws
        y[1, :, 5] = np.nan
    region = DrawnRegion(Applications(np.full(24, 100), np.ones(24), 2400), None, cohort, np.arange(24))
    found = replay_statistics([region], y, plan, np.random.default_rng(1), 40, np.float64)
    for b, drawn in enumerate(region.replay(np.random.default_rng(1), 40)):
        for j in range(2):
            cells = by_hand(y[j], drawn, plan)
            for k in range(len(plan.names)):
                size = np.array([(drawn[np.isfinite(y[j, 0])] == plan.cohort[c]).sum() for c in plan.cells_of(k)])
                expected = np.average([cells[c] for c in plan.cells_of(k)], weights=size)
                assert found.replayed[b, j, k] == pytest.approx(expected, abs=1e-12)


def by_hand(numbers, drawn, plan):
    """Mean of the treated round less the mean of all that start later, cell by cell."""
    return [
        np.nanmean(numbers[c, drawn == plan.cohort[c]]) - np.nanmean(numbers[c, drawn > plan.after[c]])
        for c in range(len(plan.cohort))
    ]
