"""Which cohorts and which effects of a region stay withheld: one decision, used by every table and figure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray
from mtvp_eval.report.disclosure import withhold

if TYPE_CHECKING:
    import pandas as pd

    from mtvp_eval.report.inputs import ReportInputs


_LOSS = {"att_gt": 1.0, "cohort": 2.0, "placebo": 2.0, "calendar": 3.0, "event_study": 10.0, "overall": 1000.0}
"""How much a reader loses when an effect is withheld: the finer goes first, the average over everything last."""


@lru_cache(maxsize=8)
def withheld_cohorts(inputs: ReportInputs) -> frozenset[str]:
    """Return the cohorts of which nothing is shown.

    Two sums are published of the cohorts: all of them make the region, and those with an effect its average effect.
    """
    cohorts = [str(c) for c in inputs.cohorts["cohort"]]
    cells = inputs.estimability
    treated = set(cells.loc[(cells["identified_by"] != "none") & (cells["event_time"] >= 0), "cohort"].astype(str))
    relations = np.array([[float(c in members) for c in cohorts] for members in (set(cohorts), treated) if members])
    units = inputs.cohorts["units"].to_numpy(float)
    few_patients = inputs.cohorts["patients"].to_numpy(float) < inputs.min_patients
    size = np.r_[np.where(few_patients, 1.0, units), relations @ units]
    hidden = withhold(size, np.hstack([relations, -np.eye(len(relations))]), inputs.min_units)
    return frozenset(c for c, is_hidden in zip(cohorts, hidden[: len(cohorts)], strict=True) if is_hidden)


def withheld_comparison(inputs: ReportInputs) -> tuple[BoolArray, BoolArray]:
    """Return for each row of the estimability frame whether the comparison's size, and its effect, stay withheld.

    A size is withheld that counts some of the withheld cohorts and not others: the difference with another size would
    give a cohort away. An effect is withheld whose comparison holds fewer withheld units than may be shown: with the
    raw means of the other cohorts it would give theirs away. Sizes under the threshold are withheld with their effect.
    """
    hidden = withheld_cohorts(inputs)
    frame = inputs.estimability
    units = dict(zip(inputs.cohorts["cohort"].astype(str), inputs.cohorts["units"].astype(int), strict=True))
    small = frame["practices_comparing"].between(1, inputs.min_units - 1).to_numpy(np.bool_)
    mixed, few = [], []
    for cohort, period in zip(frame["cohort"].astype(str), frame["period"].astype(str), strict=True):
        inside = {c for c in hidden if (c == "never" or c > period) and c != cohort}
        mixed.append(bool(inside) and inside != hidden)
        few.append(0 < sum(units[c] for c in inside) < inputs.min_units)
    return small | np.array(mixed, dtype=np.bool_), small | np.array(few, dtype=np.bool_)


def betrays_few(inputs: ReportInputs) -> BoolArray:
    """Return for each row of the pooling_contrasts frame whether it could be solved for a mean of few practices.

    A contrast is one equation in the means of its cohorts. With the means of the cohorts that are shown, what is left
    in it are the practices counted in another cohort than in the table, in one of the two only, or in a withheld
    cohort: none of them, or as many as may be shown.
    """
    frame, cohorts = inputs.pooling["pooling_contrasts"], inputs.pooling["pooling_cohorts"]
    hidden = cohorts["cohort"].astype(str).isin(withheld_cohorts(inputs))
    only_there = (cohorts["members"] - cohorts["analysed"]).where(~hidden & (cohorts["alike"] > 0), 0)
    unlike = cohorts["analysed"] - cohorts["alike"].mask(hidden, 0)
    left = (only_there + unlike).groupby(cohorts["outcome"]).sum().reindex(frame["outcome"]).to_numpy(float)
    return np.asarray((left > 0) & (left < inputs.min_units))


@lru_cache(maxsize=8)
def shown_effects(inputs: ReportInputs) -> pd.DataFrame:
    """Return the effects with a column ``withheld``; where it is true, every number is gone.

    Cells are the effects by cohort and period. Each average over event time, cohort, calendar period or all of them is
    a relation whose weights are the cells' units, so an average goes too where it would give a cell away.
    """
    import pandas as pd

    frame = inputs.effects.reset_index(drop=True).copy()
    frame["event_time"] = frame["event_time"].astype(float)
    frame["withheld"] = False
    cells = _cells(inputs)
    for _, group in frame.groupby(["outcome", "weighting"], sort=False):
        frame.loc[group.index, "withheld"] = _withheld(group, cells, inputs)
    numbers = ["estimate", "std_error", "df", "ci_low", "ci_high", "band_low", "band_high"]
    frame[numbers] = frame[numbers].astype(float).mask(pd.Series(frame["withheld"]), np.nan)
    return frame


def _cells(inputs: ReportInputs) -> pd.DataFrame:
    """The identified cells with the units behind them: the fewest of those enrolled and those comparing."""
    identified = (inputs.estimability["identified_by"] != "none").to_numpy()
    cells = inputs.estimability[identified].reset_index(drop=True)
    few = withheld_comparison(inputs)[1][identified] | (cells["patients"].to_numpy(float) < inputs.min_patients)
    units = np.minimum(cells["practices"].to_numpy(float), cells["practices_comparing"].to_numpy(float))
    return cells.assign(size=np.where(few, 1.0, units))


def _withheld(rows: pd.DataFrame, cells: pd.DataFrame, inputs: ReportInputs) -> BoolArray:
    """Which rows of one outcome and weighting may not be shown: unknowns are the cells first, then the averages."""
    n, averages = len(cells), rows[rows["estimand"] != "att_gt"]
    cohort, period = cells["cohort"].to_numpy(str), cells["period"].to_numpy(str)
    event_time, units = cells["event_time"].to_numpy(float), cells["practices"].to_numpy(float)
    place = {key: i for i, key in enumerate(zip(cohort, period, strict=True))}
    at = np.full(len(rows), -1)
    at[(rows["estimand"] != "att_gt").to_numpy()] = n + np.arange(len(averages))
    for i, row in enumerate(rows.itertuples()):
        if row.estimand == "att_gt":
            at[i] = place.get((str(row.cohort), str(row.period)), -1)
    equations = np.zeros((len(averages), n + len(averages)))
    size = np.zeros(len(averages))
    for i, row in enumerate(averages.itertuples()):
        parts = event_time == row.event_time if row.event_time == row.event_time else event_time >= 0
        parts = (
            parts & ((cohort == str(row.cohort)) | (not row.cohort)) & ((period == str(row.period)) | (not row.period))
        )
        equations[i, :n] = np.where(parts, units, 0.0)
        equations[i, n + i] = -units[parts].sum()
        size[i] = sum(dict(zip(cohort[parts], units[parts], strict=True)).values())
    published = np.isin(np.arange(n), at)
    gone = [*withheld_cohorts(inputs)]
    hidden = withhold(
        np.r_[cells["size"].to_numpy(float), size],
        equations,
        inputs.min_units,
        also=np.r_[np.isin(cohort, gone), np.isin(averages["cohort"].to_numpy(str), gone)],
        unpublished=np.r_[~published, np.zeros(len(averages), dtype=np.bool_)],
        cost=np.r_[np.full(n, _LOSS["att_gt"]), [_LOSS.get(e, _LOSS["overall"]) for e in averages["estimand"]]],
    )
    return np.where(at >= 0, hidden[at], False)
