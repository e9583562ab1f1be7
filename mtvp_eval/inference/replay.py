"""Estimates and variances under replays of the draw, from moments of cohorts: one matrix product per cohort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, all_finite
from mtvp_eval.design.draw import CohortArray, replay_cohorts
from mtvp_eval.design.rules import NOT_STARTED, Applications, DrawRule
from mtvp_eval.errors import NotIdentifiedError
from mtvp_eval.inference.contrasts import ContrastPlan
from mtvp_eval.inference.permutations import permutations

_DRAWS_AT_ONCE, _CELLS_AT_ONCE = 2_000, 2**20
"""Draws, and draws x units, worked on at once: a block this small stays in the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnRegion:
    """One region's draw as it went.

    Parameters
    ----------
    applications : who applied, and when.
    rule : the declared rule; None permutes the observed cohorts inside blocks, which is right only where the cap counts
        practices or all lists are equal.
    cohort : (n,) the round drawn; 0 for those left over or withdrawn.
    rows : (n,) their rows in the panel.
    """

    applications: Applications
    rule: DrawRule | None
    cohort: IntArray
    rows: IntArray

    @property
    def last(self) -> int:
        """Last round counted: the one after the capped rounds, which also holds those left over by a capped one."""
        return int(self.cohort.max()) if self.rule is None else self.rule.capped_rounds + 1

    def observed(self) -> CohortArray:
        """Return the drawn cohorts as a single draw (1, n)."""
        return self._left_over_last(self.cohort[None].astype(np.int8))

    def replay(self, rng: np.random.Generator, draws: int) -> CohortArray:
        """Return cohorts (draws, n) of replays of this draw."""
        if self.rule is not None:
            return self._left_over_last(replay_cohorts(self.applications, self.rule, rng, draws))
        observed = self.observed()[0]
        cohorts = np.empty((draws, len(observed)), dtype=np.int8)
        block = self.applications.block
        for b in np.unique(block):
            mine = np.flatnonzero(block == b)
            at_once = max(_CELLS_AT_ONCE // (4 * len(mine)), 1)  # keys, and two copies of them, in the cache
            for first in range(0, draws, at_once):
                part = cohorts[first : first + at_once]
                again = permutations(observed[mine], rng, len(part))
                if len(mine) == len(observed):
                    part[:] = again
                else:
                    part[:, mine] = again
        return cohorts

    def _left_over_last(self, cohorts: CohortArray) -> CohortArray:
        """Let those whom a capped last round left over compare as starting after it; the withdrawn compare nowhere."""
        if self.rule is None or self.rule.open_round is not None:
            return cohorts
        still = self.applications.in_pool(self.rule.capped_rounds)
        return np.where((cohorts == NOT_STARTED) & still, np.int8(self.last), cohorts)


@dataclass(frozen=True, slots=True, eq=False)
class ReplayedStatistics:
    """Estimates and Neyman variances of J outcomes x K estimands, as observed and under B replays of the draw.

    Parameters
    ----------
    names : K estimands; estimate, variance : (J, K) as observed; NaN where the observed draw shows nothing.
    replayed, replayed_variance : (B, J, K).
    rejected : (regions,) share of replays drawn again because a declared estimand could not be estimated in them.
    blocks : (K,) blocks (region x application round x priority) that each estimand rests on.
    """

    names: tuple[str, ...]
    estimate: FloatArray
    variance: FloatArray
    replayed: NDArray[Any]
    replayed_variance: NDArray[Any]
    rejected: FloatArray
    blocks: IntArray

    def family(self, outcomes: IntArray, estimands: IntArray) -> ReplayedStatistics:
        """Return single contrasts (F,), named by outcome and estimand, side by side as one outcome of F estimands."""
        pick = (outcomes, estimands)
        return ReplayedStatistics(
            tuple(f"{j}/{self.names[k]}" for j, k in zip(outcomes, estimands, strict=True)),
            self.estimate[pick][None], self.variance[pick][None],
            self.replayed[:, outcomes, estimands][:, None], self.replayed_variance[:, outcomes, estimands][:, None],
            self.rejected, self.blocks[estimands],
        )  # fmt: skip


def replay_statistics(
    regions: Sequence[DrawnRegion],
    numbers: FloatArray,
    plan: ContrastPlan,
    rng: np.random.Generator,
    draws: int,
    precision: DTypeLike = np.float32,
) -> ReplayedStatistics:
    r"""Replay the declared draws and estimate every contrast in each replay.

    .. math:: \hat\theta = \sum_b \omega_b \hat\theta_b, \qquad
              \hat V = \sum_b \omega_b^2 \sum_h \frac{N_h}{N_h - 1}\Big[u_h'Q_hu_h - (u_h's_h)^2/N_h\Big]

    with s and Q the first and second moments of a cohort h in a block, and u what one of its units counts for. Blocks
    are region x application round x priority; comparisons never cross them. Their weights are their analysed units over
    the blocks in which the observed draw can be estimated; a region is drawn again when one of these cannot.

    Parameters
    ----------
    numbers : (J, C, n) what each cell compares, see `ContrastPlan`; a unit with a missing number is left out of that
        outcome, yet takes part in the draw. Every panel row belongs to at most one region.
    precision : of the replays; the observed row is in double precision. Single precision moves a t-statistic by less
        than 1e-5.

    Raises
    ------
    NotIdentifiedError
        If an estimand can be estimated in no block, or nearly every replay lacks what the observed draw had.

    Source: Neyman variance of cohort means; Roth & Sant'Anna (2023), arXiv:2102.01291, section 3.

    Example
    -------
    >>> from datetime import date
    >>> from mtvp_eval.design.rules import Misfit, Rollover
    >>> rule = DrawRule(Rollover.QUEUE, Misfit.SKIP, "regional plan", date(2023, 2, 24), capped_rounds=1, cap_share=0.5)
    >>> drawn = DrawnRegion(Applications(np.full(4, 100), np.ones(4), 400), rule, np.array([1, 1, 2, 2]), np.arange(4))
    >>> plan = ContrastPlan(("effect",), np.array([1]), np.array([1]), np.array([[1.0]]))
    >>> seen = replay_statistics([drawn], np.array([[[5.0, 7.0, 1.0, 3.0]]]), plan, np.random.default_rng(0), draws=50)
    >>> seen.estimate.round(9).tolist(), seen.variance.round(9).tolist(), seen.replayed.shape
    ([[4.0]], [[2.0]], (50, 1, 1))
    """
    J, K = len(numbers), len(plan.names)
    total = np.zeros((J, K))
    estimate, variance = np.zeros((J, K)), np.zeros((J, K))
    replayed, replayed_variance = (np.zeros((draws, J, K), dtype=precision) for _ in range(2))
    rejected, blocks = np.zeros(len(regions)), np.zeros((J, K), dtype=np.int64)
    complete = all_finite(numbers)
    for r, region in enumerate(regions):
        pieces = _pieces(region, numbers, plan, complete=complete)

        def accept(cohorts: CohortArray, pieces: list[_Piece] = pieces) -> BoolArray:
            return np.all([piece.accepts(cohorts, plan) for piece in pieces], axis=0)

        if not pieces:
            continue
        cohorts, rejected[r] = conditional_replays(partial(region.replay, rng), accept, draws)
        for piece in pieces:
            weight = np.where(piece.estimable, len(piece.units), 0.0)  # (K,)
            total[piece.outcomes] += weight
            blocks[piece.outcomes] += piece.estimable
            seen = piece.moments(region.observed(), plan, np.float64)
            estimate[piece.outcomes] += weight * seen[0][0]
            variance[piece.outcomes] += weight**2 * seen[1][0]
            at_once = min(_DRAWS_AT_ONCE, max(_CELLS_AT_ONCE // len(piece.units), 50))
            if piece.fixed is not None:
                at_once = draws
            for first in range(0, draws, at_once):
                part = slice(first, first + at_once)
                again = piece.moments(cohorts[part], plan, precision)
                replayed[part, piece.outcomes] += weight.astype(precision) * again[0]
                replayed_variance[part, piece.outcomes] += (weight**2).astype(precision) * again[1]
    if nowhere := int((total == 0).sum()):
        raise NotIdentifiedError(
            f"{nowhere} of {J * K} contrasts can be estimated in no block: each compared cohort needs two units of one "
            "block. Shorten the horizon, or pool regions."
        )
    for array, power in ((estimate, 1), (variance, 2), (replayed, 1), (replayed_variance, 2)):
        array /= (total**power).astype(array.dtype)
    return ReplayedStatistics(plan.names, estimate, variance, replayed, replayed_variance, rejected, blocks.min(axis=0))


def conditional_replays(
    replay: Callable[[int], CohortArray], accept: Callable[[CohortArray], BoolArray], draws: int
) -> tuple[CohortArray, float]:
    """Replay a draw until `draws` replays pass `accept`; return them (draws, n) and the share rejected.

    Raises ``NotIdentifiedError`` if fewer than 1 in 200 are accepted.

    >>> coin = iter(range(100))
    >>> kept, rejected = conditional_replays(
    ...     lambda size: np.array([[next(coin) % 2] for _ in range(size)], dtype=np.int8), lambda c: c[:, 0] == 1, 4)
    >>> kept.ravel().tolist(), rejected
    ([1, 1, 1, 1], 0.5)
    """
    kept: list[CohortArray] = []
    have, tried = 0, 0
    while have < draws:
        more = replay(min(max(draws - have, draws // 10), 10_000))
        good = accept(more)
        tried += len(more)
        have += int(good.sum())
        kept.append(more if good.all() else more[good])
        if tried >= 2_000 and have < tried / 200:
            raise NotIdentifiedError(
                f"Of {tried} replays of the declared draw only {have} can estimate what the observed draw did; the "
                "comparison rests on an accident of the draw. Shorten the horizon or pool regions."
            )
    return (kept[0] if len(kept) == 1 else np.concatenate(kept))[:draws], 1 - have / tried


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One block of one region for the outcomes that share the same analysed units."""

    units: IntArray  # rows among the region's applicants
    outcomes: IntArray  # which of the J outcomes
    numbers: FloatArray  # (outcomes, C, units), centred and scaled
    scale: FloatArray  # (outcomes,)
    cohorts: int  # G: rounds counted, the open round last
    estimable: BoolArray  # (K,) in the observed draw
    fixed: IntArray | None  # (G,) cohort sizes where every replay has those observed

    def sizes(self, cohorts: CohortArray) -> IntArray:
        """Return cohort sizes (B, G) among the analysed units."""
        if self.fixed is not None:
            return np.broadcast_to(self.fixed, (len(cohorts), self.cohorts))
        mine, one = self.own(cohorts), np.ones(len(self.units), dtype=np.float32)
        counts = [(mine == h).astype(np.float32) @ one for h in range(1, self.cohorts + 1)]
        return np.stack(counts, axis=1).astype(np.int64)

    def own(self, cohorts: CohortArray) -> CohortArray:
        """Return the cohorts (B, units) of the analysed units."""
        return cohorts if len(self.units) == cohorts.shape[1] else cohorts[:, self.units]

    def accepts(self, cohorts: CohortArray, plan: ContrastPlan) -> BoolArray:
        """Tell in which replays everything estimable in the observed draw is so again."""
        if self.fixed is not None:
            return np.ones(len(cohorts), dtype=np.bool_)
        return np.asarray((plan.estimable(self.sizes(cohorts)) | ~self.estimable).all(axis=1))

    def moments(
        self, cohorts: CohortArray, plan: ContrastPlan, precision: DTypeLike
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return estimates and variances (B, outcomes, K), zero where not estimable in the observed draw."""
        mine = self.own(cohorts)
        B, J = len(mine), len(self.outcomes)
        size = self.sizes(cohorts).T.astype(precision)  # (G, B)
        later = np.cumsum(size[::-1], axis=0)[::-1]  # (G, B): later[a] starts after round a
        estimate, variance = (np.zeros((len(plan.names), J, B), dtype=precision) for _ in range(2))
        f = np.asarray(self.numbers, dtype=precision)
        used = [k for k in range(len(plan.names)) if self.estimable[k]]
        if bool((size == size[:, :1]).all()):
            return self._equal_sizes(mine, plan, used, size[:, :1], later[:, :1], f)
        share = {k: _shares(plan, k, size) for k in used}
        for h in range(1, self.cohorts + 1):
            cells = {k: [c for c in plan.cells_of(k) if plan.cohort[c] == h or plan.after[c] < h] for k in used}
            if not any(cells.values()):
                continue
            pairs = sorted({(c, d) for k in used for c in cells[k] for d in cells[k] if c <= d})
            singles = sorted({c for c, d in pairs if c == d})
            columns = np.concatenate(
                [f[:, singles], f[:, [c for c, _ in pairs]] * f[:, [d for _, d in pairs]]], axis=1
            ).reshape(-1, len(self.units))
            moment = (columns @ (mine == h).astype(precision).T).reshape(J, -1, B)
            first = {c: moment[:, j] for j, c in enumerate(singles)}
            second = {pair: moment[:, len(singles) + j] for j, pair in enumerate(pairs)}
            count = size[h - 1]
            factor = count / np.maximum(count - 1, 1)
            per_unit = {
                c: 1 / np.maximum(count, 1) if plan.cohort[c] == h else -1 / np.maximum(later[plan.after[c]], 1)
                for c in singles
            }
            for k in used:
                if not cells[k]:
                    continue
                u = {c: share[k][c] * per_unit[c] for c in cells[k]}
                linear = sum(u[c] * first[c] for c in cells[k])
                square = sum(
                    (u[c] * u[d] * (1 if c == d else 2)) * second[c, d] for c in cells[k] for d in cells[k] if c <= d
                )
                estimate[k] += linear
                variance[k] += factor * np.maximum(square - linear**2 / np.maximum(count, 1), 0)
        scale = self.scale.astype(precision)[:, None]
        return (estimate * scale).transpose(2, 1, 0), (variance * scale**2).transpose(2, 1, 0)

    def _equal_sizes(
        self,
        mine: CohortArray,
        plan: ContrastPlan,
        used: list[int],
        size: NDArray[Any],
        later: NDArray[Any],
        f: NDArray[Any],
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the moments where every draw has the same cohort sizes: cells are put together before the draws.

        A unit then counts for the same in every draw that puts it in cohort h, so that a draw takes two sums an
        estimand and cohort, however many cells there are.
        """
        precision, J, B = size.dtype, len(self.outcomes), len(mine)
        share = np.zeros((len(used), len(plan.cohort)), dtype=precision)
        for row, k in zip(share, used, strict=True):
            for c, value in _shares(plan, k, size).items():
                row[c] = np.ravel(value)[0]
        worth = []  # of each cohort: what a unit adds to each sum (2KJ, units)
        for h in range(1, self.cohorts + 1):
            per_unit = np.where(plan.cohort == h, 1 / max(float(size[h - 1, 0]), 1.0), 0.0)
            waiting = plan.after < h
            per_unit[waiting] = -1 / np.maximum(later[plan.after[waiting], 0], 1)
            own = np.stack([(share * per_unit.astype(precision)) @ one for one in f], axis=1)
            worth.append(np.concatenate([own, own**2]).reshape(-1, len(self.units)))
        sums = np.empty((self.cohorts, 2 * len(used) * J, B), dtype=precision)
        at_once = max(_CELLS_AT_ONCE // (8 * len(self.units)), 8)
        member = np.empty((at_once, len(self.units)), dtype=precision)
        for start in range(0, B, at_once):
            part = mine[start : start + at_once]
            for h, own in enumerate(worth, 1):
                np.copyto(member[: len(part)], part == h)
                here = sums[h - 1, :, start : start + at_once]
                if len(own) > 2:
                    here[:] = own @ member[: len(part)].T
                else:  # one column at a time needs no rearranged copy of the members
                    for row, column in zip(here, own, strict=True):
                        np.matmul(member[: len(part)], column, out=row)
        first, second = sums.reshape(self.cohorts, 2, len(used), J, B).swapaxes(0, 1)
        count = np.maximum(size.reshape(-1, 1, 1, 1), 1)
        spread = np.maximum(second - first**2 / count, 0)
        estimate, variance = (np.zeros((len(plan.names), J, B), dtype=precision) for _ in range(2))
        estimate[used] = first.sum(axis=0)
        variance[used] = (count / np.maximum(count - 1, 1) * spread).sum(axis=0)
        scale = self.scale.astype(precision)[:, None]
        return (estimate * scale).transpose(2, 1, 0), (variance * scale**2).transpose(2, 1, 0)


def _shares(plan: ContrastPlan, estimand: int, size: NDArray[Any]) -> dict[int, NDArray[Any]]:
    """Return the weight of each cell of an estimand in each draw (B,)."""
    cells = plan.cells_of(estimand)
    weight = {c: np.asarray(plan.weights[estimand, c], dtype=size.dtype) for c in cells}
    if not plan.by_size:
        return weight
    sized = {c: weight[c] * size[plan.cohort[c] - 1] for c in cells}
    whole = np.maximum(sum(sized.values()), np.finfo(size.dtype).tiny)
    return {c: sized[c] / whole for c in cells}


def _pieces(region: DrawnRegion, numbers: FloatArray, plan: ContrastPlan, *, complete: bool) -> list[_Piece]:
    """Split a region into blocks, and outcomes into groups with the same units observed."""
    cohorts, drawn = region.last, region.observed()[0]
    found = []
    if complete:
        patterns, group = np.ones((1, len(region.rows)), dtype=np.bool_), np.zeros(len(numbers), dtype=np.int64)
    else:
        seen = np.isfinite(numbers[:, :, region.rows]).all(axis=1)  # (J, n)
        patterns, group = np.unique(seen, axis=0, return_inverse=True)
    block = region.applications.block
    for g, pattern in enumerate(patterns):
        outcomes = np.flatnonzero(group.reshape(-1) == g)
        for b in np.unique(block):
            units = np.flatnonzero((block == b) & pattern)
            if len(units) < 4:
                continue
            part = np.empty((len(outcomes), numbers.shape[1], len(units)))
            for own, j in zip(part, outcomes, strict=True):
                np.take(numbers[j], region.rows[units], axis=1, out=own, mode="clip")  # all rows exist
            part -= part.mean(axis=2, keepdims=True)
            scale = np.sqrt(np.einsum("jcn,jcn->j", part, part) / part[0].size)
            scale[scale == 0] = 1.0
            part /= scale[:, None, None]
            counts = np.array([(drawn[units] == h).sum() for h in range(1, cohorts + 1)])
            estimable = plan.estimable(counts)
            if estimable.any():
                # Free permutations within a block keep its sizes; so they do for analysed units if these are all of it.
                fixed = counts if region.rule is None and len(units) == int((block == b).sum()) else None
                found.append(_Piece(units, outcomes, part, scale, cohorts, estimable, fixed))
    return found
