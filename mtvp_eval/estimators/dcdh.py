r"""De Chaisemartin & D'Haultfoeuille: effects by time since the first change, where treatment starts and stops.

Stopping is a choice made after enrolment, so these rows describe paths of treatment; they are no headline.
Source: de Chaisemartin & D'Haultfoeuille (2024), Difference-in-differences estimators of intertemporal treatment
effects, Review of Economics and Statistics; DID_l, its placebo, the average total effect and the variance by cohort.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.errors import DataError, EstimationError, NotIdentifiedError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import read_sample

DESCRIPTIVE = (
    "Descriptive, never headline: units stop treatment for reasons that may follow from its effect, and the rows after "
    "a stop compare paths of treatment, not one more period of it."
)


@dataclass(frozen=True, slots=True)
class _Paths:
    """Treatment (n, T), its first level (n,), column of its first change (n,; T if none), direction (n,), new level."""

    treatment: FloatArray
    baseline: FloatArray
    change: IntArray
    sign: FloatArray
    level: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Switch:
    """Units that change treatment in one period in one direction, and those with the same first treatment.

    ``cohorts`` are stretches of units with the same new level; ``same`` is where the units with the same first
    treatment stand, in order of their ``change``.
    """

    period: int
    sign: float
    baseline: float
    cohorts: tuple[slice, ...]
    same: slice
    change: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Ordered:
    """Outcomes y (T, n) and weights of units in the ``order`` (n,) of their paths, and who switches among them."""

    order: IntArray
    y: FloatArray
    w: FloatArray
    switches: tuple[_Switch, ...]
    complete: bool

    def seen(self, here: slice, columns: list[int]) -> slice | IntArray:
        """Return the units of a stretch that were observed in all of these columns."""
        if self.complete:
            return here
        return here.start + np.flatnonzero(np.isfinite(self.y[columns, here]).all(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class _Moved:
    """Some units with their weights and moves, how many, and the sums of weights and of weighted moves."""

    rows: slice | IntArray
    w: FloatArray
    move: FloatArray
    count: int
    mass: float
    sum: float

    @classmethod
    def of(cls, units: _Ordered, rows: slice | IntArray, to: int, base: int) -> _Moved:
        w, move = units.w[rows], units.y[to, rows] - units.y[base, rows]
        return cls(rows, w, move, len(w), float(w.sum()), float(w @ move))


@dataclass(frozen=True, slots=True)
class _Contrast:
    """One effect or placebo: summed weight of switchers, estimate, influence (n,), dose, switchers, cohorts of one."""

    weight: float
    estimate: float
    influence: FloatArray
    dose: float
    switchers: int
    lonely: int


def dcdh(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    ended: IntArray | None = None,
    treatment: FloatArray | None = None,
    effects: int | None = None,
    placebos: int | None = None,
    weighting: Weighting = Weighting.PRACTICE,
    same_switchers: bool = False,
) -> EffectEstimates:
    r"""Estimate the effect of having been switched for l periods, placebos, and the average total effect.

    .. math:: DID_l = \frac{1}{N_l} \sum_{i: F_i - 1 + l \le T_i} S_i \Big[ Y_{i,F_i-1+l} - Y_{i,F_i-1}
        - \overline{(Y_{F_i-1+l} - Y_{F_i-1})}_{j: D_{j1} = D_{i1}, F_j > F_i-1+l} \Big]

    F is the period of a unit's first change of treatment, S its direction, T_i the last period in which a unit with the
    same first treatment has not changed. The placebo replaces F - 1 + l by F - 1 - l. The average total effect is
    :math:`\sum_l N_l DID_l / \sum_l \sum_i S_i (D_{i,F_i-1+l} - D_{i1})`, an effect per unit of treatment.

    The influence values are the residuals from the mean of the cohort (first treatment, period of change, new level),
    times :math:`\sqrt{m/(m-1)}`; for not yet switched units, from the mean of those with the same first treatment in
    that period. A cohort of one is centred at the mean of itself and its comparison. The factor changes with the
    period, so it stands in the influence values and ``correction`` is none.

    Parameters
    ----------
    panel : outcomes (n, T); its clock is the design's.
    design : which units, their entry and weights, and whether comparison units may switch later (default) or never.
    outcome : name in the panel.
    ended : (n,) first period without treatment of the panel's units on the clock, ``clock.NEVER`` if none; the panel's
        own where not given.
    treatment : (n, T) treatment of the panel's units, any levels, NaN where unknown; replaces entry and ``ended``.
    effects, placebos : how many to estimate; as many as the window shows where not given.
    weighting : practice (each unit once) or patient (weighted by ``design.size``).
    same_switchers : keep only the units for which all effects can be estimated, so that the mix does not change with l.

    Returns
    -------
    EffectEstimates
        event_study (event time l - 1), placebo (event time -l - 1, base -1) and overall, the average total effect.

    Raises
    ------
    DataError
        If an end has no entry or does not follow it, or a change of treatment falls into a gap of the record.
    EstimationError
        If the design declares anticipation, for which the published method has no rule.
    NotIdentifiedError
        If nobody switches with a comparison, or more effects are asked for than the window shows.

    Example
    -------
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 5, 4], [1, 7, 6], [0, 1, 2], [0, 1, 4]])}, entry=np.array([2, 2, NEVER, NEVER]))
    >>> design = StaggeredDesign.from_panel(panel)
    >>> described = dcdh(panel, design, "y", ended=np.array([3, 3, NEVER, NEVER]))
    >>> [(k.estimand, k.event_time, float(v)) for k, v in zip(described.index, described.estimate)]
    [('event_study', 0, 4.0), ('event_study', 1, 1.0), ('overall', None, 5.0)]
    """
    if design.anticipation:
        raise EstimationError("The method has no rule for anticipation; declare a design without, or an earlier entry.")
    weighting = Weighting(weighting)
    sample = read_sample(panel, design, outcome, by_size=weighting == Weighting.PATIENT)
    rows = design.rows_in(panel.unit_ids)
    ended = panel.ended if ended is None else ended
    paths = _paths(_treatment(design, ended, rows) if treatment is None else _levels(treatment, panel, rows))
    never = design.comparison == Comparison.NEVER_ENROLLED
    last = _last_with_comparison(paths)
    possible = max(int((last - paths.change + 1).max()), 0)
    longest = _horizon(effects, "effects", possible)
    keep = paths.change - 1 + longest <= last if same_switchers else np.ones(len(rows), dtype=np.bool_)

    ordered = _ordered(sample.y, sample.w, paths, keep)

    def contrasts(wanted: range, *, placebo: bool) -> dict[int, _Contrast]:
        made = {k: _contrast(ordered, paths.treatment, k, placebo, never) for k in wanted}
        return {k: c for k, c in made.items() if c.switchers}

    found = contrasts(range(1, longest + 1), placebo=False)
    before = contrasts(range(1, _horizon(placebos, "placebos", possible) + 1), placebo=True)
    _refuse(found, before, effects, placebos)

    keys = [EffectKey(outcome, "placebo", weighting, event_time=-k - 1) for k in reversed(before)]
    keys += [EffectKey(outcome, "event_study", weighting, event_time=k - 1) for k in found]
    made = [*reversed(before.values()), *found.values()]
    dose = sum(c.dose for c in found.values())
    if dose > 0:
        keys.append(EffectKey(outcome, "overall", weighting))
        made.append(_average(list(found.values()), dose))
    influence = np.empty((len(rows), len(made)))
    influence[ordered.order] = np.stack([c.influence for c in made]).T
    return EffectEstimates(
        tuple(keys), np.array([c.estimate for c in made]), design.unit_ids, influence, design.cohort_index,
        sample.cluster,
        method="de Chaisemartin-D'Haultfoeuille", no_error=tuple(_no_error(c) for c in made),
        notes=(*sample.notes(), *_notes(paths, sum(c.lonely for c in found.values()), dose)),
    )  # fmt: skip


def _treatment(design: StaggeredDesign, ended: IntArray | None, rows: IntArray) -> FloatArray:
    """Return (n, T) whether each of the design's units is enrolled."""
    stop = np.full(len(rows), NEVER) if ended is None else np.asarray(ended, dtype=np.int64)[rows]
    wrong = (stop != NEVER) & (stop <= design.entry)
    if wrong.any():
        raise DataError(
            f"{int(wrong.sum())} units end before they enter, in the same period, or without having entered. Correct "
            "the record: `ended` is the first period without treatment, clock.NEVER where treatment goes on."
        )
    return np.where((design.clock >= design.entry[:, None]) & (design.clock < stop[:, None]), 1.0, 0.0)


def _levels(treatment: FloatArray, panel: Panel, rows: IntArray) -> FloatArray:
    D = np.asarray(treatment, dtype=np.float64)
    if D.shape != (panel.n_units, panel.n_periods):
        raise DataError(f"Treatment has shape {D.shape}; the panel has {(panel.n_units, panel.n_periods)}.")
    D = D[rows]
    if np.isnan(D).all(axis=1).any():
        raise DataError(f"{int(np.isnan(D).all(axis=1).sum())} units have no recorded treatment; leave them out.")
    return D


def _paths(D: FloatArray) -> _Paths:
    """Read first level, first change, its direction and the level after it from a record that may have gaps."""
    n, T = D.shape
    unit, known = np.arange(n), np.isfinite(D)
    baseline = D[unit, known.argmax(axis=1)]
    changed = known & (baseline[:, None] != D)
    change = np.where(changed.any(axis=1), changed.argmax(axis=1), T)
    switches = change < T
    unclear = int((~known[switches, change[switches] - 1]).sum())
    if unclear:
        raise DataError(f"{unclear} units change treatment within a gap of the record, so the period is not known.")
    level = np.where(switches, D[unit, np.minimum(change, T - 1)], baseline)
    return _Paths(D, baseline, change, np.sign(level - baseline), level)


def _last_with_comparison(paths: _Paths) -> IntArray:
    """Return (n,) the last column in which a unit with the same first treatment has not changed."""
    last = np.zeros(len(paths.change), dtype=np.int64)
    for level in np.unique(paths.baseline):
        same = paths.baseline == level
        last[same] = paths.change[same].max() - 1
    return last


def _ordered(y: FloatArray, w: FloatArray, paths: _Paths, allowed: BoolArray) -> _Ordered:
    """Order units by first treatment, period of change, and new level: whoever compares is then a stretch of units."""
    kept = allowed & (paths.change < y.shape[1])
    keys = (paths.level, paths.sign, kept, paths.change, paths.baseline)
    order = np.lexsort(keys)
    change, baseline, sign, kept = paths.change[order], paths.baseline[order], paths.sign[order], kept[order]
    edges = np.flatnonzero(np.any([key[order[1:]] != key[order[:-1]] for key in keys], axis=0)) + 1
    same: dict[float, slice] = {}
    cohorts: dict[tuple[float, int, float], list[slice]] = {}
    for start, stop in itertools.pairwise([0, *edges.tolist(), len(order)]):
        first = float(baseline[start])
        same[first] = slice(same[first].start if first in same else start, stop)
        if kept[start]:
            cohorts.setdefault((first, int(change[start]), float(sign[start])), []).append(slice(start, stop))
    switches = [
        _Switch(period, way, first, tuple(own), same[first], change[same[first]])
        for (first, period, way), own in cohorts.items()
    ]
    return _Ordered(
        order, np.ascontiguousarray(np.take(y, order, axis=0).T), w[order], tuple(switches), bool(np.isfinite(y).all())
    )


def _contrast(units: _Ordered, treatment: FloatArray, k: int, placebo: bool, never: bool) -> _Contrast:
    """Return effect or placebo k, of switchers in both directions; see ``dcdh`` for the formula."""
    T, n = units.y.shape
    total = weight = dose = 0.0
    residual, switchers, lonely = np.zeros(n), 0, 0
    for switch in units.switches:
        base = switch.period - 1
        t = base + k
        to = base - k if placebo else t
        if t >= T or to < 0:
            continue
        # a placebo uses the same units as the effect it stands beside
        columns = sorted({base, to, t})
        waiting = int(np.searchsorted(switch.change, T if never else t + 1))
        against = units.seen(slice(switch.same.start + waiting, switch.same.stop), columns)
        found = [
            _Moved.of(units, rows, to, base) for rows in (*(units.seen(c, columns) for c in switch.cohorts), against)
        ]
        *ours, others = found
        ours = [each for each in ours if each.count]
        if not ours or not others.count:
            continue
        mass = sum(each.mass for each in ours)
        share = mass / others.mass
        total += switch.sign * (sum(each.sum for each in ours) - share * others.sum)
        for each, factor in [*((own, 1.0) for own in ours), (others, -share)]:
            m, mean = each.count, each.sum / each.mass
            if m == 1:  # centred at the mean of itself and its comparison
                m = others.count + sum(own.count for own in ours)
                mean = (others.sum + sum(own.sum for own in ours)) / (others.mass + mass)
                lonely += each is not others
            residual[each.rows] += (switch.sign * factor * np.sqrt(m / (m - 1))) * each.w * (each.move - mean)
        weight, switchers = weight + mass, switchers + sum(each.count for each in ours)
        if not placebo:
            for each in ours:
                gain = np.nan_to_num(treatment[units.order[each.rows], t] - switch.baseline)
                dose += switch.sign * float(each.w @ gain)
    estimate = total / weight if weight else np.nan
    return _Contrast(weight, estimate, n * residual / weight if weight else residual, dose, switchers, lonely)


def _average(effects: list[_Contrast], dose: float) -> _Contrast:
    """Return the average total effect: summed effects over summed treatment."""
    influence = np.asarray(sum(c.weight * c.influence for c in effects)) / dose
    total = sum(c.weight * c.estimate for c in effects)
    return _Contrast(dose, total / dose, influence, dose, max(c.switchers for c in effects), 0)


def _horizon(asked: int | None, name: str, possible: int) -> int:
    if asked is not None and asked < 0:
        raise EstimationError(f"{asked} {name} were asked for; give a number from 0 on.")
    return possible if asked is None else asked


def _refuse(
    found: dict[int, _Contrast], before: dict[int, _Contrast], effects: int | None, placebos: int | None
) -> None:
    if not found:
        raise NotIdentifiedError(
            "No unit changes treatment while another one with the same first treatment has not: nothing compares."
        )
    for made, asked, name in ((found, effects, "effects"), (before, placebos, "placebos")):
        if asked is not None and len(made) < asked:
            raise NotIdentifiedError(
                f"{asked} {name} were asked for; the window and the units yet to switch show {len(made)}."
            )


def _notes(paths: _Paths, lonely: int, dose: float) -> list[str]:
    notes = []
    away = paths.treatment - paths.baseline[:, None]
    np.abs(away, out=away)
    if (away[:, 1:] < away[:, :-1]).any():
        notes.append(DESCRIPTIVE)
    if lonely:
        notes.append(f"Centred at the mean with their comparison: {lonely} cohorts of one switching unit.")
    if dose <= 0:
        notes.append("Treatment after the first change adds up to none: there is no average total effect.")
    return notes


def _no_error(contrast: _Contrast) -> str | None:
    if contrast.switchers == 1:
        return "one switching unit: its spread cannot be seen"
    still = not contrast.influence.any()
    return "the outcome does not move beyond its cohort's mean" if still else None
