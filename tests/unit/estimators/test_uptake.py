"""Uptake: instrumental variables as the original, closed forms, and winners who never start, start late or stop."""

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.uptake import placebo_after_announcement, quarters_started, uptake, uptake_table
from mtvp_eval.inference.fieller import RatioSet
from mtvp_eval.inference.uptake import per_quarter_of_exposure


def region(n=48, per_quarter=-2.0, comply=0.7, seed=1, clock=8):
    """Three rounds and an open one; some winners never start, start a quarter late, or stop after a quarter."""
    rng = np.random.default_rng(seed)
    periods = np.arange(1, clock + 1)
    drawn = rng.permutation(np.repeat([4, 5, 6, 7], n // 4))
    late, never = rng.random(n) > comply, rng.random(n) < 0.1
    started = np.where(never, NEVER, drawn + late)
    ended = np.where(~never & (rng.random(n) < 0.15), started + 1, NEVER)
    exposure = quarters_started(periods, started, ended)
    y = rng.normal(size=(n, 1)) * 3 + rng.normal(size=(n, clock)) + per_quarter * exposure
    panel = Panel(
        np.array([f"p{i}" for i in range(n)], dtype=object),
        tuple(str(t) for t in periods),
        periods,
        {"y": y},
        weight=rng.uniform(1, 4, n),
        entry=started,
    )
    design = LotteryDesign(StaggeredDesign.from_panel(panel), np.full(n, "r", dtype=object), drawn)
    return panel, design, exposure


@pytest.mark.parametrize("cell", [(4, 4), (4, 5), (5, 6)])
def test_one_cell_is_two_stage_least_squares(cell):
    from linearmodels.iv import IV2SLS

    panel, design, exposure = region()
    g, t = cell
    both = uptake(panel, design, "y", exposure, cells=[cell])
    use = (design.drawn_entry == g) | (design.drawn_entry > t)
    change = panel.outcomes["y"][:, t - 1] - panel.outcomes["y"][:, g - 2]
    dose = exposure[:, t - 1] - exposure[:, g - 2]
    frame = pd.DataFrame({"y": change, "d": dose, "z": design.drawn_entry == g, "one": 1.0})[use].astype(float)
    weights = pd.Series(panel.weight[use], index=frame.index)
    fit = IV2SLS(frame.y, frame[["one"]], frame[["d"]], frame[["z"]], weights=weights).fit(cov_type="robust")
    found = per_quarter_of_exposure(both)
    assert found.estimate == pytest.approx(fit.params["d"], rel=1e-9)  # the same ratio of weighted means


def test_two_cohorts_have_the_robust_error_of_two_stage_least_squares():
    from linearmodels.iv import IV2SLS

    panel, design, exposure = region()
    two = np.isin(design.drawn_entry, [4, 7])
    panel, design, exposure = panel.restrict(two, "two", "cohorts"), design.restrict(two), exposure[two]
    both = uptake(panel, design, "y", exposure, cells=[(4, 5)]).with_correction("none")
    change = panel.outcomes["y"][:, 4] - panel.outcomes["y"][:, 2]
    frame = pd.DataFrame({"y": change, "d": exposure[:, 4], "z": design.drawn_entry == 4, "one": 1.0}).astype(float)
    fit = IV2SLS(frame.y, frame[["one"]], frame[["d"]], frame[["z"]], weights=pd.Series(panel.weight)).fit(
        cov_type="robust"
    )
    found = per_quarter_of_exposure(both)
    gap = both.combine(both.index[:1], np.array([[1.0, -found.estimate]]))
    # residuals of both arms have mean zero, so the sandwich is the sum over arms to rounding
    assert gap.std_error()[0] / found.itt_exposure == pytest.approx(fit.std_errors["d"], rel=1e-8)


def test_everybody_starts_as_drawn():
    rng = np.random.default_rng(0)
    drawn = np.repeat([3, 4, 9], 6)
    panel = Panel(
        np.arange(18).astype(object),
        ("1", "2", "3", "4"),
        np.arange(1, 5),
        {"y": rng.normal(size=(18, 4))},
        entry=drawn,
    )
    design = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    never = np.full(18, NEVER)
    found = per_quarter_of_exposure(uptake(panel, design, "y", quarters_started(panel.clock, drawn, never)))
    # cells (3, 3), (3, 4), (4, 4), six units each: exposures 1, 2, 1 against none
    assert found.itt_exposure == pytest.approx(4 / 3, rel=1e-12)
    assert found.exposure_error == pytest.approx(0, abs=1e-12)
    assert found.estimate == pytest.approx(found.itt / (4 / 3), rel=1e-12)
    assert found.shape is RatioSet.INTERVAL
    from scipy.stats import t

    half = t.ppf(0.975, found.df) * found.itt_error / (4 / 3)
    assert found.high - found.estimate == pytest.approx(half, rel=1e-9)


def test_nobody_starts_gives_no_interval():
    panel, design, exposure = region()
    rng = np.random.default_rng(5)
    noise = (rng.random(exposure.shape) < 0.1).cumsum(axis=1).astype(float)  # takes part whatever the draw says
    found = per_quarter_of_exposure(uptake(panel, design, "y", noise))
    assert found.shape is not RatioSet.INTERVAL


def test_missing_outcomes_leave_exposure_over_the_same_units():
    panel, design, exposure = region()
    y = panel.outcomes["y"].copy()
    y[:5, 4:] = np.nan
    from dataclasses import replace

    both = uptake(replace(panel, outcomes={"y": y}), design, "y", exposure, cells=[(4, 5)])
    keep = np.ones(panel.n_units, dtype=bool)
    keep[:5] = False
    smaller = uptake(panel.restrict(keep, "k", "k"), design.restrict(keep), "y", exposure[keep], cells=[(4, 5)])
    np.testing.assert_allclose(both.estimate, smaller.estimate, rtol=1e-12)


def test_table_counts_winners_by_what_became_of_them():
    drawn = np.array([5, 5, 5, 5, 5, 6, 9])
    started = np.array([5, 6, NEVER, 4, 5, 8, 9])
    ended = np.array([NEVER, NEVER, NEVER, NEVER, 6, NEVER, NEVER])
    first, second = uptake_table(drawn, started, ended, np.full(7, 10.0), last=7)
    assert (first.winners, first.on_time, first.early, first.late, first.never, first.stopped) == (5, 2, 1, 1, 1, 1)
    assert first.patients == 50.0
    assert (second.winners, second.late, second.never) == (1, 0, 1)  # starts after the data end


def test_wrong_entries_are_refused():
    panel, design, exposure = region()
    both = uptake(panel, design, "y", exposure)
    with pytest.raises(EstimationError, match="in this order"):
        per_quarter_of_exposure(both.take([1, 0]))


def test_placebo_quarter_shows_what_winning_alone_did_and_nothing_else():
    panel, design, _ = region(per_quarter=-20.0)
    shown = placebo_after_announcement(panel, design, "y", weighting=Weighting.PATIENT)
    assert [key.event_time for key in shown.index] == [-1]
    # closed form: change from g - 2 to g - 1, winners less those drawn later, pooled by the winners' patients
    y, w, drawn = panel.outcomes["y"], panel.weight, design.drawn_entry
    parts = []
    for g in (4, 5, 6):
        change = y[:, g - 2] - y[:, g - 3]
        own, later = drawn == g, drawn > g
        gap = np.average(change[own], weights=w[own]) - np.average(change[later], weights=w[later])
        parts.append((gap, w[own].sum()))
    expected = sum(gap * size for gap, size in parts) / sum(size for _, size in parts)
    assert shown.estimate[0] == pytest.approx(expected, rel=1e-10)


def test_no_quarter_between_announcement_and_start():
    panel, design, _ = region()
    with pytest.raises(NotIdentifiedError, match="no quarter lies between"):
        placebo_after_announcement(panel, design, "y", lead=0)


def test_the_set_covers_the_effect_of_a_quarter():
    inside = []
    for seed in range(1000):
        panel, design, exposure = region(seed=seed, n=32)
        found = per_quarter_of_exposure(uptake(panel, design, "y", exposure))
        covered = found.low <= -2.0 <= found.high
        inside.append(
            covered if found.shape is RatioSet.INTERVAL else not covered or found.shape is RatioSet.EVERYTHING
        )
    # of 1,000 sets at .95 the share that covers has standard error .007; three of them below (Neyman is conservative)
    assert np.mean(inside) >= 0.93
