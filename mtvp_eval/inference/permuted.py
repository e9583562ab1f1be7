"""Replays of a draw with fixed cohort sizes for estimators that are weights on cohort means, the shares estimated anew.

Where every unit had the same chance of each place (a cap in units, or no cap), cohort sizes do not change from replay
to replay, and so neither do the weights that such an estimator puts on cohort means. Each unit then has one number for
every cohort it could have been in, and a replay adds these numbers up: no fit is repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import Block, LotteryDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.lottery_contrasts import BlockContrasts, lottery_contrasts
from mtvp_eval.estimators.sample import read_sample
from mtvp_eval.inference.replay import ReplayedStatistics

_CELLS_AT_ONCE = 2**19
"""Replays x units worked on at once."""


def permuted_estimators(
    panel: Panel,
    design: LotteryDesign,
    outcomes: Sequence[str],
    estimands: Sequence[Estimand],
    rng: np.random.Generator,
    draws: int,
    *,
    beta: float | None = None,
) -> ReplayedStatistics:
    r"""Replay Roth and Sant'Anna's estimator by permuting cohorts inside blocks.

    .. math:: \hat\theta(\pi) = \sum_b \sum_g \frac{1}{N_{bg}} \sum_{i:\,\pi(i) = g} (p_{ig} - \beta_b q_{ig}), \qquad
              p_{ig} = A_{\theta,bg}'Y_i,\; q_{ig} = A_{0,bg}'Y_i

    with the share :math:`\beta_b` that makes Neyman's variance smallest estimated anew in each replay. All outcomes and
    estimands see the same replays.

    Parameters
    ----------
    panel : J outcomes, observed throughout.
    design : who was drawn when; every unit of a block had the same chance of each cohort.
    outcomes : J names in the panel.
    estimands : K estimands by practice, made from ``design``.
    draws : replays.
    beta : a fixed share declared before outcomes; estimated in every replay where None.

    Raises
    ------
    EstimationError
        If outcomes are missing, or an estimand weights by patients (cohort weights would change with the draw).

    Source: Roth & Sant'Anna (2023), section 4 (arXiv:2102.01291): the studentised permutation test.

    Example
    -------
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> from mtvp_eval.estimands.aggregate import overall
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 3, 8], [0, 1, 2], [0, 2, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> drawn = LotteryDesign.one_block(StaggeredDesign.from_panel(panel))
    >>> seen = permuted_estimators(panel, drawn, ["y"], [overall(drawn)], np.random.default_rng(0), draws=20)
    >>> seen.estimate.round(6).tolist(), seen.replayed.shape
    ([[3.0]], (20, 1, 1))
    """
    return _replayed(panel, design, outcomes, estimands, rng, draws, beta=beta, before=False)


def permuted_balance(
    panel: Panel,
    design: LotteryDesign,
    outcomes: Sequence[str],
    estimands: Sequence[Estimand],
    rng: np.random.Generator,
    draws: int,
) -> ReplayedStatistics:
    r"""Replay the difference before entry, :math:`\hat X = \sum_g A_{0,g}'\bar Y_g`, that the estimand's cohorts had.

    It is zero on average under the draw, whatever the programme did. Parameters and errors are those of
    `permuted_estimators`.

    Source: Roth & Sant'Anna (2023), section 2.3 (arXiv:2102.01291).
    """
    return _replayed(panel, design, outcomes, estimands, rng, draws, beta=0.0, before=True)


def _replayed(
    panel: Panel, design: LotteryDesign, outcomes: Sequence[str], estimands: Sequence[Estimand],
    rng: np.random.Generator, draws: int, *, beta: float | None, before: bool,
) -> ReplayedStatistics:  # fmt: skip
    if any(e.weighting == Weighting.PATIENT for e in estimands):
        raise EstimationError(
            "Patients weigh a cohort by who is drawn into it, so its weights change with every replay. Replay by "
            "practice, or use replay_estimator."
        )
    J, K = len(outcomes), len(estimands)
    samples = [read_sample(panel, design.staggered, name, by_size=False) for name in outcomes]
    for name, sample in zip(outcomes, samples, strict=True):
        if gaps := int((~sample.observed.all(axis=1)).sum()):
            raise EstimationError(f"{gaps} of {len(sample.y)} units have missing {name}; replays need every period.")
    estimate, variance = np.zeros((draws + 1, J, K)), np.zeros((draws + 1, J, K))
    for contrasts in lottery_contrasts(design, estimands):
        orders = _orders(contrasts.block, rng, draws)
        for j, sample in enumerate(samples):
            y = sample.y[contrasts.block.mask]
            for k, form in enumerate(_forms(y, contrasts, before=before)):
                found = _summed(form, orders, contrasts.block.design.cohort_size, beta)
                estimate[:, j, k] += found[0]
                variance[:, j, k] += found[1]
    return ReplayedStatistics(
        tuple(e.name for e in estimands), estimate[0], variance[0], estimate[1:], variance[1:], np.zeros(1),
        np.full(K, len(design.drawn), dtype=np.int64),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """What a unit counts for in each cohort (N, G): towards the effect, and towards the difference before entry."""

    effect: FloatArray
    adjuster: FloatArray


def _forms(y: FloatArray, contrasts: BlockContrasts, *, before: bool) -> list[_Form]:
    centred = y - y.mean(axis=0)  # weights of a period add up to zero over cohorts: nothing changes but the rounding
    return [
        _Form(centred @ (earlier if before else effect).T, centred @ earlier.T)
        for effect, earlier in zip(contrasts.effect, contrasts.before, strict=True)
    ]


def _orders(block: Block, rng: np.random.Generator, draws: int) -> IntArray:
    """Return (draws + 1, N) the block's units ordered by cohort: as observed, then permuted."""
    observed = np.argsort(block.design.cohort_index, kind="stable")
    orders = np.repeat(observed[None], draws + 1, axis=0)
    rng.permuted(orders[1:], axis=1, out=orders[1:])
    return orders


def _summed(form: _Form, orders: IntArray, size: IntArray, beta: float | None) -> tuple[FloatArray, FloatArray]:
    """Return estimates and Neyman variances (draws + 1,) of one contrast."""
    N, G = form.effect.shape
    first, cohort = np.cumsum(size) - size, np.repeat(np.arange(G), size)
    p, q = form.effect.ravel(), form.adjuster.ravel()
    estimate, variance = np.empty(len(orders)), np.empty(len(orders))
    block = max(1, _CELLS_AT_ONCE // N)
    for start in range(0, len(orders), block):
        part = slice(start, start + block)
        at = orders[part] * G + cohort
        x, z = p[at], q[at]
        sums = [np.add.reduceat(v, first, axis=1) for v in (x, z, x * x, x * z, z * z)]
        over = size * np.maximum(size - 1, 1)
        v_xx, v_xz, v_zz = (
            ((square - a * b / size) / over).sum(axis=1)
            for square, a, b in ((sums[2], sums[0], sums[0]), (sums[3], sums[0], sums[1]), (sums[4], sums[1], sums[1]))
        )
        share = np.divide(v_xz, v_zz, out=np.zeros_like(v_xz), where=v_zz > 0) if beta is None else beta
        estimate[part] = (sums[0] / size).sum(axis=1) - share * (sums[1] / size).sum(axis=1)
        variance[part] = v_xx - 2 * share * v_xz + share**2 * v_zz
    return estimate, variance
