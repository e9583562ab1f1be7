"""The lottery's default and the weighting by chances of entry, against plain means and by what must not matter."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.aggregate import event_study, overall
from mtvp_eval.estimands.att import cell_effect
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.lottery_default import beta_before_draw, lottery_default, shared_beta
from mtvp_eval.estimators.lottery_weighted import lottery_weighted

PLAIN = np.array([[1.0, 0.0, 0.0]])


def region(n: int = 24, before: int = 9, blocks: int = 1, seed: int = 0) -> tuple[Panel, LotteryDesign]:
    """Cohorts of equal size over three rounds and an open one, drawn at random inside blocks."""
    rng = np.random.default_rng(seed)
    T = before + 3
    clock = np.arange(T)
    size = rng.integers(1500, 6000, n).astype(float)
    y = np.cumsum(rng.standard_normal((n, T)), axis=1) + np.log(size)[:, None]
    entry = np.concatenate([rng.permutation(np.arange(n // blocks) % 4) for _ in range(blocks)]) + before
    ids = np.array([f"u{i}" for i in range(n)], dtype=object)
    panel = Panel(ids, tuple(map(str, clock)), clock, {"y": y}, weight=size, entry=entry)
    staggered = StaggeredDesign.from_panel(panel)
    block = np.repeat(np.arange(blocks), n // blocks).astype(object)
    return panel, LotteryDesign(staggered, block, staggered.entry)


def changed(panel: Panel, y: FloatArray) -> Panel:
    return replace(panel, outcomes={"y": y})


def test_plain_shares_are_differences_of_cohort_means() -> None:
    panel, design = region(blocks=2)
    estimand = overall(design)
    plain = aggregate(lottery(panel, design, "y", cells=estimand.cells), design, [estimand])
    found = lottery_default(panel, design, "y", [estimand], beta=PLAIN).effects
    # The same sums in another order.
    assert found.estimate == pytest.approx(plain.estimate, abs=1e-12)
    assert found.std_error() == pytest.approx(plain.std_error(), abs=1e-12)
    assert (found.sampling, found.correction) == ("design", "hc2")


def test_estimated_shares_take_out_what_list_size_adds() -> None:
    panel, design = region(n=160, blocks=2)
    estimands = [cell_effect((9, 9), Weighting.PRACTICE)]  # its earlier quarters all precede the tilt
    assert len(panel.unit_ids) >= 120  # so that the default estimates its shares
    after = panel.clock >= 9
    tilted = changed(panel, panel.outcomes["y"] + 3 * np.log(panel.weight)[:, None] * after)
    one, other = (lottery_default(p, design, "y", estimands) for p in (panel, tilted))
    # Exact up to the solution of three equations.
    assert other.effects.estimate == pytest.approx(one.effects.estimate, abs=1e-9)
    assert other.effects.std_error() == pytest.approx(one.effects.std_error(), abs=1e-9)
    assert other.beta[0, 2] - one.beta[0, 2] == pytest.approx(3, abs=1e-9)


def test_shares_of_a_small_region_use_nothing_after_the_draw() -> None:
    panel, design = region(before=17)
    estimands = [overall(design)]
    noise = np.random.default_rng(9).standard_normal(panel.outcomes["y"].shape) * (panel.clock >= 17)
    shaken = changed(panel, panel.outcomes["y"] + 100 * noise)
    shares = beta_before_draw(panel, design, "y", estimands)
    assert (shares != PLAIN).all()
    assert np.array_equal(beta_before_draw(shaken, design, "y", estimands), shares)
    assert np.array_equal(lottery_default(shaken, design, "y", estimands).beta, shares)


def test_a_short_past_gives_plain_differences() -> None:
    panel, design = region(before=10)  # eight quarters and the longest cell's three do not fit before the draw
    assert np.array_equal(lottery_default(panel, design, "y", [overall(design)]).beta, PLAIN)


def test_leads_are_plain_differences() -> None:
    panel, design = region(n=160, before=17)
    studies = event_study(design)
    shares = shared_beta(panel, design, "y", studies)
    leads = np.array([(e.event_time or 0) < 0 for e in studies])
    assert np.array_equal(shares[leads], np.repeat(PLAIN, leads.sum(), axis=0))
    assert (shares[~leads] != PLAIN).any(axis=1).all()


def test_units_with_gaps_are_left_out_and_counted() -> None:
    panel, design = region()
    y = panel.outcomes["y"].copy()
    y[0, 10] = np.nan
    found = lottery_default(changed(panel, y), design, "y", [overall(design)]).effects
    assert found.n_units == 23
    assert found.notes == ("1 units with missing periods are left out.",)
    keep = np.arange(24) > 0
    without = lottery_default(panel, design.restrict(keep), "y", [overall(design)]).effects
    assert found.estimate == pytest.approx(without.estimate, abs=1e-12)


def test_mixed_weightings_and_wrong_shapes_are_refused() -> None:
    panel, design = region()
    with pytest.raises(EstimationError, match="share their weighting"):
        lottery_default(panel, design, "y", [overall(design), overall(design, Weighting.PATIENT)])
    with pytest.raises(EstimationError, match="shape"):
        lottery_default(panel, design, "y", [overall(design)], beta=np.ones((1, 2)))
    gaps = panel.outcomes["y"].copy()
    gaps[3:, 10] = np.nan
    with pytest.raises(EstimationError, match="too few are left"):
        lottery_default(changed(panel, gaps), design, "y", [overall(design)])


def test_comparisons_across_application_rounds_cannot_be_asked_for() -> None:
    panel, design = region(n=24, blocks=2)
    first = np.arange(24) < 12
    entry = np.where(first, design.drawn_entry.min(), design.drawn_entry.max())  # each block starts as one cohort
    apart = LotteryDesign(StaggeredDesign(panel.unit_ids, entry, panel.clock), design.block, entry)
    with pytest.raises(NotIdentifiedError):
        overall(apart)
    with pytest.raises(NotIdentifiedError, match="No block"):
        lottery(panel, apart, "y", cells=[(int(entry.min()), int(entry.min()))])


def chances(design: LotteryDesign, first: int) -> FloatArray:
    table = np.zeros((design.staggered.n_units, len(design.clock) + 1))
    table[:, first : first + 3] = 0.25
    table[:, -1] = 0.25
    return table


def test_equal_chances_weigh_nothing() -> None:
    panel, design = region(blocks=2)
    weighted = replace(design, entry_probability=chances(design, 9))
    estimand = overall(weighted)
    found = aggregate(lottery_weighted(panel, weighted, "y", cells=estimand.cells), weighted, [estimand])
    plain = lottery_default(panel, design, "y", [overall(design)], beta=np.array([[0.0, 1.0, 0.0]])).effects
    assert found.estimate == pytest.approx(plain.estimate, abs=1e-12)


def test_weights_are_one_over_the_chance_of_the_side() -> None:
    panel, design = region()
    table = chances(design, 9)
    rng = np.random.default_rng(4)
    table[:, 9] = rng.uniform(0.1, 0.6, 24)
    table[:, 10:12], table[:, -1] = 0.1, 0.8 - table[:, 9]
    table[0, 9], table[0, -1] = 0.0, 0.8  # could not have started in the first round
    found = lottery_weighted(panel, replace(design, entry_probability=table), "y", cells=[(9, 9)])
    y = panel.outcomes["y"]
    v = y[:, 9] - y[:, 1:9].mean(axis=1)
    both = np.arange(24) > 0
    start, wait = both & (design.drawn_entry == 9), both & (design.drawn_entry > 9)
    by_hand = np.average(v[start], weights=1 / table[start, 9]) - np.average(v[wait], weights=1 / (1 - table[wait, 9]))
    assert found.estimate[0] == pytest.approx(by_hand, abs=1e-12)


def test_chances_must_be_there_and_inside() -> None:
    panel, design = region()
    with pytest.raises(EstimationError, match="no chances of entry"):
        lottery_weighted(panel, design, "y")
    certain = np.zeros((24, 13))
    certain[:, -1] = 1
    with pytest.raises(NotIdentifiedError, match="as well as later"):
        lottery_weighted(panel, replace(design, entry_probability=certain), "y", cells=[(9, 9)])
