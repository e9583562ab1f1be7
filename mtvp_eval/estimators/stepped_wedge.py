r"""Stepped wedge by a linear mixed model: effects by exposure time, with random units and clusters by period.

Source: Hussey & Hughes (2007), Contemporary Clinical Trials 28, eq. 1; Kenny et al. (2022), Statistics in Medicine 41,
for exposure-time indicators averaged over a window; Hooper et al. (2016), Statistics in Medicine 35,
for the cluster-by-period effect.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.kenward_roger import SmallSample, independent_blocks, small_sample
from mtvp_eval.estimators.replicates import Replicates
from mtvp_eval.estimators.stepped_wedge_rows import EffectShape, WedgeRows, wedge_rows

ZERO = 1e-5
"""A variance component below this share of the residual's is taken to lie on the boundary."""
SETTLED = 1e-4
"""Largest gain of restricted log-likelihood that one more step may promise."""


@dataclass(frozen=True, slots=True)
class _Component:
    """A random effect: what it is of, and the (N,) number of the rows that share one."""

    name: str
    label: IntArray


@dataclass(frozen=True, slots=True)
class _Fit:
    """Fixed effects (p,), variances (q + 1,) of the components and the residual, small-sample covariance."""

    beta: FloatArray
    variance: FloatArray
    small: SmallSample


NO_MEMORY = (
    "Quarters of one unit are taken as independent once its level is out; where they hang together the interval is too "
    "short (.84 to .90 for .95 at a correlation of 0.5): compare stepped_wedge_gee."
)
"""Simulated in docs/inference.md."""


def stepped_wedge(
    panel: Panel,
    design: StaggeredDesign,
    outcome: str,
    *,
    window: tuple[int, int] | None = None,
    shape: EffectShape = EffectShape.BY_EXPOSURE,
    covariates: Sequence[str] = (),
) -> Replicates:
    r"""Estimate effects by time since entry with a linear mixed model.

    .. math:: Y_{it} = \mu + \beta_t + \sum_e \delta_e 1\{t - g_i = e\} + x_i'\gamma + c_{r(i)} + u_i + v_{r(i)t}
        + \epsilon_{it}

    with normal random effects of units u and, where the panel declares clusters with several units, of clusters c and
    clusters by period v. Restricted maximum likelihood by statsmodels; covariance and degrees of freedom after Kenward
    and Roger. A component whose variance is zero is left out and named in the notes. Every unit counts once.

    Parameters
    ----------
    panel : outcomes (n, T); its clock is the design's, its clusters the random ones.
    design : entries; periods of all units are used.
    outcome : name in the panel.
    window : first and last exposure time of the plain mean "overall"; all where not given. Declare it beforehand.
    shape : effects by exposure time (default), or one constant effect, which is biased under build-up and says so.
    covariates : names of baseline values.

    Returns
    -------
    Replicates
        event_study entries and overall (overall alone for a constant effect), with t intervals.

    Raises
    ------
    EstimationError
        If the data are too large (20,000 unit-periods, 1,000 a cluster), the fit does not converge, or units do not
        differ, so that there is nothing random to model.
    NotIdentifiedError
        If exposure cannot be told apart from period, or the window is not seen.

    Example
    -------
    >>> rng = np.random.default_rng(1)
    >>> entry = np.repeat([3, 4, 5, 6], 5)
    >>> y = rng.normal(size=(20, 1)) + rng.normal(scale=0.1, size=(20, 6)) - 2.0 * (entry[:, None] <= np.arange(1, 7))
    >>> panel = Panel(np.arange(20).astype(object), tuple("123456"), np.arange(1, 7), {"y": y}, entry=entry)
    >>> found = stepped_wedge(panel, StaggeredDesign.from_panel(panel), "y", window=(0, 1))
    >>> [k.event_time for k in found.index], bool(abs(found.estimate[-1] + 2) < 0.2)
    ([0, 1, 2, 3, None], True)
    """
    rows = wedge_rows(panel, design, outcome, shape, window, covariates)
    components = _components(rows)
    spread = float(rows.y.std())
    if spread <= 1e-12 * float(np.abs(rows.y).max()):
        raise EstimationError(f"Outcome {outcome} does not move.")
    fitted = _fit(rows, rows.y / spread, components)
    dropped = [c.name for c, v in zip(components, fitted.variance, strict=False) if v <= ZERO * fitted.variance[-1]]
    if dropped:
        components = [c for c in components if c.name not in dropped]
        if not any(c.name == "unit" for c in components):
            raise EstimationError("Singular fit: units do not differ beyond chance. Use stepped_wedge_gee.")
        fitted = _fit(rows, rows.y / spread, components)
    L = rows.contrasts
    notes = [f"Singular fit: the variance of {' and '.join(dropped)} is zero and left out."] if dropped else []
    shown = ", ".join(
        f"{name} {spread**2 * v:.4g}"
        for name, v in zip([*(c.name for c in components), "residual"], fitted.variance, strict=True)
    )
    constant = EffectShape(shape) == EffectShape.CONSTANT
    return Replicates(
        rows.index, spread * L @ fitted.beta, np.empty((0, len(L))), spread**2 * L @ fitted.small.adjusted @ L.T,
        fitted.small.df(L), method="Hussey-Hughes, biased under build-up" if constant else "Stepped wedge, mixed model",
        spread_method="Kenward-Roger", notes=(*rows.notes, *notes, NO_MEMORY, f"Variances: {shown}."),
    )  # fmt: skip


def _components(rows: WedgeRows) -> list[_Component]:
    """Return the random effects that the rows can show: units, and clusters of several units, by period too."""
    unit = _Component("unit", rows.unit)
    if rows.cluster is None:
        return [unit]
    return [
        _Component("cluster", rows.cluster),
        unit,
        _Component("cluster by period", rows.cluster * (int(rows.period.max()) + 1) + rows.period),
    ]


def _fit(rows: WedgeRows, y: FloatArray, components: list[_Component]) -> _Fit:
    """Fit by restricted maximum likelihood; the first optimiser that truly arrives is taken."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    shared, nested = _split(rows.block, components)
    model = MixedLM(
        y, rows.X, groups=rows.block, exog_re=np.ones((len(y), 1)) if shared else None,
        exog_vc=_vc(rows.block, nested) if nested else None,
    )  # fmt: skip
    for method in (["bfgs"], ["powell", "bfgs"], ["powell", "lbfgs"], ["nm", "powell"]):
        with warnings.catch_warnings():
            # convergence and the boundary are judged below
            warnings.simplefilter("ignore")
            found = model.fit(reml=True, method=method)
        beta = np.asarray(found.fe_params, dtype=np.float64)
        own = [float(found.cov_re[0, 0])] if shared else []
        by_name = dict(zip([c.name for c in [*shared, *nested]], [*own, *map(float, found.vcomp)], strict=True))
        variance = np.array([*(by_name[c.name] for c in components), float(found.scale)])
        if not found.converged or not np.isfinite(variance).all():
            continue
        blocks = independent_blocks(rows.X, y - rows.X @ beta, rows.block, [c.label for c in components])
        inside = variance > ZERO * variance[-1]
        if not inside.all():
            return _Fit(beta, variance, small_sample(blocks, variance))
        small = small_sample(blocks, variance)
        if small.gain <= SETTLED:
            return _Fit(beta, variance, small)
    raise EstimationError(
        "The mixed model did not converge with four optimisers, so it has no trustworthy numbers. Use fewer exposure "
        "times or clusters, or stepped_wedge_gee."
    )


def _split(block: IntArray, components: list[_Component]) -> tuple[list[_Component], list[_Component]]:
    """Return the component that is one effect a block, if any, and those nested in blocks."""
    shared = [c for c in components if np.array_equal(c.label, block)]
    return shared, [c for c in components if not np.array_equal(c.label, block)]


def _vc(block: IntArray, components: list[_Component]) -> object:
    """Return statsmodels' description of the random effects nested in blocks: indicators of their levels."""
    from statsmodels.regression.mixed_linear_model import VCSpec

    names, levels, matrices = [], [], []
    for component in components:
        parts = [component.label[block == number] for number in np.unique(block)]
        own = [np.unique(part) for part in parts]
        names.append(component.name)
        levels.append([[str(level) for level in values] for values in own])
        matrices.append([(part[:, None] == values).astype(float) for part, values in zip(parts, own, strict=True)])
    return VCSpec(names, levels, matrices)
