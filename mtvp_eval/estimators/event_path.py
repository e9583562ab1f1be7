"""Effects by event time from a method that estimates them directly, with their means from entry on.

Source: none; a definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.results import EffectEstimates, EffectKey
from mtvp_eval.estimators.sample import Sample


def event_path(
    sample: Sample,
    outcome: str,
    weighting: Weighting,
    path: Mapping[int, tuple[float, FloatArray]],
    alone: Sequence[bool],
    enrolled: Sequence[float],
    method: str,
    rows: tuple[int, int] | None = None,
) -> EffectEstimates:
    r"""Return event_study entries and two means of those from entry on: overall and overall_event.

    .. math:: \theta = \sum_{e \ge 0} W_e \theta_e / \sum_{e \ge 0} W_e, \qquad
              \theta_{event} = \tfrac{1}{E}\sum_{e \ge 0} \theta_e

    with W_e the enrolled units (or their weight) observed at e, taken as known.

    Parameters
    ----------
    sample : units, strata and clusters.
    outcome, weighting, method : what the entries are called.
    path : event time -> effect and influence (n,); at least one event time from entry on.
    alone : whether a single unit on one side carries the effect, which then has no standard error.
    enrolled : W_e of each event time.
    rows : rows and parameters of the regression, for the correction fixest.

    Example
    -------
    >>> from mtvp_eval.data.panel import Panel
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> from mtvp_eval.estimators.sample import read_sample
    >>> panel = Panel(np.array(["a", "b"], dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.zeros((2, 3))}, entry=np.array([2, 9]))
    >>> sample = read_sample(panel, StaggeredDesign.from_panel(panel), "y")
    >>> path = {0: (1.0, np.zeros(2)), 1: (2.0, np.zeros(2))}
    >>> event_path(sample, "y", Weighting.PRACTICE, path, [False, False], [3, 1], "").estimate.tolist()
    [1.0, 2.0, 1.25, 1.5]
    """
    times = list(path)
    single = EffectEstimates(
        tuple(EffectKey(outcome, "event_study", weighting, event_time=e) for e in times),
        np.array([path[e][0] for e in times]), sample.design.unit_ids, np.column_stack([path[e][1] for e in times]),
        sample.design.cohort_index, sample.cluster, correction="hc2" if sample.cluster is None else "cr1",
        method=method, notes=sample.notes(), regression=rows,
        no_error=tuple("rests on one unit: its spread cannot be seen" if one else None for one in alone),
    )  # fmt: skip
    since = np.array([e >= 0 for e in times])
    mass = since * np.asarray(enrolled, dtype=np.float64)
    weights = np.vstack([np.eye(len(times)), mass / mass.sum(), since / since.sum()])
    means = [EffectKey(outcome, name, weighting) for name in ("overall", "overall_event")]
    return single.combine([*single.index, *means], weights)
