"""p-values over a declared family of outcomes: Romano-Wolf step-down, Benjamini-Hochberg for what is exploratory."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates


class Family(StrEnum):
    """What an outcome was declared to be before outcomes were read."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    EXPLORATORY = "exploratory"


def families(outcomes: Sequence[str], primary: str, secondary: Sequence[str]) -> tuple[Family, ...]:
    """Return the declared family of each outcome; those not declared are exploratory.

    Source: Anderson (2008), for families fixed before outcomes.

    >>> [str(f) for f in families(["cost", "visits", "other"], "visits", ["cost"])]
    ['secondary', 'primary', 'exploratory']
    """
    return tuple(
        Family.PRIMARY if o == primary else Family.SECONDARY if o in secondary else Family.EXPLORATORY for o in outcomes
    )


def p_values(effects: EffectEstimates) -> FloatArray:
    """Return the two-sided p-values of zero, (K,), by t with the degrees of freedom of each; NaN without an error.

    Source: Satterthwaite (1946).

    >>> from mtvp_eval.estimators.results import EffectKey
    >>> effects = EffectEstimates((EffectKey("y", "overall"),), np.array([1.96]), np.array(["a"], dtype=object),
    ...     np.ones((1, 1)), np.zeros(1, dtype=int))
    >>> p_values(effects).round(3).tolist()
    [0.05]
    """
    from scipy.special import ndtr, stdtr

    error, df = effects.std_error(), effects.df()
    usable = np.isfinite(error) & (error > 0)
    ratio = np.abs(effects.estimate) / np.where(usable, error, 1.0)
    few = np.isfinite(df) & (df > 0)
    p = np.where(few, 2 * stdtr(np.where(few, df, 1.0), -ratio), 2 * ndtr(-ratio))
    return np.where(usable, p, np.nan)


def romano_wolf(effects: EffectEstimates, rng: np.random.Generator, *, draws: int = 20_000) -> FloatArray:
    r"""Return p-values (K,) that hold the chance of any false finding among the K effects, by step-down.

    .. math:: \tilde p_{(j)} = \max_{i \le j} \Pr\Big( \max_{k \ge i} |Z_{(k)}| \ge z_{(i)} \Big), \qquad
              Z \sim N(0, corr(\hat V)), \qquad z_k = \Phi^{-1}(1 - p_k/2)

    with p_k from t and its degrees of freedom, ordered from small to large. Draws of Z are normal multipliers of the
    cluster sums of influence values, one for all outcomes, so that their dependence is the one in the data; outcomes
    seen for different units share the units in common. The +1 rule keeps p above 0.

    Parameters
    ----------
    effects : the family, stacked into one object: one effect an outcome.
    rng : generator.
    draws : of Z; the Monte Carlo error of a p-value of 0.05 is 0.0015 at 20,000.

    Raises
    ------
    EstimationError
        If an effect has no standard error.

    Source: Romano & Wolf (2005), step-down; Romano & Wolf (2016), adjusted p-values.

    Example
    -------
    >>> from mtvp_eval.estimators.results import EffectKey
    >>> psi = np.random.default_rng(1).normal(size=(400, 1))
    >>> twice = EffectEstimates((EffectKey("y", "overall"), EffectKey("same", "overall")), np.array([0.1, 0.1]),
    ...     np.arange(400).astype(object), np.hstack([psi, psi]), np.zeros(400, dtype=int))
    >>> bool(np.abs(romano_wolf(twice, np.random.default_rng(0)) - p_values(twice)).max() < 0.01)
    True
    """
    from scipy.special import ndtri

    p = p_values(effects)
    if np.isnan(p).any():
        raise EstimationError(
            f"{int(np.isnan(p).sum())} of {len(p)} outcomes of the family have no standard error; the family cannot be "
            "adjusted without them. Declare it without these outcomes and say so."
        )
    z = -ndtri(np.maximum(p, np.finfo(np.float64).tiny) / 2)
    scale = 1 / effects.std_error()
    values, vectors = np.linalg.eigh(effects.covariance() * np.outer(scale, scale))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T  # symmetric: no sign of a vector matters
    order = np.argsort(-z, kind="stable")
    drawn = np.abs(rng.standard_normal((draws, len(z))) @ root.T)[:, order]
    rest = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]  # largest among those from i on
    single = (1 + (rest >= z[order]).sum(axis=0)) / (draws + 1)
    adjusted = np.empty(len(z))
    adjusted[order] = np.maximum.accumulate(single)
    return np.maximum(adjusted, p)


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    r"""Return p-values adjusted so that the expected share of false findings is held; NaN stays out.

    .. math:: \tilde p_{(j)} = \min_{i \ge j} \min(1, K p_{(i)} / i)

    with p ordered from small to large. It holds for independent and for positively dependent outcomes; for other
    dependence it is approximate.

    Parameters
    ----------
    p : (K,) p-values.

    Source: Benjamini & Hochberg (1995), eq. 1, solved for the smallest level at which each p-value is rejected.

    Example
    -------
    >>> benjamini_hochberg(np.array([0.01, 0.04, np.nan, 0.03])).round(4).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    seen = np.flatnonzero(np.isfinite(p))
    order = seen[np.argsort(p[seen])]
    raw = p[order] / (np.arange(1, len(order) + 1) / max(len(order), 1))
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return adjusted
