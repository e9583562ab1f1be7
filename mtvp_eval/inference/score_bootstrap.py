"""Wild cluster bootstrap of aggregated staggered effects, from their influence values.

For effects that are known weights on cohort means a draw of the scores is a draw of the data: outcomes
:math:`\\bar Y_g + v_c(Y_i - \\bar Y_g)`, estimated and studentised again, give the same statistic. With covariates or
estimated shares it holds to first order.
Source: Kline & Santos (2012) for the score bootstrap; MacKinnon, Nielsen & Webb (2023) for the scaling by leverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.design.staggered import Cell, StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.wild_bootstrap import Multiplier, multipliers, refuse_few_clusters, share_as_large

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class ScoreBootstrap:
    """Hold errors by deletion, p-values of zero and interval ends, (K,) each, and the number of draws."""

    std_error: FloatArray
    p_value: FloatArray
    low: FloatArray
    high: FloatArray
    draws: int
    enumerated: bool


def sides(design: StaggeredDesign, cells: Sequence[Cell]) -> tuple[BoolArray, BoolArray]:
    """Return which units are treated in some of the cells, and which serve as comparison in some, (n,) each.

    Source: Callaway & Sant'Anna (2021), comparison groups.

    >>> design = StaggeredDesign(np.array(list("abc"), dtype=object), np.array([2, 2, 4]), np.array([1, 2, 3, 4]))
    >>> [side.tolist() for side in sides(design, [(2, 2), (2, 3)])]
    [[True, True, False], [False, False, True]]
    """
    entry = design.cohorts[design.cohort_index]
    treated = np.isin(entry, [g for g, _ in cells])
    comparison = np.any([design.comparison_units(g, t) for g, t in cells], axis=0)
    return treated, comparison


def score_bootstrap(
    effects: EffectEstimates,
    treated: BoolArray,
    comparison: BoolArray,
    rng: np.random.Generator,
    *,
    multiplier: Multiplier = Multiplier.RADEMACHER,
    draws: int = 9_999,
    level: float = 0.95,
) -> ScoreBootstrap:
    r"""Test each effect against zero and return the interval of nulls that are not rejected.

    .. math:: t^* = \frac{\sum_c v_c\tilde s_c}{\sqrt{\sum_c r_c(v)^2}}, \qquad
              \tilde s_c = \sum_g \frac{s_{cg}}{1-p_{cg}}, \qquad
              r_c(v) = \sum_g \frac{v_c\tilde s_{cg} - p_{cg}\sum_d v_d\tilde s_{dg}}{1-p_{cg}}

    s_cg are the influence values of a cluster in a cohort about the cohort's mean, over n, with the leverage of
    covariates where there are any; p_cg is its share of the cohort's units: its leverage. The errors are those of
    leaving one cluster out. The statistic does not depend on the null, so the interval is symmetric: the level
    quantile of abs(t*) times the error.

    Parameters
    ----------
    effects : K effects with the strata of a StaggeredDesign.
    treated, comparison : (n,) units on either side, see ``sides``; at least five clusters each.
    rng : generator.
    multiplier : rademacher (enumerated where few), or webb where there are fewer than ten clusters.
    draws : B.
    level : of the intervals.

    Raises
    ------
    EstimationError
        If a side has fewer than five clusters, or one cluster is a whole cohort.

    Source: Kline & Santos (2012), the score bootstrap; MacKinnon, Nielsen & Webb (2023), scores scaled by leverage.

    Example
    -------
    >>> from mtvp_eval.estimators.results import EffectKey
    >>> rng = np.random.default_rng(0)
    >>> effects = EffectEstimates((EffectKey("y", "overall"),), np.array([3.0]), np.arange(12).astype(object),
    ...     rng.normal(size=(12, 1)), np.repeat([0, 1], 6))
    >>> found = score_bootstrap(effects, effects.stratum == 0, effects.stratum == 1, rng)
    >>> found.draws, bool(found.p_value[0] < 0.01), bool(found.low[0] > 0)
    (4096, True, True)
    """
    labels = effects.unit_ids if effects.cluster is None else effects.cluster
    refuse_few_clusters(labels, treated, comparison)
    code = np.unique(labels.astype(str), return_inverse=True)[1].astype(np.int64)
    v, enumerated = multipliers(int(code.max()) + 1, rng, Multiplier(multiplier), draws)
    K = len(effects)
    error, p, half = np.empty(K), np.empty(K), np.empty(K)
    for k in range(K):
        scores, share = _by_cohort(effects, code, k)
        scale = 1 / (1 - share)
        error[k] = np.linalg.norm((scores * scale).sum(axis=1))
        t = _studentised(scores * scale, share, scale, v)
        p[k] = share_as_large(t, abs(effects.estimate[k]) / error[k])
        half[k] = np.quantile(t, level, method="higher") * error[k]
    return ScoreBootstrap(error, p, effects.estimate - half, effects.estimate + half, v.shape[1], enumerated)


def _by_cohort(effects: EffectEstimates, code: IntArray, k: int) -> tuple[FloatArray, FloatArray]:
    """Return the scores of each cluster in each cohort about the cohort's mean, and its share of units, (C, G) each."""
    member = np.ones(effects.n_units, dtype=np.bool_) if effects.member is None else effects.member[:, k]
    C, G = int(code.max()) + 1, int(effects.stratum.max()) + 1
    count, total = np.zeros((C, G)), np.zeros((C, G))
    np.add.at(count, (code, effects.stratum), member)
    scores = effects.influence if effects.leveraged is None else effects.leveraged
    np.add.at(total, (code, effects.stratum), np.where(member, scores[:, k], 0.0) / effects.n_units)
    size = np.maximum(count.sum(axis=0), 1)
    centred = total - count * (total.sum(axis=0) / size)
    share = count / size
    used = np.abs(total).sum(axis=0) > 0
    if (share[:, used] == 1).any():
        raise EstimationError("One cluster is a whole cohort: it cannot be left out. Use t with Satterthwaite's df.")
    return centred[:, used], share[:, used]


def _studentised(scaled: FloatArray, share: FloatArray, scale: FloatArray, v: NDArray[Any]) -> FloatArray:
    """Return abs(t*) of every draw, (B,)."""
    whole = scaled.sum(axis=1)
    own, pull = (scaled * scale).sum(axis=1), share * scale
    found = np.empty(v.shape[1])
    for first in range(0, len(found), _AT_ONCE):
        part = v[:, first : first + _AT_ONCE].astype(np.float64)
        left = own[:, None] * part - pull @ (scaled.T @ part)  # linear in clusters, as cohorts are few
        spread = np.linalg.norm(left, axis=0)
        found[first : first + _AT_ONCE] = np.abs(whole @ part) / np.maximum(spread, np.finfo(np.float64).tiny)
    return found
