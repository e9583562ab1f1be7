"""From an effect per municipality to an effect per exposed patient, where the data can carry it.

Source: specification section 10 (ratio of sums, Fieller, share uncertainty drawn jointly).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mtvp_eval.inference.fieller import Ratio, fieller
from mtvp_eval.inference.placebo import PlaceboTest


@dataclass(frozen=True, slots=True)
class ExposedEffect:
    """Effect per exposed patient of one project (or set) on one outcome, or why none is printed.

    `share` bounds the exposed share of insured years; `detectable` bounds the effect per exposed patient that would be
    found in four of five cases, at the largest and the smallest share. `ratio` is None where even the smaller of the
    two exceeds the declared limit. `cost` is euro per insured year in the last year; `needed` the effect per exposed
    patient, as a share of that cost, that would pay back the yardstick fee.
    """

    project: str
    outcome: str
    share: tuple[float, float]
    detectable: tuple[float, float]
    cost: float
    needed: float
    ratio: Ratio | None
    note: str


class Yardstick(Protocol):
    """What the question declares: largest detectable effect that is rescaled, and a fee in euro a patient a year."""

    @property
    def largest_detectable(self) -> float: ...  # noqa: D102
    @property
    def yardstick_fee(self) -> float: ...  # noqa: D102


def per_exposed_patient(
    project: str, outcome: str, test: PlaceboTest, share: tuple[float, float], cost: float, yardstick: Yardstick
) -> ExposedEffect:
    r"""Divide an effect on all patients by the share that was exposed, with both uncertainties.

    .. math:: \hat\theta = \hat\tau / \hat s, \qquad \hat s = (s_l + s_h)/2, \quad V_s = (s_h - s_l)^2 / 12

    Effect and share are independent sources; the share is uniform between its bounds. The critical value is the placebo
    distribution's own (its quantile of the absolute studentised contrast).

    Parameters
    ----------
    project, outcome : names.
    test : effect per municipality and its placebo distribution.
    share : bounds of the exposed share.
    cost : euro per insured year.
    yardstick : limit to rescaling, in log points, and fee.

    Example
    -------
    >>> from types import SimpleNamespace
    >>> test = PlaceboTest(-0.02, 0.005, 0.01, -0.03, -0.01, 0.95, 0.014, np.linspace(-2, 2, 99))
    >>> declared = SimpleNamespace(largest_detectable=0.2, yardstick_fee=12.0)
    >>> effect = per_exposed_patient("p", "hospital", test, (0.05, 0.2), 1500.0, declared)
    >>> round(effect.detectable[0], 3), round(effect.detectable[1], 3), effect.needed
    (0.07, 0.28, 0.008)
    >>> per_exposed_patient("p", "hospital", test, (0.02, 0.04), 1500.0, declared).ratio is None
    True
    """
    low, high = share
    detectable = (test.detectable / high, test.detectable / low)
    limit, needed = yardstick.largest_detectable, yardstick.yardstick_fee / cost
    if detectable[0] > limit:
        note = (
            f"only an effect of {detectable[0]:.0%} or more per exposed patient could be seen, above the limit of "
            f"{limit:.0%}: no effect per exposed patient is given"
        )
        return ExposedEffect(project, outcome, share, detectable, cost, needed, None, note)
    critical = float(np.quantile(np.abs(test.studentised), test.level))
    ratio = fieller(test.estimate, (low + high) / 2, (test.scale**2, (high - low) ** 2 / 12), 0.0, critical)
    return ExposedEffect(project, outcome, share, detectable, cost, needed, ratio, "")
