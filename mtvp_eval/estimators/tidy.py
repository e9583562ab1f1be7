"""Estimates as a tidy table and as text: the same columns for influence functions, placebo draws and models.

Source: none; a layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

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

    df, error = found.df(), found.std_error()
    half = _quantile(df, level) * error
    rows = [
        {
            "outcome": k.outcome, "estimand": k.estimand, "weighting": str(k.weighting),
            "population": str(k.population),
            "cohort": period_label(k.cohort), "period": period_label(k.period), "event_time": k.event_time,
            "unit": k.unit_of_measure, "estimate": found.estimate[j], "std_error": error[j], "df": df[j],
            "ci_low": found.estimate[j] - half[j], "ci_high": found.estimate[j] + half[j],
            "ci_method": found.ci_method if found.no_error[j] is None else "none", "note": found.no_error[j] or "",
        }
        for j, k in enumerate(found.index)
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"event_time": "Int64"})


def _quantile(df: FloatArray, level: float) -> FloatArray:
    """Return the (K,) quantile of Student's t, or of the normal where degrees of freedom are infinite."""
    from scipy.stats import norm, t

    tail = 0.5 + level / 2
    usable = np.isfinite(df) & (df > 0)
    return np.where(usable, t.ppf(tail, np.where(usable, df, 1.0)), norm.ppf(tail))


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
