"""A comparison set works on the same units, whether they are found by place or as stretches of ordered units."""

import numpy as np

from mtvp_eval.clock import NEVER
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.estimators.comparison_sets import comparison_sets

ENTRY = np.array([3, 5, NEVER, 4, 3, NEVER, 5, 4, 3])


def design_of(entry: np.ndarray) -> StaggeredDesign:
    return StaggeredDesign(np.arange(len(entry)), entry, np.arange(1, 7))


def test_stretches_are_the_rows() -> None:
    ordered = design_of(np.sort(ENTRY))
    sets = comparison_sets(ordered, ordered.identified_cells(), BasePeriod.VARYING)
    assert sets[0].stretches == (slice(0, 9),)  # the first cohort against all that enter later
    assert {len(each.stretches) for each in sets} == {1, 2, 3}
    for each in sets:
        assert np.concatenate([np.arange(9)[here] for here in each.stretches]).tolist() == each.rows().tolist()


def test_changes_and_sums_are_the_same_in_any_order_of_units() -> None:
    order = np.argsort(ENTRY, kind="stable")
    mixed, ordered = design_of(ENTRY), design_of(ENTRY[order])
    y = np.random.default_rng(0).normal(size=(6, 9))
    cells = mixed.identified_cells()
    assert comparison_sets(mixed, cells, BasePeriod.VARYING)[0].stretches == ()
    for a, b in zip(*(comparison_sets(d, cells, BasePeriod.VARYING) for d in (mixed, ordered)), strict=True):
        change = a.change(y)
        assert np.array_equal(change, b.change(y[:, order]))
        here, there = np.zeros((2, 9)), np.zeros((2, 9))
        a.add(change[:1], here, np.array([1]))
        b.add(change[:1], there, np.array([1]))
        assert np.array_equal(here[:, order], there)
        assert np.count_nonzero(here) == len(a.rows())
