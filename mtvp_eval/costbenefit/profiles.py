"""Shares over the years: how long an effect persists, how much of it becomes cash, how much cost can be avoided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.reading import Problems


def geometric(observed: int, n_years: int, decay: float) -> FloatArray:
    r"""Return persistence 1 in observed years and :math:`(1-d)^{j}` in the j-th year after them.

    >>> geometric(2, 4, 0.2).round(2).tolist()
    [1.0, 1.0, 0.8, 0.64]
    """
    return (1.0 - decay) ** _years_after(observed, n_years)


def linear_to_zero(observed: int, n_years: int, span: int) -> FloatArray:
    r"""Return persistence :math:`\max(0, 1 - j/T)` in the j-th year after the observed ones.

    >>> linear_to_zero(2, 5, 5).round(2).tolist()
    [1.0, 1.0, 0.8, 0.6, 0.4]
    """
    return np.clip(1.0 - _years_after(observed, n_years) / span, 0.0, 1.0)


def half_life(observed: int, n_years: int, years: float) -> FloatArray:
    r"""Return persistence :math:`2^{-j/h}` in the j-th year after the observed ones.

    >>> half_life(2, 5, 3).round(4).tolist()
    [1.0, 1.0, 0.7937, 0.63, 0.5]
    """
    return 0.5 ** (_years_after(observed, n_years) / years)


def observed_only(observed: int, n_years: int) -> FloatArray:
    """Return persistence 1 in observed years and 0 after them: nothing is extrapolated.

    >>> observed_only(2, 3).tolist()
    [1.0, 1.0, 0.0]
    """
    return (np.arange(n_years) < observed).astype(float)


def delayed(path: FloatArray, chances: Sequence[float]) -> FloatArray:
    r"""Return the mean of a path (T,) that comes 0, 1, 2, … years later with the given chances.

    .. math:: \bar s_t = \sum_k p_k\, s_{\max(t-k,\,0)}

    The first year's share holds until then.

    >>> delayed(np.array([0.5, 1.0, 1.0]), [0.5, 0.5]).tolist()
    [0.5, 0.75, 1.0]
    """
    years = np.arange(len(path))
    return np.sum([p * path[np.maximum(years - k, 0)] for k, p in enumerate(chances)], axis=0)


def _years_after(observed: int, n_years: int) -> FloatArray:
    """Number of years since the last observed one, zero within the observed window."""
    return np.maximum(np.arange(n_years) - observed + 1, 0).astype(float)


def read_persistence(spec: Any, observed: int, n_years: int, where: str, problems: Problems) -> FloatArray:
    """Read ``observed``, ``{geometric: d}``, ``{linear_to_zero: T}``, ``{half_life: h}`` or a list of shares.

    `problems` collects what is wrong; the result then has the right shape and must not be used. Persistence in observed
    years is 1 by definition: there the effect is measured.
    """
    fallback = observed_only(observed, n_years)
    if spec is None or spec == "observed":
        return fallback
    if isinstance(spec, list):
        path = read_share(spec, n_years, where, problems)
        if (path[:observed] != 1.0).any():
            problems.add(where, "must be 1 in the observed years, where the effect is measured")
        return path
    if isinstance(spec, Mapping) and len(spec) == 1:
        (form, value), *_ = spec.items()
        if form == "geometric":
            return geometric(observed, n_years, problems.number(value, f"{where}.geometric", 0.0, 1.0))
        if form == "linear_to_zero":
            return linear_to_zero(observed, n_years, int(max(problems.number(value, f"{where}.{form}", 1, 100), 1)))
        if form == "half_life":
            return half_life(observed, n_years, problems.number(value, f"{where}.half_life", 0.01, 1000))
    problems.add(where, "must be observed, {geometric: d}, {linear_to_zero: T}, {half_life: h} or a list of shares")
    return fallback


def read_share(spec: Any, n_years: int, where: str, problems: Problems) -> FloatArray:
    """Read a share of every year: one number, a list of `n_years`, or ``{before, after, lag_years}``.

    >>> read_share({"before": 0.35, "after": 0.8, "lag_years": 2}, 3, "avoidable", Problems("ledger")).tolist()
    [0.35, 0.35, 0.8]
    """
    if isinstance(spec, Mapping):
        if problems.keys(spec, where, ("before", "after", "lag_years")):
            before, after = (problems.number(spec[key], f"{where}.{key}", 0.0, 1.0) for key in ("before", "after"))
            lag = problems.number(spec["lag_years"], f"{where}.lag_years", 0, 100)
            return np.where(np.arange(n_years) < lag, before, after)
    elif isinstance(spec, list):
        if len(spec) == n_years:
            return np.array([problems.number(value, f"{where}[{i}]", 0.0, 1.0) for i, value in enumerate(spec)])
        problems.add(where, f"has {len(spec)} shares for {n_years} years")
    else:
        return np.full(n_years, problems.number(spec, where, 0.0, 1.0))
    return np.ones(n_years)
