"""Which shares of the past are taken off the effects of regions: common ones where regions publish what these take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.estimators.lottery_default import SHARED_FROM
from mtvp_eval.inference.shared_shares import RegionContrasts, shared_shares
from mtvp_eval.pipeline.pool_reading import Brought


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Say which shares one outcome was adjusted by.

    `common` (P,) are those of the regions that publish contrasts, None where these hold fewer than `SHARED_FROM`
    practices in the draw, `practices`; `apart` are the regions that keep the shares of their own report.
    """

    common: FloatArray | None
    practices: float
    apart: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Return common, mixed or own."""
        return "own" if self.common is None else "mixed" if self.apart else "common"


def with_common_shares(
    given: Mapping[str, Brought], contrasts: Mapping[str, RegionContrasts], level: float
) -> tuple[dict[str, Brought], Shares]:
    r"""Adjust the effects of regions by shares common to those that publish contrasts; the others keep their own.

    .. math:: \beta^* = \Big(\sum_r w_r^2 V_{X,r}\Big)^{-1} \sum_r w_r^2 V_{X\theta,r}

    with w the practices in the draw. With few of them the estimated shares bend to the very differences they adjust, so
    common ones are taken from `SHARED_FROM` on, as in a single region. Degrees of freedom stay the region's own: they
    follow from how many practices each cohort has, and the shares move them little.

    Parameters: `given` effects by region; `contrasts` by region; `level` of the intervals.
    """
    from scipy.special import stdtrit

    joined = tuple(name for name in given if name in contrasts)
    weight = np.array([given[name].practices for name in joined])
    practices = float(weight.sum())
    if len(joined) < 2 or practices < SHARED_FROM:
        return dict(given), Shares(None, practices, tuple(given))
    common = shared_shares([contrasts[name] for name in joined], weight)
    made = dict(given)
    for name in joined:
        effect, error = contrasts[name].effect(common), contrasts[name].std_error(common)
        half = float(stdtrit(min(given[name].df, 1e9), 0.5 + level / 2)) * error
        made[name] = replace(given[name], estimate=effect, std_error=error, low=effect - half, high=effect + half)
    return made, Shares(common, practices, tuple(name for name in given if name not in contrasts))
