"""Replays of estimators with fixed cohort sizes: against one fit per replay, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.arrays import IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import event_study, overall
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.lottery_efficient import lottery_efficient
from mtvp_eval.inference.permuted import permuted_balance, permuted_estimators

BLOCK = np.repeat(["a", "b"], [14, 12])


def made(seed: int = 3) -> Panel:
    """Two blocks of three cohorts, seven periods, two outcomes."""
    rng = np.random.default_rng(seed)
    entry = np.concatenate([np.repeat([4, 6, 9], [4, 5, 5]), np.repeat([4, 6, 9], [3, 4, 5])])
    y = rng.standard_normal((26, 7)).cumsum(axis=1) + 0.5 * (np.arange(1, 8) >= entry[:, None])
    ids = np.array([f"u{i}" for i in range(26)], dtype=object)
    return Panel(ids, tuple("1234567"), np.arange(1, 8), {"y": y, "z": rng.standard_normal((26, 7)) + y}, entry=entry)


def design_of(panel: Panel, comparison: Comparison = Comparison.NOT_YET_ENROLLED) -> LotteryDesign:
    staggered = StaggeredDesign.from_panel(panel, comparison)
    return LotteryDesign(staggered, BLOCK.astype(object), staggered.entry)


def estimands(design: LotteryDesign) -> list[Estimand]:
    return [overall(design), *(e for e in event_study(design) if (e.event_time or 0) >= 0)]


def entries(panel: Panel, draws: int, seed: int) -> list[IntArray]:
    """The entries of each replay: the same permutations, block after block, that the replays use."""
    rng = np.random.default_rng(seed)
    assert panel.entry is not None
    found = np.repeat(panel.entry[None], draws, axis=0)
    for name in ("a", "b"):
        rows = np.flatnonzero(name == BLOCK)
        drawn = panel.entry[rows]
        ordered = np.sort(drawn)
        orders = np.repeat(np.argsort(drawn, kind="stable")[None], draws + 1, axis=0)
        rng.permuted(orders[1:], axis=1, out=orders[1:])
        for b in range(draws):
            found[b, rows[orders[1 + b]]] = ordered
    return list(found)


@pytest.mark.parametrize("beta", [None, 1.0, 0.0])
@pytest.mark.parametrize("comparison", list(Comparison))
def test_replays_equal_one_fit_per_replay(beta: float | None, comparison: Comparison) -> None:
    panel = made()
    design = design_of(panel, comparison)
    seen = permuted_estimators(panel, design, ["y", "z"], estimands(design), np.random.default_rng(5), 12, beta=beta)
    for j, name in enumerate(("y", "z")):
        fit = lottery_efficient(panel, design, name, estimands(design), beta=beta).effects
        assert seen.estimate[j] == pytest.approx(fit.estimate, rel=1e-10, abs=1e-12)
        assert np.sqrt(seen.variance[j]) == pytest.approx(fit.std_error(), rel=1e-10)
        for b, entry in enumerate(entries(panel, 12, 5)):
            again = replace(panel, entry=entry)
            other = design_of(again, comparison)
            fit = lottery_efficient(again, other, name, estimands(other), beta=beta).effects
            assert seen.replayed[b, j] == pytest.approx(fit.estimate, rel=1e-10, abs=1e-12)
            assert np.sqrt(seen.replayed_variance[b, j]) == pytest.approx(fit.std_error(), rel=1e-10)


def test_the_balance_is_the_gap_between_no_and_full_adjustment() -> None:
    panel = made()
    design = design_of(panel)
    seen = permuted_balance(panel, design, ["y"], [overall(design)], np.random.default_rng(1), 500)
    none, full = (lottery_efficient(panel, design, "y", [overall(design)], beta=b).effects for b in (0.0, 1.0))
    assert seen.estimate[0] == pytest.approx(none.estimate - full.estimate, rel=1e-10)
    error = seen.replayed.std() / np.sqrt(500)
    assert abs(seen.replayed.mean()) < 4 * error  # zero on average under the draw


def test_patient_weights_and_gaps_are_refused() -> None:
    panel = made()
    design = design_of(panel)
    with pytest.raises(EstimationError, match="change with every replay"):
        permuted_estimators(panel, design, ["y"], [overall(design, Weighting.PATIENT)], np.random.default_rng(1), 9)
    gap = panel.outcomes["y"].copy()
    gap[0, 0] = np.nan
    with pytest.raises(EstimationError, match="1 of 26 units have missing y"):
        permuted_estimators(
            replace(panel, outcomes={"y": gap}), design, ["y"], [overall(design)], np.random.default_rng(1), 9
        )
