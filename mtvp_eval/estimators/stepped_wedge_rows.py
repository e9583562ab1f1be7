"""Rows of a stepped wedge: one an observed unit and period, with period and exposure-time indicators.

Source: Kenny et al. (2022), Statistics in Medicine 41, for indicators of exposure time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError, NotIdentifiedError
from mtvp_eval.estimators.results import EffectKey
from mtvp_eval.estimators.sample import Sample, read_sample

MOST_ROWS = 20_000
MOST_ROWS_A_BLOCK = 1_000
BIASED = (
    "Constant effect (Hussey-Hughes): biased under build-up. Where an effect grows with time since entry this number "
    "can have the wrong sign; the model by exposure time does not assume that away."
)


class EffectShape(StrEnum):
    """How an effect may depend on the time since entry: freely, or not at all."""

    BY_EXPOSURE = "by_exposure"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class WedgeRows:
    """Hold y (N,), X (N, p), numbers of unit, cluster (or None) and period (N,), and contrasts (K, p) with their keys.

    ``place`` (N,) is each row's position in the flattened outcomes of the design's units.
    """

    y: FloatArray
    X: FloatArray
    unit: IntArray
    cluster: IntArray | None
    period: IntArray
    place: IntArray
    contrasts: FloatArray
    index: tuple[EffectKey, ...]
    notes: tuple[str, ...]

    @property
    def block(self) -> IntArray:
        """(N,) number of the independent part each row belongs to: the cluster, or the unit where none is declared."""
        return self.unit if self.cluster is None else self.cluster


def wedge_rows(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    shape: EffectShape,
    window: tuple[int, int] | None,
    covariates: Sequence[str],
) -> WedgeRows:
    """Return the observed rows, sorted by block and unit, and the contrasts of the declared window of exposure times.

    Raises
    ------
    EstimationError
        If the design declares anticipation, or the data are too large for these models.
    NotIdentifiedError
        If the window holds no exposure time, or periods, covariates and exposure cannot be told apart.
    """
    if design.anticipation:
        raise EstimationError("Exposure time starts at entry: declare a design without anticipation, or enter earlier.")
    sample = read_sample(panel, design, outcome, covariates)
    unit, period = np.nonzero(sample.observed)
    cluster = None if sample.cluster is None else np.unique(sample.cluster.astype(str), return_inverse=True)[1]
    order = np.lexsort((period, unit, unit if cluster is None else cluster[unit]))
    unit, period = unit[order], period[order]
    blocks = unit if cluster is None else cluster[unit]
    _refuse_size(len(unit), int(np.bincount(blocks).max()))

    exposure = design.clock[period] - design.entry[unit]
    treated = exposure >= 0
    times = np.unique(exposure[treated])
    by_time = EffectShape(shape) == EffectShape.BY_EXPOSURE
    effect = (exposure[:, None] == times) if by_time else treated[:, None]
    seen = np.unique(period)
    X = np.column_stack([sample.X[unit], period[:, None] == seen[1:], effect]).astype(np.float64)
    if not len(times) or np.linalg.matrix_rank(X) < X.shape[1]:
        raise NotIdentifiedError(
            "Period, covariates and time since entry cannot be told apart: the entries leave no period in which units "
            "differ in exposure."
        )
    contrasts, index = _contrasts(outcome, X.shape[1], times, window, by_time)
    return WedgeRows(
        sample.y[unit, period], X, unit, None if cluster is None else blocks, period,
        unit * len(design.clock) + period, contrasts, index, _notes(sample, by_time),
    )  # fmt: skip


def _contrasts(
    outcome: str, p: int, times: IntArray, window: tuple[int, int] | None, by_time: bool
) -> tuple[FloatArray, tuple[EffectKey, ...]]:
    """Return one contrast for each exposure time and their plain mean over the window, or the constant effect."""
    overall = EffectKey(outcome, "overall")
    if not by_time:
        if window is not None:
            raise NotIdentifiedError("A constant effect has no window of exposure times; leave it out.")
        return np.eye(p)[[-1]], (overall,)
    first, last = (int(times[0]), int(times[-1])) if window is None else window
    inside = (times >= first) & (times <= last)
    if inside.sum() != last - first + 1:
        raise NotIdentifiedError(
            f"The window of exposure times {first} to {last} has {last - first + 1} of them; the data show "
            f"{int(inside.sum())}, up to {int(times[-1])}."
        )
    each = np.eye(p)[p - len(times) :]
    mean = each[inside].mean(axis=0)
    keys = [EffectKey(outcome, "event_study", event_time=int(e)) for e in times]
    return np.vstack([each, mean]), (*keys, overall)


def _refuse_size(rows: int, largest: int) -> None:
    if rows > MOST_ROWS or largest > MOST_ROWS_A_BLOCK:
        raise EstimationError(
            f"{rows} unit-periods, {largest} in one cluster: these models are for at most {MOST_ROWS} and "
            f"{MOST_ROWS_A_BLOCK}, since they invert a matrix of each cluster. Use another estimator for larger panels."
        )


def _notes(sample: Sample, by_time: bool) -> tuple[str, ...]:
    notes = sample.about_units()
    if not sample.observed.all():
        notes.append(f"{(~sample.observed).mean():.1%} of unit-periods are missing and taken as missing at random.")
    if not by_time:
        notes.append(BIASED)
    elif (sample.design.clock >= sample.design.control_only).any():
        notes.append(
            "Periods in which everybody is enrolled are used: late exposure times rest on effects that depend on the "
            "time since entry alone."
        )
    return tuple(notes)
