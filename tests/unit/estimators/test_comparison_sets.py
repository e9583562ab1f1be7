"""A comparison set holds the units of each cohort, and says in which cells nothing moves."""

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.estimators.comparison_sets import comparison_sets

ENTRY = np.array([3, 5, NEVER, 4, 3, NEVER, 5, 4, 3])
DESIGN = StaggeredDesign(np.arange(9), ENTRY, np.arange(1, 7))
SETS = comparison_sets(DESIGN, DESIGN.identified_cells(), BasePeriod.VARYING)


def test_sets_hold_the_units_that_the_design_compares():
    cells = DESIGN.identified_cells()
    assert sorted(k for each in SETS for k in each.cells) == list(range(len(cells)))
    for each in SETS:
        for k in each.cells:
            g, t = cells[k]
            assert each.treated.tolist() == np.flatnonzero(g == ENTRY).tolist()
            compared = np.flatnonzero(DESIGN.comparison_units(g, t))
            assert sorted(np.concatenate(each.against).tolist()) == compared.tolist()
            assert each.n_against == len(compared)


def test_among_the_units_known_nobody_else_is_left():
    known = np.arange(9) % 2 == 0
    part = SETS[0].among(known, slice(0, 1))
    assert part.rows().tolist() == [row for row in SETS[0].rows() if known[row]]
    assert len(part.cells) == len(part.period) == len(part.base) == 1


@pytest.mark.parametrize("mover", [0, 2, 8])
def test_one_unit_that_moves_is_enough(mover):
    y = np.full((9, 6), 7.0)
    assert all(each.still(y, 7.0).all() for each in SETS)
    y[mover, 3] += 1e-9
    for each in SETS:
        touched = (each.period == 3) | (each.base == 3)
        assert each.still(y, 7.0).tolist() == (~touched | (mover not in each.rows())).tolist()
