"""From a panel and its design to the frames a report describes them with: sizes, raw means, missing values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.estimators.results import period_label

if TYPE_CHECKING:
    import pandas as pd


def cohort_label(clock: int) -> str:
    """Return the label of a cohort: its entry period, or ``never``.

    >>> cohort_label(8093), cohort_label(NEVER)
    ('2023Q2', 'never')
    """
    return "never" if clock == NEVER else period_label(int(clock))


def cohort_frame(design: StaggeredDesign) -> pd.DataFrame:
    """Return one row a cohort: label, units, patients."""
    import pandas as pd

    return pd.DataFrame(
        {
            "cohort": [cohort_label(int(g)) for g in design.cohorts],
            "units": design.cohort_size,
            "patients": design.cohort_patients,
        }
    )


def estimability_frame(design: StaggeredDesign) -> pd.DataFrame:
    """Return the design's own account of every cohort and period, with labels for clock values."""
    from dataclasses import asdict

    import pandas as pd

    frame = pd.DataFrame([asdict(row) for row in design.estimability()])
    return frame.assign(cohort=frame["cohort"].map(cohort_label), period=frame["period"].map(period_label))


def trend_frame(panel: Panel, design: StaggeredDesign) -> pd.DataFrame:
    """Return raw means of every outcome by cohort and period, weighted by list size, over the units observed there."""
    import pandas as pd

    return pd.DataFrame(list(_trend_rows(panel, design)))


def _trend_rows(panel: Panel, design: StaggeredDesign) -> Iterator[dict[str, Any]]:
    rows = design.rows_in(panel.unit_ids)
    for outcome, values in panel.outcomes.items():
        mean, units, patients = weighted_cohort_means(
            values[rows], design.size, design.cohort_index, len(design.cohorts)
        )
        for g, t in np.ndindex(mean.shape):
            yield {
                "outcome": outcome, "cohort": cohort_label(int(design.cohorts[g])), "period": panel.periods[t],
                "units": int(units[g, t]), "patients": float(patients[g, t]), "mean": float(mean[g, t]),
            }  # fmt: skip


def weighted_cohort_means(
    y: FloatArray, weight: FloatArray, cohort: IntArray, n_cohorts: int
) -> tuple[FloatArray, IntArray, FloatArray]:
    r"""Return means :math:`\sum_i w_i y_{it} / \sum_i w_i` over the units observed, with their number and weight.

    Parameters
    ----------
    y : (n, T) outcome, NaN where not observed. weight : (n,). cohort : (n,) from 0 to ``n_cohorts`` - 1.

    Returns
    -------
    (G, T) means, NaN where nobody is observed; (G, T) units; (G, T) summed weights.

    >>> import numpy as np
    >>> y = np.array([[1.0], [4.0], [np.nan]])
    >>> mean, units, weight = weighted_cohort_means(y, np.array([1.0, 2.0, 9.0]), np.array([0, 0, 0]), 1)
    >>> mean.tolist(), units.tolist(), weight.tolist()
    ([[3.0]], [[2]], [[3.0]])
    """
    seen: BoolArray = np.isfinite(y)
    member = (cohort[None, :] == np.arange(n_cohorts)[:, None]).astype(np.float64)
    total = member @ (weight[:, None] * np.where(seen, y, 0.0))
    mass = member @ (weight[:, None] * seen)
    units = (member @ seen).astype(np.int64)
    return np.where(mass > 0, total / np.where(mass > 0, mass, 1.0), np.nan), units, mass


def missing_frame(panel: Panel, design: StaggeredDesign) -> pd.DataFrame:
    """Return the share of values missing by outcome, cohort and event time (entering cohorts only)."""
    import pandas as pd

    rows, found = design.rows_in(panel.unit_ids), []
    for outcome, values in panel.outcomes.items():
        absent = np.isnan(values[rows])
        for g, entry in enumerate(design.cohorts):
            if entry == NEVER:
                continue
            share = absent[design.cohort_index == g].mean(axis=0)
            found += [
                {
                    "outcome": outcome, "cohort": cohort_label(int(entry)), "event_time": int(t - entry),
                    "units": int(design.cohort_size[g]), "share": float(share[j]),
                }
                for j, t in enumerate(panel.clock)
            ]  # fmt: skip
    return pd.DataFrame(found)


def baseline_means(panel: Panel, design: StaggeredDesign) -> dict[str, float]:
    """Return each outcome's patient-weighted mean in the last period before the region's first entry."""
    rows = design.rows_in(panel.unit_ids)
    column = int(np.searchsorted(panel.clock, design.cohorts[0])) - 1
    everyone = np.zeros(len(rows), dtype=np.int64)
    return {
        outcome: float(weighted_cohort_means(y[rows][:, [column]], design.size, everyone, 1)[0][0, 0])
        for outcome, y in panel.outcomes.items()
    }
