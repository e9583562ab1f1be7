"""Averages and totals of cell effects, made from a design only.

``within`` declares an estimand on a subset of the identified cells, such as those with comparable covariates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.design.staggered import BasePeriod, Cell, Design
from mtvp_eval.errors import NotIdentifiedError
from mtvp_eval.estimands.estimand import Estimand, Weighting


def overall(
    design: Design, weighting: Weighting = Weighting.PRACTICE, within: Collection[Cell] | None = None
) -> Estimand:
    """Return the mean over all identified cells at or after entry, weighted by cohort size.

    Raises
    ------
    NotIdentifiedError
        If no cell at or after entry is identified.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 4]), np.array([1, 2, 3, 4]))
    >>> overall(design).cells, overall(design).weights
    (((2, 2), (2, 3)), (0.5, 0.5))
    """
    return share_mean(design, "overall", weighting, _post(design, within), "mean over all enrolled cohorts and periods")


def by_cohort(
    design: Design, weighting: Weighting = Weighting.PRACTICE, within: Collection[Cell] | None = None
) -> tuple[Estimand, ...]:
    """Return each cohort's plain mean over its identified periods from entry on.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 4]), np.array([1, 2, 3, 4]))
    >>> [(e.cohort, e.weights) for e in by_cohort(design)]
    [(2, (0.5, 0.5))]
    """
    cells = _post(design, within)
    return tuple(
        share_mean(
            design, "cohort", weighting, [c for c in cells if c[0] == g], f"mean since entry of cohort {g}", cohort=g
        )
        for g in sorted({g for g, _ in cells})
    )


def by_calendar(
    design: Design, weighting: Weighting = Weighting.PRACTICE, within: Collection[Cell] | None = None
) -> tuple[Estimand, ...]:
    """Return each period's mean over the cohorts enrolled by then, weighted by cohort size.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 4]), np.array([1, 2, 3, 4]))
    >>> [(e.period, e.cells) for e in by_calendar(design)]
    [(2, ((2, 2),)), (3, ((2, 3),))]
    """
    cells = _post(design, within)
    return tuple(
        share_mean(
            design, "calendar", weighting, [c for c in cells if c[1] == t], f"mean over the enrolled in {t}", period=t
        )
        for t in sorted({t for _, t in cells})
    )


def event_study(
    design: Design,
    weighting: Weighting = Weighting.PRACTICE,
    base: BasePeriod = BasePeriod.VARYING,
    balanced: int | None = None,
    within: Collection[Cell] | None = None,
) -> tuple[Estimand, ...]:
    """Return the mean at each event time, leads included, weighted by cohort size.

    ``balanced`` keeps only the cohorts seen at least that long after entry, and only event times up to it: from entry
    on the path is then not moved by a changing set of cohorts.

    Raises
    ------
    NotIdentifiedError
        If no cohort is seen that long.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 3, 9]), np.array([1, 2, 3, 4]))
    >>> [(e.event_time, len(e.cells)) for e in event_study(design)]
    [(-1, 1), (0, 2), (1, 2), (2, 1)]
    >>> [(e.event_time, len(e.cells)) for e in event_study(design, balanced=1)]
    [(-1, 1), (0, 2), (1, 2)]
    """
    cells = [cell for cell in design.identified_cells(base) if within is None or cell in within]
    if balanced is not None:
        first, last = int(design.clock[0]), design.last_period
        shortest = balanced - last + first  # from here on every kept cohort could be observed
        cells = [(g, t) for g, t in cells if last - g >= balanced and shortest <= t - g <= balanced]
    if not cells:
        raise NotIdentifiedError(_nothing("event_study"))
    own: dict[int, list[Cell]] = defaultdict(list)
    sizes: dict[int, list[float]] = defaultdict(list)
    for cell, size in zip(cells, _size(design, weighting, cells).tolist(), strict=True):
        event = cell[1] - cell[0]
        own[event].append(cell)
        sizes[event].append(size)
    return tuple(
        _share_mean("event_study", weighting, own[e], sizes[e], f"mean at event time {e}", event_time=e)
        for e in sorted(own)
    )


def overall_cohort(
    design: Design, weighting: Weighting = Weighting.PRACTICE, within: Collection[Cell] | None = None
) -> Estimand:
    """Return the mean of the cohorts' means, weighted by cohort size: every enrolled unit counts once.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 4]), np.array([1, 2, 3, 4]))
    >>> overall_cohort(design).weights
    (0.5, 0.5)
    """
    parts = by_cohort(design, weighting, within)
    size = _size(design, weighting, [p.cells[0] for p in parts])
    return _mean_of("overall_cohort", parts, size / size.sum(), "mean over enrolled units", one_group=True)


def overall_event(
    design: Design, weighting: Weighting = Weighting.PRACTICE, within: Collection[Cell] | None = None
) -> Estimand:
    """Return the plain mean of the event study from entry on: every length of exposure counts once.

    Raises
    ------
    NotIdentifiedError
        If no cell at or after entry is identified.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 4]), np.array([1, 2, 3, 4]))
    >>> overall_event(design).weights
    (0.5, 0.5)
    """
    parts = [p for p in event_study(design, weighting, within=within) if (p.event_time or 0) >= 0]
    if not parts:
        raise NotIdentifiedError(_nothing("overall_event"))
    return _mean_of("overall_event", parts, np.full(len(parts), 1 / len(parts)), "mean over lengths of exposure")


def overall_calendar(
    design: Design, weighting: Weighting = Weighting.PRACTICE, within: Collection[Cell] | None = None
) -> Estimand:
    """Return the plain mean of the calendar effects: every period counts once.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 4]), np.array([1, 2, 3, 4]))
    >>> overall_calendar(design).weights
    (0.5, 0.5)
    """
    parts = by_calendar(design, weighting, within)
    return _mean_of("overall_calendar", parts, np.full(len(parts), 1 / len(parts)), "mean over periods")


def money_total(design: Design, within: Collection[Cell] | None = None) -> Estimand:
    r"""Return the total over the identified cells at or after entry, in patient-periods.

    .. math:: \theta = \sum_{(g,t)\ \text{identified},\ t \ge g} N^{pat}_g \, ATT(g,t)

    Patients are the frozen list sizes of the cohort: known numbers, not estimated shares. Each cell counts one period;
    nothing is extrapolated to other cohorts, periods or a year.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 4]), np.array([1, 2, 3]),
    ...     size=np.array([2000.0, 3000.0, 2500.0]))
    >>> money_total(design).weights
    (5000.0, 5000.0)
    """
    cells = _post(design, within)
    patients = _size(design, Weighting.PATIENT, cells)
    return Estimand(
        "money_total", Weighting.PATIENT, tuple(cells), tuple(patients.tolist()), "total over observed patient-periods"
    )


def share_mean(
    design: Design,
    name: str,
    weighting: Weighting,
    cells: Sequence[Cell],
    description: str,
    *,
    cohort: int | None = None,
    period: int | None = None,
    event_time: int | None = None,
) -> Estimand:
    """Return the mean over cells weighted by cohort size (practices or patients), shares estimated by the sample.

    Raises
    ------
    NotIdentifiedError
        If there is no cell.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 4]), np.array([1, 2, 3, 4]))
    >>> share_mean(design, "overall", Weighting.PRACTICE, [(2, 2)], "first period", period=2).weights
    (1.0,)
    """
    if not cells:
        raise NotIdentifiedError(_nothing(name))
    sizes = _size(design, weighting, cells).tolist()
    return _share_mean(name, weighting, cells, sizes, description, cohort=cohort, period=period, event_time=event_time)


def _share_mean(
    name: str,
    weighting: Weighting,
    cells: Sequence[Cell],
    sizes: Sequence[float],
    description: str,
    *,
    cohort: int | None = None,
    period: int | None = None,
    event_time: int | None = None,
) -> Estimand:
    """Return the mean over cells weighted by the sizes that stand beside them."""
    total = sum(sizes)
    return Estimand(
        name, weighting, tuple(cells), tuple([size / total for size in sizes]), description,
        cohort=cohort, period=period, event_time=event_time, share_group=(0,) * len(sizes),
    )  # fmt: skip


def _mean_of(
    name: str, parts: Sequence[Estimand], factor: FloatArray, description: str, *, one_group: bool = False
) -> Estimand:
    cells = tuple(cell for p in parts for cell in p.cells)
    weights = tuple(float(f) * w for p, f in zip(parts, factor, strict=True) for w in p.weights)
    group = tuple(0 if one_group else j for j, p in enumerate(parts) for _ in p.cells)
    return Estimand(name, parts[0].weighting, cells, weights, description, share_group=group)


def _post(design: Design, within: Collection[Cell] | None) -> list[Cell]:
    cells = [cell for cell in design.identified_cells() if cell[1] >= cell[0] and (within is None or cell in within)]
    if not cells:
        raise NotIdentifiedError(_nothing("overall"))
    return cells


def _size(design: Design, weighting: Weighting, cells: Sequence[Cell]) -> FloatArray:
    return design.cell_size(cells, by_size=Weighting(weighting) == Weighting.PATIENT)


def _nothing(name: str) -> str:
    return (
        f"Estimand {name} has no identified cell: no cohort has both a period before its entry and units that are "
        "still untouched in a period after it. StaggeredDesign.estimability() shows why, cell by cell."
    )
