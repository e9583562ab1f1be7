"""How often the placebo test finds an effect where none was: each untouched group in turn plays the project.

Source: specification section 10 (the size of the test is verified by drawing untouched groups as pseudo-projects).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, ObjectArray, frozen
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Estimand
from mtvp_eval.inference.placebo import nearest_in_size, noise_scale, rank_p_value
from mtvp_eval.inference.placebo_effects import Reference, UntouchedGroups

ROUNDING = 1e-12
"""One less the level is no round number in binary; p-values are multiples of 2 / (B + 1)."""


@dataclass(frozen=True, slots=True)
class PlaceboSize:
    """Which of B pseudo-projects the test rejects at `level`, and the region in which each lies.

    `rejected` (B,) and `region` (B,), by which groups that share their fortunes are counted together.
    """

    rejected: BoolArray
    region: ObjectArray
    level: float

    @property
    def share(self) -> float:
        """Share of pseudo-projects that the test rejects; it should be one less the level."""
        return float(self.rejected.mean())

    @property
    def error(self) -> float:
        r"""Monte Carlo standard error of the share, by region; at least that of independent trials of the right size.

        .. math:: \max\Big( \sqrt{\alpha (1 - \alpha) / B},\;
            \tfrac{1}{B} \sqrt{\textstyle\sum_r (\sum_{i \in r} (R_i - \bar R))^2} \Big)
        """
        n, alpha = len(self.rejected), 1 - self.level
        at = np.unique(self.region.astype(str), return_inverse=True)[1]
        sums = np.bincount(at, self.rejected - self.share)
        return float(max(np.sqrt(alpha * (1 - alpha) / n), np.sqrt((sums**2).sum()) / n))

    @staticmethod
    def together(parts: Sequence[PlaceboSize]) -> PlaceboSize:
        """Return the pseudo-projects of several projects as one.

        >>> part = PlaceboSize(np.array([True, False]), np.array(["x", "y"], dtype=object), 0.95)
        >>> PlaceboSize.together([part, part]).share
        0.5
        """
        rejected = np.concatenate([part.rejected for part in parts])
        region = np.concatenate([part.region for part in parts])
        return PlaceboSize(frozen(rejected), region, parts[0].level)


def placebo_size(
    groups: UntouchedGroups, estimand: Estimand, covariates: Sequence[str], reference: Reference, level: float = 0.95
) -> PlaceboSize:
    """Let each group nearest to the project play it, against groups of other regions, and test it as the project is.

    Parameters
    ----------
    groups : of one project (`untouched_groups`).
    estimand : on its one cohort.
    covariates : baseline values of the outcome regression.
    reference : how the groups were found; where it names no regions, groups that share a unit are kept apart.
    level : of the test.

    Raises
    ------
    EstimationError
        If groups of other regions are too few for any rank to reject at the level.

    Example
    -------
    >>> from mtvp_eval.clock import NEVER
    >>> from mtvp_eval.data.panel import Panel
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> from mtvp_eval.inference.placebo_effects import untouched_groups
    >>> rng, ids = np.random.default_rng(1), np.array([f"u{i}" for i in range(60)], dtype=object)
    >>> entry = np.where(np.arange(60) == 0, 3, NEVER)
    >>> y = {"y": rng.normal(0, 0.1, (60, 3))}
    >>> panel = Panel(ids, ("1", "2", "3"), np.array([1, 2, 3]), y, weight=np.full(60, 100.0), entry=entry)
    >>> design, nobody = StaggeredDesign.from_panel(panel), np.zeros(60, dtype=bool)
    >>> reference = Reference(np.full(60, "", dtype=object), nobody, 50, 50)
    >>> groups = untouched_groups(panel, design, "y", reference, rng)
    >>> size = placebo_size(groups, overall(design), (), reference)
    >>> len(size.rejected), size.share <= 0.06
    (50, True)
    """
    contrast, home = groups.contrasts(groups.change(estimand, covariates)), reference.region[groups.rows]
    if len(set(home.tolist())) == 1:
        home = groups.panel.unit_ids[groups.rows]
    lies_in = np.unique(home.astype(str), return_inverse=True)[1][groups.members]
    touches = np.zeros((len(contrast), int(lies_in.max()) + 1))
    np.put_along_axis(touches, lies_in, 1.0, axis=1)
    found = np.zeros(len(groups.near), dtype=np.bool_)
    apart, same = np.unique(touches[groups.near], axis=0, return_inverse=True)
    for place, mine in enumerate(apart):  # groups of one home meet the same others, so that noise is fitted once
        players = np.flatnonzero(same.reshape(-1) == place)
        others = np.flatnonzero(touches @ mine == 0)
        if 2 / (min(len(others), reference.groups) + 1) > 1 - level + ROUNDING:
            raise EstimationError(f"{len(others)} untouched groups elsewhere cannot carry a test at {1 - level:.0%}.")
        noise = noise_scale(contrast[others], groups.size[others])
        for player, i in zip(players.tolist(), groups.near[players].tolist(), strict=True):
            target = float(groups.size[i])
            near = others[nearest_in_size(groups.size[others], groups.stratum[others], target, reference.groups)]
            own = float(noise.at(groups.size[[i]])[0])
            p = rank_p_value(float(contrast[i]) / own, contrast[near] / noise.at(groups.size[near]))
            found[player] = p <= 1 - level + ROUNDING
    return PlaceboSize(frozen(found), home[groups.members[groups.near, 0]], level)
