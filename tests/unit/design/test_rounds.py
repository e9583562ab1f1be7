"""One round on plain arrays: the sort of lottery numbers against a plain one, and the way back to applicants."""

from __future__ import annotations

import numpy as np
import pytest

from mtvp_eval.arrays import IntArray
from mtvp_eval.design.rounds import Keys, put_back, sort_by_ticket


def plainly(tickets: Keys, classes: IntArray) -> list[list[int]]:
    return [sorted(range(len(row)), key=lambda i: (classes[i], row[i])) for row in tickets.tolist()]


@pytest.mark.parametrize("n", [1, 2, 40, 129])
@pytest.mark.parametrize("classes", [1, 3])
def test_numbers_that_agree_in_their_high_halves_are_told_apart_by_their_low_ones(n: int, classes: int) -> None:
    # Drawn from four high halves, so nearly all numbers agree with another one there; the bits that class and row
    # take are left out of the low halves, where the order could not see them.
    rng = np.random.default_rng(n)
    low = rng.permuted(np.tile(np.arange(n, dtype=np.uint64), (50, 1)), axis=1) << np.uint64(20)
    tickets = (rng.integers(4, size=(50, n), dtype=np.uint64) << np.uint64(61)) | low
    standing = rng.integers(classes, size=n)
    assert sort_by_ticket(tickets.copy(), standing).tolist() == plainly(tickets, standing)


@pytest.mark.parametrize("n", [3, 300, 2000])
def test_random_numbers_are_sorted_as_python_sorts_them(n: int) -> None:
    # 300 sort by high halves, of which about one draw in 180 has two alike; 2,000 at once by all bits.
    rng = np.random.default_rng(n)
    tickets = rng.integers(2**64 - 1, size=(400 if n < 2000 else 20, n), dtype=np.uint64, endpoint=True)
    standing = rng.integers(2, size=n)
    assert sort_by_ticket(tickets.copy(), standing).tolist() == plainly(tickets, standing)


def test_what_is_put_back_is_found_at_its_own_row() -> None:
    rng = np.random.default_rng(1)
    order = rng.permuted(np.tile(np.arange(30, dtype=np.uint32), (20, 1)), axis=1)
    rounds = rng.integers(0, 102, size=(30, 20)).astype(np.int8)  # 100 capped rounds and the open one
    back = put_back(order, rounds)
    assert np.array_equal(np.take_along_axis(back, order.astype(np.int64), axis=1), rounds.T)
