r"""What untreated rows say of the path without enrolment, and what is left of each outcome once it is taken off.

.. math:: Y_{it} = \alpha_i + x_i'\lambda_t + e_{it} \quad (t < G_i - \delta), \qquad
          \hat\tau_{it} = Y_{it} - \hat\alpha_i - x_i'\hat\lambda_t

Borusyak, Jaravel & Spiess and Gardner average the same residuals over cells; they differ in where they centre them.

Source: Borusyak, Jaravel & Spiess (2024), theorem 2; Gardner (2022), eq. 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray
from mtvp_eval.design.staggered import Cell, Comparison
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.partialled import partialled_fit
from mtvp_eval.estimators.results import passed_on
from mtvp_eval.estimators.sample import Sample
from mtvp_eval.estimators.saturated import cell_reasons, largest_size
from mtvp_eval.estimators.tidy import period_label

Centre = Callable[[FloatArray, FloatArray], FloatArray]
"""From residuals (P, N) of P cells with the same N units, and their weights, to what each is centred at (P,)."""


@dataclass(frozen=True, slots=True, eq=False)
class CellAverages:
    """Hold effects of K cells; influence (n, J) and reasons for no standard error of J averages of them."""

    cells: FloatArray
    influence: FloatArray
    no_error: tuple[str | None, ...]


def untreated_rows(sample: Sample) -> BoolArray:
    """Return (n, T) the rows observed before entry less anticipation."""
    design = sample.design
    return np.asarray(sample.observed & (design.clock < design.entry[:, None] - design.anticipation), dtype=np.bool_)


def cell_averages(sample: Sample, cells: Sequence[Cell], centre: Centre, weights: FloatArray) -> CellAverages:
    r"""Average the residuals of each cell and propagate the error of the path.

    .. math:: \psi_i/n = h_i (\hat\tau_{it} - c) - u'Q^{-1}s_i, \qquad
              u_{as} = \sum_i h_i x_{ia} (1\{s=t\} - o_{is}/o_{i+})

    with h_i = w_i / W_gt, s_i and Q the scores and Gram matrix of the path, o the untreated rows and c the ``centre``.
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
    >>> cell_averages(sample, [(3, 3)], lambda residual, w: residual.mean(axis=1), np.eye(1)).cells.round(9).tolist()
    [3.5]
    """
    design = sample.design
    if design.comparison == Comparison.NEVER_ENROLLED and len(design.cohorts) > 2:
        raise EstimationError(
            "This method learns the untreated path from every untreated row, so it cannot compare with the "
            "never-enrolled only. Declare comparison: not_yet_enrolled, or use sun_abraham or callaway_santanna."
        )
    before = untreated_rows(sample)
    none = np.zeros((len(design.cohorts), len(design.clock), 0))
    path = partialled_fit(sample.y, before, sample.varying, sample.X, sample.w, design.cohort_index, none)
    fit = path.fit
    count = before.sum(axis=1)
    some = count > 0
    share = np.divide(1.0, count, out=np.zeros(len(before)), where=some)
    members = {g: np.flatnonzero((design.entry == g) & some) for g in {g for g, _ in cells}}
    alike = {g: bool(sample.observed[unit].all()) for g, unit in members.items()}
    n, K = design.n_units, len(cells)
    effect, direct = np.zeros(K), np.zeros((len(weights), n))
    pull = np.zeros((K, sample.X.shape[1], len(design.clock)))
    moved = np.zeros((K, sample.varying.shape[2]))
    empty: list[Cell] = []
    places = np.searchsorted(design.clock, [t for _, t in cells])
    for g, everybody in members.items():
        own = [k for k, cell in enumerate(cells) if cell[0] == g]
        for here in [own] if alike[g] else [[k] for k in own]:  # cells with the same units are one product
            now = places[here]
            unit = everybody if alike[g] else everybody[sample.observed[everybody, now[0]]]
            if not len(unit):
                empty += [cells[k] for k in here]
                continue
            w, X = sample.w[unit], sample.X[unit]
            h = w / w.sum()
            residual = np.ascontiguousarray(fit.residual[unit].T[now])
            effect[here] = residual @ h
            residual -= centre(residual, w)[:, None]
            residual *= n * h
            takes = np.flatnonzero(weights[:, here].any(axis=1))
            for row in takes:
                direct[row, unit] += weights[row, here] @ residual
            pull[here] = -(X * (h * share[unit])[:, None]).T @ before[unit].astype(np.float64)
            pull[here, :, now] += h @ X
            moved[here] = np.tensordot(path.residual[unit][:, now], h, axes=(0, 0))
    combinations, outside = _on_coefficients(-pull, before)
    lost = outside | fit.unidentified(combinations)
    if empty or lost.any():
        raise EstimationError(_explain(cells, empty, lost))
    influence = fit.influence(weights @ combinations)
    influence += direct.T
    if moved.shape[1]:
        influence -= path.slope_influence @ (weights @ moved).T
    reasons = cell_reasons(sample, cells, largest_size(fit.score))
    return CellAverages(effect, influence, passed_on(reasons, weights != 0))


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
