r"""What untreated rows say of the path without enrolment, and what is left of each outcome once it is taken off.

.. math:: Y_{it} = \alpha_i + x_i'\lambda_t + e_{it} \quad (t < G_i - \delta), \qquad
          \hat\tau_{it} = Y_{it} - \hat\alpha_i - x_i'\hat\lambda_t

Borusyak, Jaravel & Spiess and Gardner average the same residuals over cells; they differ in where they centre them.

Source: Borusyak, Jaravel & Spiess (2024), theorem 2; Gardner (2022), eq. 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray
from mtvp_eval.design.staggered import Cell, Comparison, cell_array
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.cohort_moments import CohortInfluence, CohortMoments
from mtvp_eval.estimators.partialled import partialled_fit
from mtvp_eval.estimators.results import passed_on
from mtvp_eval.estimators.sample import Sample
from mtvp_eval.estimators.saturated import cell_reasons
from mtvp_eval.estimators.tidy import period_label


@dataclass(frozen=True, slots=True, eq=False)
class CellAverages:
    """Hold effects of K cells; influence (n, J) and reasons for no standard error of J averages of them."""

    cells: FloatArray
    influence: FloatArray | CohortInfluence
    no_error: tuple[str | None, ...]


def untreated_rows(sample: Sample) -> BoolArray:
    """Return (n, T) the rows observed before entry less anticipation."""
    design = sample.design
    return np.asarray(sample.observed & (design.clock < design.entry[:, None] - design.anticipation), dtype=np.bool_)


def cell_averages(sample: Sample, cells: Sequence[Cell], power: int, weights: FloatArray) -> CellAverages:
    r"""Average the residuals of each cell and propagate the error of the path.

    .. math:: \psi_i/n = h_i (\hat\tau_{it} - c) - u'Q^{-1}s_i, \qquad
              u_{as} = \sum_i h_i x_{ia} (1\{s=t\} - o_{is}/o_{i+})

    with h_i = w_i / W_gt, s_i and Q the scores and Gram matrix of the path, o the untreated rows and c the mean of the
    cell's residuals by weights :math:`w_i^{power}`.
    The error of a unit's own effect drops out, because its untreated residuals sum to zero. The slope of a covariate
    that changes over time adds its influence times the cell's mean of that covariate less its own imputed path.
    ``weights`` (J, K) says which averages of the K cells are wanted.

    Raises
    ------
    EstimationError
        If the design compares with the never-enrolled only, or cells have no unit with an untreated row, or lie in a
        period in which the path is not identified.

    Source: Borusyak, Jaravel & Spiess (2024), proposition A3 for the weights; the score form follows from eq. 7.

    Example
    -------
    >>> from mtvp_eval.data.panel import Panel
    >>> from mtvp_eval.design.staggered import StaggeredDesign
    >>> from mtvp_eval.estimators.sample import read_sample
    >>> panel = Panel(np.array(list("abcd"), dtype=object), ("1", "2", "3"), np.array([1, 2, 3]),
    ...     {"y": np.array([[1.0, 2, 6], [1, 2, 8], [0, 1, 2], [0, 1, 3]])}, entry=np.array([3, 3, 9, 9]))
    >>> sample = read_sample(panel, StaggeredDesign.from_panel(panel), "y")
    >>> cell_averages(sample, [(3, 3)], 1, np.eye(1)).cells.round(9).tolist()
    [3.5]
    """
    design = sample.design
    if design.comparison == Comparison.NEVER_ENROLLED and len(design.cohorts) > 2:
        raise EstimationError(
            "This method learns the untreated path from every untreated row, so it cannot compare with the "
            "never-enrolled only. Declare comparison: not_yet_enrolled, or use sun_abraham or callaway_santanna."
        )
    if (at := _complete(sample, cells)) is not None:
        return _from_means(sample, cells, at, power, weights)
    before = untreated_rows(sample)
    none = np.zeros((len(design.cohorts), len(design.clock), 0))
    path = partialled_fit(sample.y, before, sample.varying, sample.X, sample.w, design.cohort_index, none)
    fit = path.fit
    n, K = design.n_units, len(cells)
    effect, influence = np.zeros(K), np.zeros((n, len(weights)))
    pull = np.zeros((K, sample.X.shape[1], len(design.clock)))
    moved = np.zeros((K, sample.varying.shape[2]))
    empty: list[Cell] = []
    cohort, period = cell_array(cells).T
    place = np.searchsorted(design.clock, period)
    for g, own in enumerate(fit.cohorts):
        here = np.flatnonzero(cohort == design.cohorts[g])
        now, unit = place[here], own.unit
        # (N, P): units of the cohort that have an untreated row, and its cells in which they were observed
        seen = np.take(sample.observed, unit, axis=0)[:, now] & np.any(own.used, axis=1, keepdims=True)
        w = sample.w[unit, None] * seen
        h, about = _shares(w), _shares(w**power)
        empty += [cells[k] for k in here[~seen.any(axis=0)]]
        residual = np.where(seen, fit.residual_of(g)[:, now], 0.0)
        effect[here] = np.einsum("np,np->p", h, residual)
        residual -= np.einsum("np,np->p", about, residual)
        residual *= h
        influence[unit] = residual @ (n * weights[:, here].T)
        of_rows = own.used / np.maximum(own.used.sum(axis=1, keepdims=True), 1)
        for a, x in enumerate(sample.X[unit].T):
            pull[here, a] = -(h * x[:, None]).T @ np.broadcast_to(of_rows, (len(unit), len(design.clock)))
            pull[here, a, now] += x @ h
        moved[here] = np.einsum("np,npq->pq", h, np.where(seen[:, :, None], path.residual[unit][:, now], 0.0))
    combinations, outside = _on_coefficients(-pull, before)
    lost = outside | fit.unidentified(combinations)
    if empty or lost.any():
        raise EstimationError(_explain(cells, empty, lost))
    fit.add_influence(influence, weights @ combinations)
    if moved.shape[1]:
        influence -= path.slope_influence @ (weights @ moved).T
    reasons = cell_reasons(sample, cells, fit.scores())
    return CellAverages(effect, influence, passed_on(reasons, weights != 0))


def _complete(sample: Sample, cells: Sequence[Cell]) -> tuple[IntArray, IntArray] | None:
    """Return cohort and column (K,) of each cell where the cohorts' mean paths say everything; else None.

    That takes outcomes without gaps in the periods in which somebody is untreated, no covariates, and different cells
    in those periods.
    """
    design = sample.design
    usable = int(design.usable.sum())
    if sample.X.shape[1] > 1 or sample.varying.shape[2] or not sample.observed[:, :usable].all():
        return None
    cohort, period = cell_array(cells).T
    mine, now = np.searchsorted(design.cohorts[:-1], cohort), np.searchsorted(design.clock[: usable - 1], period)
    known = (design.cohorts[mine] == cohort) & (design.clock[now] == period)
    if not known.all() or np.bincount(mine * usable + now).max() > 1:
        return None
    return mine, now


def _from_means(
    sample: Sample, cells: Sequence[Cell], at: tuple[IntArray, IntArray], power: int, weights: FloatArray
) -> CellAverages:
    r"""Return what ``cell_averages`` says where every unit of a cohort has the same untreated periods.

    .. math:: L \lambda = b, \quad L = \mathrm{diag}(\textstyle\sum_g W_g U_g) - \sum_g W_g U_g U_g'/P_g, \qquad
              a_{gt} = h_{gt} - H_g U_{gt}/P_g + W_g U_{gt}(z_t - U_g'z/P_g), \quad
              L z = \textstyle\sum_g H_g U_g/P_g - h_g

    with U the untreated periods of a cohort, P their number, W its weight, h the weights of an average on its cells and
    H their sum. b sums W times the untreated means of each cohort less their mean. Somebody, the cohort that serves
    only as comparison, is untreated throughout: L has full rank but for the level, which the first period fixes.
    """
    design, (mine, now) = sample.design, at
    usable = int(design.usable.sum())
    moments = CohortMoments.of(sample.y[:, :usable], sample.w, design.cohort_index)
    untreated = (design.clock[:usable] < design.cohorts[:, None] - design.anticipation).astype(np.float64)
    share = untreated / untreated.sum(axis=1, keepdims=True)
    weighted = moments.total[:, None] * untreated
    laplacian = np.diag(weighted.sum(axis=0)) - weighted.T @ share
    own = (share * moments.means).sum(axis=1, keepdims=True)
    h = np.zeros((len(weights), *untreated.shape))
    h[:, mine, now] = weights
    H = h.sum(axis=2)
    right = np.vstack([(weighted * (moments.means - own)).sum(axis=0), H @ share - h.sum(axis=1)])
    solved = np.zeros_like(right)
    solved[:, 1:] = np.linalg.solve(laplacian[1:, 1:], right[:, 1:].T).T
    z = solved[1:]
    left = moments.means - solved[0]
    left -= (share * left).sum(axis=1, keepdims=True)
    a = weighted * (z[:, None, :] - (z @ share.T)[:, :, None])
    shift = z @ (weighted * left).T
    a += h
    a -= H[:, :, None] * share
    if power == 2:  # residuals are centred at means by squared weights
        extra = moments.second[:, :usable, usable] / moments.second[:, usable, usable, None]
        shift -= np.einsum("jgt,gt->jg", h, extra) - H * (share * extra).sum(axis=1)
    reasons = cell_reasons(sample, cells, _untreated_scores(moments, untreated, left))
    return CellAverages(left[mine, now], CohortInfluence(moments, a, shift), passed_on(reasons, weights != 0))


def _untreated_scores(moments: CohortMoments, untreated: FloatArray, left: FloatArray) -> Iterator[FloatArray]:
    """Yield weighted residuals (N, T) of a few units at a time, zero where enrolled; their means are ``left``."""
    for g, unit, score in moments.scores(64):
        score -= (score @ (untreated[g] / untreated[g].sum()))[:, None]
        score += np.multiply.outer(moments.w[unit], left[g])
        score *= untreated[g]
        yield score


def _shares(weight: FloatArray) -> FloatArray:
    """Return weights (N, P) over their sum in each column; zero where there are none."""
    total = weight.sum(axis=0)
    return weight / np.where(total > 0, total, 1.0)


def _on_coefficients(pull: FloatArray, used: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return pulls (K, A, T) on period effects as combinations (K, P), and (K,) which lean on a period without rows."""
    K = len(pull)
    base, *rest = np.flatnonzero(used.any(axis=0)).tolist()
    absent = np.setdiff1d(np.arange(used.shape[1]), [base, *rest])
    outside = np.abs(pull[:, :, absent]).max(axis=(1, 2), initial=0.0) > 1e-12
    return pull[:, :, rest].reshape(K, -1), outside


def _explain(cells: Sequence[Cell], empty: Sequence[Cell], lost: BoolArray) -> str:
    shown = [*empty, *(cell for cell, bad in zip(cells, lost, strict=True) if bad)]
    named = ", ".join(f"({period_label(g)}, {period_label(t)})" for g, t in shown[:6])
    return (
        f"{len(shown)} of {len(cells)} cells have no untreated path to be compared with: {named}"
        f"{' and others' if len(shown) > 6 else ''}. Their units were never seen untreated, or no untreated unit was "
        "seen in the period."
    )
