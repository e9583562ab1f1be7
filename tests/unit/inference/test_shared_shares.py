"""Common shares from what regions say of their contrasts: one panel of all practices gives the same, to rounding."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimators.lottery_default import default_contrasts, lottery_default
from mtvp_eval.inference.shared_shares import RegionContrasts, shared_shares

BEFORE = 12


def practices(name: str, cohorts: tuple[tuple[int, ...], ...], seed: int) -> tuple[Panel, np.ndarray]:
    """One region: a block for each row of cohort sizes over three rounds and an open one."""
    rng = np.random.default_rng(seed)
    entry = np.concatenate([rng.permutation(np.repeat(np.arange(len(row)), row)) for row in cohorts]) + BEFORE
    clock, n = np.arange(BEFORE + 3), len(entry)
    size = rng.integers(1500, 9000, n).astype(float)
    y = 50 * seed + np.cumsum(rng.standard_normal((n, len(clock))), axis=1) + np.log(size)[:, None] * (clock >= BEFORE)
    ids = np.array([f"{name}{i}" for i in range(n)], dtype=object)
    block = np.repeat([f"{name}-{b}" for b in range(len(cohorts))], [sum(row) for row in cohorts]).astype(object)
    return Panel(ids, tuple(map(str, clock)), clock, {"y": y}, weight=size, entry=entry), block


def drawn(panel: Panel, block: np.ndarray) -> LotteryDesign:
    staggered = StaggeredDesign.from_panel(panel)
    return LotteryDesign(staggered, block, staggered.entry)


def together(*regions: tuple[Panel, np.ndarray]) -> tuple[Panel, np.ndarray]:
    panels = [panel for panel, _ in regions]
    joint = Panel(
        np.concatenate([p.unit_ids for p in panels]), panels[0].periods, panels[0].clock,
        {"y": np.concatenate([p.outcomes["y"] for p in panels])},
        weight=np.concatenate([p.weight for p in panels]), entry=np.concatenate([p.entry for p in panels]),
    )  # fmt: skip
    return joint, np.concatenate([block for _, block in regions])


def not_replayed(panel: Panel, block: np.ndarray) -> RegionContrasts:
    design = drawn(panel, block)
    found = default_contrasts(panel, design, "y", overall(design))
    return RegionContrasts(found.estimate, found.covariance(), np.zeros(4), np.zeros(4))


def test_regions_pooled_by_their_contrasts_are_one_panel_with_blocks() -> None:
    regions = [
        practices("a", ((17, 14, 9, 20), (5, 4, 6)), 1),
        practices("b", ((30, 8, 12, 11),), 2),
        practices("c", ((6, 7, 5, 9),), 3),
    ]
    joint, block = together(*regions)
    design = drawn(joint, block)
    whole = lottery_default(joint, design, "y", [overall(design)])
    # the average over all practices and quarters weighs a region by its practice-quarters in the cells compared
    weight = np.array([
        sum((panel.entry == BEFORE + g).sum() * (3 - g) for g in range(3)) for panel, _ in regions
    ], dtype=float)  # fmt: skip
    weight[0] -= (block == "a-1").sum()  # without an open round nobody of this block waits in the last quarter
    contrasts = [not_replayed(*region) for region in regions]
    shares = shared_shares(contrasts, weight)
    part = weight / weight.sum()
    assert shares == pytest.approx(whole.beta[0], abs=1e-10)
    effect = sum(w * c.effect(shares) for w, c in zip(part, contrasts, strict=True))
    error = np.sqrt(sum((w * c.std_error(shares)) ** 2 for w, c in zip(part, contrasts, strict=True)))
    assert effect == pytest.approx(whole.effects.estimate[0], abs=1e-10)
    assert error == pytest.approx(whole.effects.std_error()[0], abs=1e-10)


def test_any_shares_give_the_region_its_default_estimate_and_error() -> None:
    panel, block = practices("a", ((9, 8, 6, 11), (5, 4, 6)), 4)
    design, shares = drawn(panel, block), np.array([0.4, 0.3, -2.0])
    found = lottery_default(panel, design, "y", [overall(design)], beta=shares[None]).effects
    contrasts = not_replayed(panel, block)
    assert contrasts.effect(shares) == pytest.approx(found.estimate[0], abs=1e-10)
    assert contrasts.std_error(shares) == pytest.approx(found.std_error()[0], abs=1e-10)


def test_no_other_shares_make_the_mean_less_variable() -> None:
    contrasts = [not_replayed(*practices(name, ((9, 8, 6, 11),), seed)) for seed, name in enumerate("abcd")]
    weight = np.array([1.0, 2.0, 1.0, 3.0])
    best = shared_shares(contrasts, weight)

    def variance(shares: np.ndarray) -> float:
        return sum((w * c.std_error(shares)) ** 2 for w, c in zip(weight, contrasts, strict=True))

    rng = np.random.default_rng(5)
    assert all(variance(best + 0.1 * rng.standard_normal(3)) > variance(best) for _ in range(50))


def test_a_contrast_that_does_not_vary_takes_no_share() -> None:
    one = not_replayed(*practices("a", ((9, 8, 6, 11),), 1))
    flat = one.covariance.copy()
    flat[3], flat[:, 3] = 0.0, 0.0
    shares = shared_shares([replace(one, covariance=flat)] * 2, np.ones(2))
    assert shares[2] == 0
    assert np.isfinite(shares).all()


def test_shares_of_no_region_are_refused() -> None:
    with pytest.raises(EstimationError, match="one region"):
        shared_shares([], np.ones(0))
