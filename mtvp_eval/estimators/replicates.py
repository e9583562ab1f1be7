"""Replicates: K estimates whose published variance is not that of an influence function, with what shows their spread.

Source: Arkhangelsky et al. (2021), American Economic Review 111, algorithm 4, for the variance of placebo draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray, frozen
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectKey
from mtvp_eval.estimators.tidy import as_html, as_text, tidy_frame

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Replicates:
    r"""Hold K estimates and B draws of them under no effect, or the covariance that a model states.

    They cannot be combined or stacked with influence functions: a sum across methods would assume independence.

    Parameters
    ----------
    index : K keys.
    estimate : (K,).
    draws : (B, K) the same estimates where nothing happened; B = 0 for a model.
    spread : (K, K) covariance stated by a model; :math:`\sum_b (d_b - \bar d)(d_b - \bar d)' / B` where None.
    degrees : (K,) degrees of freedom of the standard errors; the normal is used where None.
    method : name of the estimator.
    spread_method : name of what the standard errors come from.
    no_error : K reasons why an estimate has no standard error; None where it has one.
    notes : sentences for the reader.

    Raises
    ------
    EstimationError
        If shapes disagree.

    Example
    -------
    >>> found = Replicates((EffectKey("y", "overall"),), np.array([3.0]), np.array([[1.0], [-1.0]]))
    >>> found.std_error().tolist(), found.to_frame().ci_method.tolist()
    ([1.0], ['placebo draws, normal'])
    """

    index: tuple[EffectKey, ...]
    estimate: FloatArray
    draws: FloatArray
    spread: FloatArray | None = None
    degrees: FloatArray | None = None
    method: str = ""
    spread_method: str = "placebo draws"
    no_error: tuple[str | None, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        K = len(self.index)
        if not self.no_error:
            object.__setattr__(self, "no_error", (None,) * K)
        spread = (K, K) if self.spread is None else np.shape(self.spread)
        degrees = (K,) if self.degrees is None else np.shape(self.degrees)
        shapes = (np.shape(self.estimate), np.shape(self.draws)[1:], spread, degrees, len(self.no_error))
        if shapes != ((K,), (K,), (K, K), (K,), K):
            raise EstimationError(f"{K} estimates do not fit arrays of shapes {shapes}.")
        for name in ("estimate", "draws", "spread", "degrees"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, frozen(np.asarray(value, dtype=np.float64)))

    def __len__(self) -> int:
        return len(self.index)

    def covariance(self) -> FloatArray:
        """Return the (K, K) covariance; rows without a standard error are NaN."""
        bad = np.array([reason is not None for reason in self.no_error], dtype=np.bool_)
        if self.spread is not None:
            matrix = self.spread.copy()
        elif len(self.draws) < 2:
            matrix = np.full((len(self), len(self)), np.nan)
        else:
            away = self.draws - self.draws.mean(axis=0)
            matrix = away.T @ away / len(away)
        matrix[bad, :] = np.nan
        matrix[:, bad] = np.nan
        return matrix

    def std_error(self) -> FloatArray:
        """Return the (K,) standard errors; NaN where there is a reason for none."""
        return np.asarray(np.sqrt(np.diag(self.covariance())), dtype=np.float64)

    def df(self) -> FloatArray:
        """Return the (K,) degrees of freedom of the standard errors; infinite where the normal is used."""
        return np.full(len(self), np.inf) if self.degrees is None else self.degrees

    @property
    def ci_method(self) -> str:
        """Name of the interval that ``to_frame`` shows."""
        return f"{self.spread_method}, {'normal' if self.degrees is None else 't'}"

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Return one tidy row per estimate, in the columns of ``EffectEstimates.to_frame``."""
        return tidy_frame(self, level)

    def __repr__(self) -> str:
        return as_text(self._title(), self.to_frame())

    def _repr_html_(self) -> str:
        return as_html(self._title(), self.to_frame())

    def _title(self) -> str:
        drawn = f", {len(self.draws)} draws" if len(self.draws) else ""
        return f"{self.method or 'Effects'}: {len(self)} estimates{drawn}, {self.ci_method}"
