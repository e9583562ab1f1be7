"""Sample: a panel's outcome, covariates and weights in the order of the design's units.

Source: none; estimators are invariant to the affine change of covariates made here (a property test).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray, keep_freed_memory, repeats
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import DesignError, EstimationError


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Hold y (n, T), X (n, p) with a constant and standardised covariates, w (n,), cluster (n,) or None.

    ``varying`` (n, T, q) holds standardised covariates that change over time; q is mostly 0.
    Derived: ``observed`` (n, T) whether the outcome was observed.
    """

    design: StaggeredDesign
    y: FloatArray
    X: FloatArray
    w: FloatArray
    cluster: ObjectArray | None
    varying: FloatArray
    observed: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "observed", np.isfinite(self.y))

    def count(self) -> IntArray:
        """Return (G, T) how many units of each cohort were observed in each period."""
        observed, design = self.observed, self.design
        if observed.all():
            return np.repeat(design.cohort_size[:, None], observed.shape[1], axis=1)
        return np.stack([observed[design.cohort_index == g].sum(axis=0) for g in range(len(design.cohorts))])

    def complete(self) -> Sample:
        """Return the sample of the units observed in every period."""
        return self.take(np.flatnonzero(self.observed.all(axis=1)))

    def take(self, rows: IntArray) -> Sample:
        """Return the sample of the units at the given places, in that order."""
        cluster = None if self.cluster is None else self.cluster[rows]
        return Sample(
            self.design.take(rows), np.take(self.y, rows, axis=0), self.X[rows], self.w[rows], cluster,
            self.varying[rows],
        )  # fmt: skip

    def with_outcome(self, y: FloatArray) -> Sample:
        """Return the sample with another outcome (n, T)."""
        return replace(self, y=y)

    def about_units(self) -> list[str]:
        """Say which units are left out, and how many cohorts hold a single one."""
        design, said = self.design, []
        if design.always_enrolled:
            said.append(f"{design.always_enrolled} units enrolled from the first period on are left out.")
        alone = int((design.cohort_size[:-1] == 1).sum())
        if alone:
            said.append(f"{alone} cohorts hold one unit: what rests on one of them alone has no standard error.")
        return said

    def with_covariates(self) -> Sample:
        """Return the sample without the rows in which a covariate that changes over time is missing."""
        if not self.varying.shape[2]:
            return self
        known: BoolArray = np.all(np.isfinite(self.varying), axis=2)
        return self if known.all() else self.with_outcome(np.where(known, self.y, np.nan))

    def notes(self) -> tuple[str, ...]:
        """Say what a reader must know of the sample: units left out, outcomes missing, who is control only."""
        design, notes = self.design, self.about_units()
        if design.control_only in design.clock:
            notes.append(
                "Everybody enrolls: the last cohort is comparison only, and periods from its entry on are left out."
            )
        gaps = ~self.observed
        if gaps.any():
            notes.append(
                f"{gaps.mean():.1%} of unit-periods are missing; cells use the units observed in both periods."
            )
        return tuple(notes)


def read_sample(
    panel: Panel, design: StaggeredDesign, outcome: str, covariates: Sequence[str] = (), *, by_size: bool = False,
    varying: bool = False,
) -> Sample:  # fmt: skip
    """Return a panel's values in the order of the design's units; covariates standardised, which changes no estimate.

    A covariate is a baseline value of the panel, or, where the method allows it (``varying``), one of its outcomes.

    Raises
    ------
    DesignError
        If panel and design have different clocks, or units of the design are not in the panel.
    EstimationError
        If the outcome is unknown, covariates are missing or constant, or change over time where none may.

    Example
    -------
    >>> panel = Panel(np.array(["a", "b"], dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.zeros((2, 3))}, baseline={"size": np.array([1.0, 3.0])}, entry=np.array([3, 9]))
    >>> read_sample(panel, StaggeredDesign.from_panel(panel), "y", ["size"]).X.tolist()
    [[1.0, -1.0], [1.0, 1.0]]
    """
    if not np.array_equal(panel.clock, design.clock):
        raise DesignError(
            f"The panel has {len(panel.clock)} periods and the design {len(design.clock)}, or other ones; "
            "make the design from the panel's own window."
        )
    if outcome not in panel.outcomes:
        raise EstimationError(f"Unknown outcome {outcome}; the panel has {', '.join(panel.outcomes) or 'none'}.")
    keep_freed_memory()  # estimators make and free arrays of this size again and again
    moving = [name for name in covariates if name not in panel.baseline and name in panel.outcomes]
    if moving and not varying:
        raise EstimationError(
            f"{', '.join(moving)} change over time, and this method takes covariates as they were before entry: give "
            "that value, or use callaway_santanna, sun_abraham, imputation, two_stage or twfe."
        )
    fixed = [name for name in covariates if name not in moving]
    rows, y = design.rows_in(panel.unit_ids), panel.outcomes[outcome]
    if len(y) != len(rows) or (rows[1:] <= rows[:-1]).any():  # else every unit of the panel, in its order
        y = y[rows]
    cluster = panel.cluster[rows]
    sample = Sample(
        design, y, _standardised(panel.covariates(fixed)[rows], fixed) if fixed else np.ones((len(rows), 1)),
        design.size if by_size else np.ones(len(rows)), cluster if repeats(cluster) else None,
        _moving(panel, moving, rows),
    )  # fmt: skip
    if not sample.observed.any():
        raise EstimationError(f"Outcome {outcome} is not observed for any unit of the design.")
    return sample


def _moving(panel: Panel, names: Sequence[str], rows: IntArray) -> FloatArray:
    z = np.empty((len(rows), panel.n_periods, len(names)))
    for j, name in enumerate(names):
        value = panel.outcomes[name][rows]
        seen = value[np.isfinite(value)]
        if not len(seen) or seen.std() <= 1e-12 * np.abs(seen).max():
            raise EstimationError(f"Covariate {name} is missing throughout or constant. Leave it out.")
        z[:, :, j] = (value - seen.mean()) / seen.std()
    return z


def _standardised(x: FloatArray, names: Sequence[str]) -> FloatArray:
    missing = ~np.isfinite(x)
    spread = np.where(missing.any(axis=0), np.nan, x.std(axis=0))
    problems = [
        f"{name} is missing for {int(m.sum())} units" for name, m in zip(names, missing.T, strict=True) if m.any()
    ]
    level = np.abs(np.where(missing, 0.0, x)).max(axis=0, initial=0.0)
    problems += [f"{name} is constant" for name, s, a in zip(names, spread, level, strict=True) if s <= 1e-12 * a]
    if problems:
        raise EstimationError(
            f"Covariates cannot be used: {'; '.join(problems)}. "
            "Leave them out, or restrict the panel to the units that have them."
        )
    return np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / spread])
