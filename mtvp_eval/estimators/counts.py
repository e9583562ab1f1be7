"""Counts and exposure as the Poisson methods read them, and the scales on which they answer.

Source: none; definitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.sample import Sample, read_sample


class Scale(StrEnum):
    """How a Poisson effect is told: rate ratio less one, events per 1,000 of exposure, or log rate ratio."""

    RATIO = "ratio"
    PER_1000 = "per_1000"
    LOG = "log"

    @property
    def unit_of_measure(self) -> str:
        """Words for the index of the effects."""
        return {"ratio": "rate ratio - 1", "per_1000": "events per 1,000", "log": "log rate ratio"}[self.value]


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Hold a sample of counts and its exposure (n, T); where no exposure is given, one a row."""

    sample: Sample
    exposure: FloatArray
    weighting: Weighting


def read_counts(
    panel: Panel, design: StaggeredDesign, outcome: str, exposure: str | None, covariates: Sequence[str]
) -> Counts:
    """Return counts and exposure; ``exposure`` names a baseline value, or an outcome that changes over time.

    Effects are averaged by exposure: over patients where it is list size, over units where there is none.

    Raises
    ------
    EstimationError
        If counts are negative, or the exposure is unknown, missing or not positive where a count was observed.

    Example
    -------
    >>> panel = Panel(np.array(["a", "b"], dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.ones((2, 3))}, baseline={"size": np.array([10.0, 20.0])}, entry=np.array([3, 9]))
    >>> read_counts(panel, StaggeredDesign.from_panel(panel), "y", "size", ()).exposure[:, 0].tolist()
    [10.0, 20.0]
    """
    sample = read_sample(panel, design, outcome, covariates)
    seen = sample.observed
    negative = int((sample.y[seen] < 0).sum())
    if negative:
        raise EstimationError(f"{negative} counts of {outcome} are negative; a Poisson regression needs counts.")
    if exposure is None:
        return Counts(sample, np.ones_like(sample.y), Weighting.PRACTICE)
    rows = design.rows_in(panel.unit_ids)
    if exposure in panel.outcomes:
        value = panel.outcomes[exposure][rows]
    elif exposure in panel.baseline:
        value = np.repeat(panel.baseline[exposure][rows][:, None], sample.y.shape[1], axis=1)
    else:
        raise EstimationError(f"Exposure {exposure} is neither an outcome nor a baseline value of the panel.")
    bad = seen & ~(np.isfinite(value) & (value > 0))
    if bad.any():
        raise EstimationError(
            f"Exposure {exposure} is missing, zero or negative in {int(bad.sum())} rows with a count. Correct it, or "
            "leave those counts empty."
        )
    return Counts(sample, np.where(seen, value, 1.0), Weighting.PATIENT)
