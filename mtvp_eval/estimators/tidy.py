"""Estimates as a tidy table and as text: the same columns for influence functions, placebo draws and models.

Source: none; a layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.clock import quarter_label

if TYPE_CHECKING:
    import pandas as pd

    from mtvp_eval.estimators.results import EffectKey

_FIRST_QUARTER = 4 * 1900
"""Clock values from here on are quarters, not years or plain counts."""


class Estimates(Protocol):
    """What a table of estimates is made of."""

    @property
    def index(self) -> Sequence[EffectKey]: ...  # noqa: D102
    @property
    def estimate(self) -> FloatArray: ...  # noqa: D102
    @property
    def no_error(self) -> Sequence[str | None]: ...  # noqa: D102
    @property
    def ci_method(self) -> str: ...  # noqa: D102
    def std_error(self) -> FloatArray: ...  # noqa: D102
    def df(self) -> FloatArray: ...  # noqa: D102


def tidy_frame(found: Estimates, level: float) -> pd.DataFrame:
    """Return one row per estimate: key, estimate, std_error, df, interval, its method, and a note.

    Example
    -------
    >>> from mtvp_eval.estimators.replicates import Replicates
    >>> from mtvp_eval.estimators.results import EffectKey
    >>> found = Replicates((EffectKey("y", "overall"),), np.array([3.0]), np.array([[1.0], [-1.0]]))
    >>> tidy_frame(found, 0.95).loc[0, ["estimate", "ci_high"]].round(2).tolist()
    [3.0, 4.96]
    """
    import pandas as pd

    df, error, keys, shown = found.df(), found.std_error(), found.index, found.ci_method
    half = _quantile(level, df) * error
    outcome, estimand, weighting, population, cohort, period, unit, method, note = _texts(
        [k.outcome for k in keys], [k.estimand for k in keys],
        [str(k.weighting) for k in keys], [str(k.population) for k in keys],
        [period_label(k.cohort) for k in keys], [period_label(k.period) for k in keys],
        [k.unit_of_measure for k in keys],
        [shown if reason is None else "none" for reason in found.no_error],
        [reason or "" for reason in found.no_error],
    )  # fmt: skip
    columns = {
        "outcome": outcome, "estimand": estimand, "weighting": weighting, "population": population, "cohort": cohort,
        "period": period, "event_time": _whole_numbers([k.event_time for k in keys]), "unit": unit,
        "estimate": found.estimate, "std_error": error, "df": df, "ci_low": found.estimate - half,
        "ci_high": found.estimate + half, "ci_method": method, "note": note,
    }  # fmt: skip
    return pd.DataFrame(columns)


def _whole_numbers(values: list[int | None]) -> Any:
    """Return a column of whole numbers, which may be missing, as pandas holds it.

    >>> _whole_numbers([-1, None]).tolist()
    [-1, <NA>]
    """
    import pandas as pd

    missing = np.array([value is None for value in values], dtype=np.bool_)
    return pd.arrays.IntegerArray(np.array([value or 0 for value in values], dtype=np.int64), missing)


def _texts(*columns: list[str]) -> list[Any]:
    """Return columns as pandas holds texts, which looks for the type of all of them at once."""
    import pandas as pd

    whole, rows = pd.Series([text for column in columns for text in column]).array, len(columns[0])
    return [whole[k * rows : (k + 1) * rows] for k in range(len(columns))]


def _quantile(level: float, df: FloatArray) -> FloatArray:
    """Return the (K,) quantile of Student's t, or of the normal where degrees of freedom are infinite."""
    from scipy.special import ndtri, stdtrit

    tail = 0.5 + level / 2
    usable = np.isfinite(df) & (df > 0)
    found = np.full(len(df), ndtri(tail))
    found[usable] = stdtrit(df[usable], tail)
    return found


def as_text(title: str, frame: pd.DataFrame) -> str:
    """Return a title over a table of at most 24 rows."""
    return f"{title}\n{frame.to_string(index=False, max_rows=24)}"


def as_html(title: str, frame: pd.DataFrame) -> str:
    """Return the same for a notebook."""
    return f"<p>{title}</p>{frame.to_html(index=False, max_rows=24)}"


def period_label(clock: int | None) -> str:
    """Return the label of a clock value: quarters as 2023Q2, years and counts as they are, nothing for None.

    >>> period_label(8093), period_label(2023), period_label(None)
    ('2023Q2', '2023', '')
    """
    if clock is None:
        return ""
    return quarter_label(clock) if clock >= _FIRST_QUARTER else str(clock)
