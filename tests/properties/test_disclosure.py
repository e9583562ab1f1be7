"""No withheld cell follows from the published ones, whatever the table; and nothing is withheld without need."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtvp_eval.report.disclosure import derivable, withhold


def margins(rows: int, columns: int) -> np.ndarray:
    """Relations of a rows x columns table with row totals, column totals and a grand total."""
    cells = (rows + 1) * (columns + 1)
    at = np.arange(cells).reshape(rows + 1, columns + 1)
    relations = []
    for line in [*at, *at.T]:
        relation = np.zeros(cells)
        relation[line[:-1]], relation[line[-1]] = 1.0, -1.0
        relations.append(relation)
    return np.array(relations)


def with_margins(inner: np.ndarray) -> np.ndarray:
    full = np.zeros((inner.shape[0] + 1, inner.shape[1] + 1))
    full[:-1, :-1] = inner
    full[-1, :-1], full[:-1, -1], full[-1, -1] = inner.sum(axis=0), inner.sum(axis=1), inner.sum()
    return full


tables = st.integers(2, 5).flatmap(
    lambda r: st.integers(2, 5).flatmap(
        lambda c: st.lists(st.lists(st.integers(0, 30), min_size=c, max_size=c), min_size=r, max_size=r)
    )
)


@settings(deadline=None, max_examples=150)
@given(tables, st.integers(2, 10))
def test_no_withheld_cell_can_be_worked_out(inner, threshold):
    full = with_margins(np.array(inner, dtype=float))
    size, equations = full.ravel(), margins(*np.shape(inner))
    hidden = withhold(size, equations, threshold)
    small = (size > 0) & (size < threshold)
    assert hidden[small].all()
    # Brute force, apart from the null space: a withheld cell is protected iff another table with the same published
    # cells has another value there; least squares finds one by asking for it.
    for j in np.flatnonzero(hidden & (size > 0)):
        free = np.flatnonzero(hidden)
        target = np.zeros(len(free))
        target[list(free).index(j)] = 1.0
        A = np.vstack([equations[:, free], target])
        move, *_ = np.linalg.lstsq(A, np.r_[np.zeros(len(equations)), 1.0], rcond=None)
        reachable = np.abs(A @ move - np.r_[np.zeros(len(equations)), 1.0]).max() < 1e-6
        assert reachable or not derivable_is_avoidable(j, size, equations, hidden)


def derivable_is_avoidable(j: int, size: np.ndarray, equations: np.ndarray, hidden: np.ndarray) -> bool:
    """A cell stays open only when every other cell of its relations is empty or withheld already."""
    related = (equations[equations[:, j] != 0] != 0).any(axis=0)
    return bool((related & ~hidden & (size > 0)).any())


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=8), st.integers(2, 10))
def test_the_withheld_of_one_margin_are_two_and_not_small_together(sizes, threshold):
    size = np.array([*sizes, sum(sizes)], dtype=float)
    hidden = withhold(size, np.array([[1.0] * len(sizes) + [-1.0]]), threshold)
    if hidden[:-1].any() and not hidden[-1]:
        assert hidden.sum() >= 2
        assert size[hidden].sum() >= threshold
    if min(sizes) >= threshold:
        assert not hidden.any()


def test_two_in_every_line_is_not_enough():
    # Two blocks of four withheld cells joined by one more: the joining cell is determined though its lines hold 3.
    hidden = np.zeros((5, 5), dtype=bool)
    hidden[0:2, 0:2] = hidden[2:4, 2:4] = True
    hidden[0, 2] = True
    found = derivable(hidden.ravel(), margins(4, 4)).reshape(5, 5)
    assert found[0, 2]
    assert found.sum() == 1
