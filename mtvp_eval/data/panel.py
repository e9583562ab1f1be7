"""Panel: outcomes of n units in T periods, with what was known of the units before; it knows nothing of treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray, all_finite, as_labels, frozen, repeats
from mtvp_eval.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class LineageRow:
    """One step of the account of units: how many it left, and why the others went."""

    step: str
    reason: str
    units: int
    lost: int


@dataclass(frozen=True, slots=True)
class Panel:
    """Hold the outcomes of n units in T periods.

    Parameters
    ----------
    unit_ids : (n,) identifiers, unique.
    periods : T labels, such as ``2023Q2`` or ``2019``.
    clock : (T,) integer time, strictly increasing; neighbours in time differ by one.
    outcomes : name -> (n, T) values; NaN where not observed.
    weight : (n,) patients (or insured years), frozen before the first entry; positive.
    cluster : (n,) unit of assignment; the unit itself where not given.
    baseline : name -> (n,) what was known before the first entry.
    entry : (n,) recorded first enrolled period on the clock, ``clock.NEVER`` if none. Carried for the design; no method
        of the panel reads it.
    ended : (n,) recorded first period without the programme after entry, ``clock.NEVER`` if it goes on; only methods
        for units that stop read it, all others hold enrolment to last.
    lineage : account of the units lost on the way here.

    Raises
    ------
    DataError
        If shapes disagree, identifiers repeat, the clock does not increase, or a weight is not positive.

    Example
    -------
    >>> import numpy as np
    >>> panel = Panel(np.array(["a", "b"], dtype=object), ("2023Q1", "2023Q2"), np.array([8092, 8093]),
    ...     {"consults": np.array([[1.0, 2.0], [3.0, np.nan]])}, weight=np.array([2000.0, 3000.0]))
    >>> panel.n_units, panel.n_periods, panel.missing_share("consults")
    (2, 2, 0.25)
    """

    unit_ids: ObjectArray
    periods: tuple[str, ...]
    clock: IntArray
    outcomes: Mapping[str, FloatArray]
    weight: FloatArray = None  # type: ignore[assignment]  # __post_init__ puts ones
    cluster: ObjectArray = None  # type: ignore[assignment]  # __post_init__ puts the unit itself
    baseline: Mapping[str, FloatArray] = field(default_factory=dict)
    entry: IntArray | None = None
    ended: IntArray | None = None
    lineage: tuple[LineageRow, ...] = ()

    def __post_init__(self) -> None:
        n, T = len(self.unit_ids), len(self.periods)
        clock = np.asarray(self.clock, dtype=np.int64)
        weight = np.ones(n) if self.weight is None else np.asarray(self.weight, dtype=np.float64)
        problems = _problems(self, clock, weight, n, T)
        if problems:
            raise DataError("The panel is not usable: " + "; ".join(problems) + ".")
        set_ = object.__setattr__
        set_(self, "clock", frozen(clock))
        set_(self, "weight", frozen(weight))
        set_(self, "cluster", frozen(self.unit_ids if self.cluster is None else as_labels(self.cluster)))
        set_(self, "outcomes", _read_only(self.outcomes))
        set_(self, "baseline", _read_only(self.baseline))
        for name in ("entry", "ended"):
            if getattr(self, name) is not None:
                set_(self, name, frozen(np.asarray(getattr(self, name), dtype=np.int64)))

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        unit: str,
        period: str,
        entry: str,
        outcomes: str | Sequence[str],
        *,
        weight: str | None = None,
        cluster: str | None = None,
        baseline: Sequence[str] = (),
        ended: str | None = None,
    ) -> Panel:
        """Return the panel of any table with one row a unit and period; see `data.frames.panel_from_frame`."""
        from mtvp_eval.data.frames import panel_from_frame

        return panel_from_frame(
            frame, unit, period, entry, outcomes, weight=weight, cluster=cluster, baseline=baseline, ended=ended
        )

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.unit_ids)

    @property
    def n_periods(self) -> int:
        """Number of periods."""
        return len(self.periods)

    def missing_share(self, outcome: str) -> float:
        """Return the share of unit-periods in which the outcome was not observed."""
        return float(np.isnan(self.outcomes[outcome]).mean())

    def covariates(self, names: Sequence[str]) -> FloatArray:
        """Return the (n, p) matrix of named baseline values.

        Raises
        ------
        DataError
            If a name is unknown.
        """
        unknown = [name for name in names if name not in self.baseline]
        if unknown:
            raise DataError(
                f"Unknown baseline value{'s' if len(unknown) > 1 else ''} {', '.join(unknown)}; "
                f"the panel has {', '.join(self.baseline) or 'none'}."
            )
        return np.column_stack([self.baseline[name] for name in names]) if names else np.empty((self.n_units, 0))

    def restrict(self, keep: BoolArray, step: str, reason: str) -> Panel:
        """Return the panel of the kept units, with one more row in its account."""
        row = LineageRow(step, reason, int(keep.sum()), int((~keep).sum()))
        return replace(
            self,
            unit_ids=self.unit_ids[keep],
            outcomes={name: y[keep] for name, y in self.outcomes.items()},
            weight=self.weight[keep],
            cluster=self.cluster[keep],
            baseline={name: x[keep] for name, x in self.baseline.items()},
            entry=None if self.entry is None else self.entry[keep],
            ended=None if self.ended is None else self.ended[keep],
            lineage=(*self.lineage, row),
        )

    def window(self, first: int, last: int) -> Panel:
        """Return the panel of the periods from `first` to `last` on the clock, both included."""
        keep = (self.clock >= first) & (self.clock <= last)
        return replace(
            self,
            periods=tuple(label for label, kept in zip(self.periods, keep, strict=True) if kept),
            clock=self.clock[keep],
            outcomes={name: y[:, keep] for name, y in self.outcomes.items()},
        )


def _read_only(arrays: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
    return MappingProxyType({name: frozen(np.asarray(a, dtype=np.float64)) for name, a in arrays.items()})


def _problems(panel: Panel, clock: IntArray, weight: FloatArray, n: int, T: int) -> list[str]:
    problems = []
    if n == 0 or T == 0:
        problems.append(f"it has {n} units and {T} periods")
    if repeated := repeats(panel.unit_ids):
        problems.append(f"{repeated} unit identifiers repeat")
    if clock.shape != (T,) or bool((clock[1:] <= clock[:-1]).any()):
        problems.append("the clock must hold one strictly increasing integer a period")
    if weight.shape != (n,) or not bool(((weight > 0) & (weight < np.inf)).all()):
        problems.append("weights must be one finite positive number a unit")
    for name, y in panel.outcomes.items():
        if np.shape(y) != (n, T):
            problems.append(f"outcome {name} has shape {np.shape(y)}, not {(n, T)}")
        elif not all_finite(np.asarray(y, dtype=np.float64)) and bool(np.isinf(y).any()):
            problems.append(f"outcome {name} holds {int(np.isinf(y).sum())} infinite values")
    for name, x in panel.baseline.items():
        if np.shape(x) != (n,):
            problems.append(f"baseline value {name} has shape {np.shape(x)}, not {(n,)}")
    for name, values in (("cluster", panel.cluster), ("entry", panel.entry), ("ended", panel.ended)):
        if values is not None and np.shape(values) != (n,):
            problems.append(f"{name} has shape {np.shape(values)}, not {(n,)}")
    return problems
