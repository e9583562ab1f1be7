"""The size of the placebo test: by brute force, and where it is known."""

from __future__ import annotations

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.inference.placebo import nearest_in_size, noise_scale, rank_test
from mtvp_eval.inference.placebo_effects import Reference, UntouchedGroups, untouched_groups
from mtvp_eval.inference.placebo_size import PlaceboSize, placebo_size


def made(n: int, members: int, keep: int, seed: int, *, regions: int = 0) -> tuple[UntouchedGroups, Reference]:
    """A panel of noise that shrinks with size; the first units enter, all in one region where there are regions."""
    rng = np.random.default_rng(seed)
    weight = np.exp(rng.normal(10, 0.5, n))
    y = rng.normal(0, 1, (n, 4)) * (0.01 + 3 / np.sqrt(weight))[:, None]
    entry = np.where(np.arange(n) < members, 3, NEVER)
    ids = np.array([f"u{i:03d}" for i in range(n)], dtype=object)
    x = {"x": rng.normal(0, 1, n)}
    panel = Panel(
        ids, ("1", "2", "3", "4"), np.arange(1, 5), {"y": y}, weight=weight, entry=entry, baseline=x, cluster=ids
    )  # fmt: skip
    home = np.array([f"r{i % max(regions, 1)}" for i in range(n)], dtype=object)
    home[:members] = home[0]
    reference = Reference(home, np.asarray(home == home[0]) if regions else np.zeros(n, dtype=np.bool_), keep, 60)
    return untouched_groups(panel, StaggeredDesign.from_panel(panel), "y", reference, rng), reference


@pytest.mark.parametrize(("members", "regions"), [(1, 0), (1, 12), (3, 12)])
def test_each_group_is_tested_as_a_project_against_the_groups_elsewhere(members, regions):
    groups, reference = made(150, members, 60, 3, regions=regions)
    estimand = overall(groups.design)
    size = placebo_size(groups, estimand, ("x",), reference)
    contrast = groups.contrasts(groups.change(estimand, ("x",)))
    home = reference.region if regions else groups.panel.unit_ids
    homes = [{home[groups.rows[unit]] for unit in group} for group in groups.members.tolist()]
    for player, i in enumerate(groups.near.tolist()):
        others = np.array([j for j in range(len(homes)) if not homes[i] & homes[j]])
        near = others[nearest_in_size(groups.size[others], groups.stratum[others], groups.size[i], reference.groups)]
        noise = noise_scale(contrast[others], groups.size[others])
        own = float(noise.at(groups.size[[i]])[0])
        test = rank_test(float(contrast[i]), own, contrast[near] / noise.at(groups.size[near]))
        assert bool(size.rejected[player]) == (test.p_value <= 0.05 + 1e-9), i
        assert size.region[player] in homes[i]


def test_the_size_is_that_of_a_rank_where_units_are_independent():
    sizes = [placebo_size(*with_estimand(seed)) for seed in range(12)]
    share = PlaceboSize.together(sizes).share
    # ranks among 99 groups allow 4 %; 1,188 tests: Monte Carlo error 0.6 points
    assert 0.02 < share < 0.06


def with_estimand(seed: int) -> tuple[UntouchedGroups, object, tuple[str, ...], Reference]:
    groups, reference = made(200, 1, 99, seed)
    return groups, overall(groups.design), (), reference


def test_the_error_counts_groups_of_one_region_together():
    rejected = np.array([True] * 10 + [False] * 90)
    alone = PlaceboSize(rejected, np.array([str(i) for i in range(100)], dtype=object), 0.95)
    assert alone.error == pytest.approx(np.sqrt(0.1 * 0.9 / 100), rel=1e-12)  # more than that of a test of right size
    together = PlaceboSize(rejected, np.array([str(i // 10) for i in range(100)], dtype=object), 0.95)
    # one region of ten has all: sums 9 and nine times -1
    assert together.error == pytest.approx(np.sqrt(81 + 9) / 100, rel=1e-12)
    never = PlaceboSize(np.zeros(100, dtype=np.bool_), alone.region, 0.95)
    assert never.error == pytest.approx(np.sqrt(0.05 * 0.95 / 100), rel=1e-12)


def test_too_few_groups_elsewhere_are_refused():
    groups, reference = made(60, 1, 59, 1, regions=2)
    with pytest.raises(EstimationError, match="untouched groups elsewhere"):
        placebo_size(groups, overall(groups.design), (), reference)
