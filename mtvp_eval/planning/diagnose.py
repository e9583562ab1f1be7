"""Diagnosis of a planned analysis where the truth is known: bias, error, coverage and power, each with its own error.

Source: Blair, Cooper, Coppock & Humphreys (2019), Am. Polit. Sci. Rev. 113, for what is diagnosed; Monte Carlo errors:
Morris, White & Crowther (2019), Stat. Med. 38, table 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.link import link
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.dictionary.schema import Dictionary, Programme
from mtvp_eval.errors import EstimationError, MtvpError
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.settings import RegionSettings

if TYPE_CHECKING:
    import pandas as pd

    from mtvp_eval.data.link import Linked

Prepare = Callable[["Linked"], tuple[Panel, LotteryDesign]]
"""From a linked region to the panel and design that are compared, as the pipeline does it."""
Analysis = Callable[[Panel, LotteryDesign, str, Weighting], tuple[EffectEstimates, Estimand]]
"""A planned analysis of one outcome: one estimate, and the estimand it is an estimate of."""


@dataclass(frozen=True, slots=True)
class Diagnosand:
    """A number that says how an analysis behaves, and its Monte Carlo standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How a planned analysis behaved in repeated simulations.

    `bias` mean of estimate less truth; `rmse` root mean square of the same; `coverage` share of intervals that hold the
    truth; `power` share that exclude zero; `error_ratio` mean reported error over the spread of estimate less truth.
    `truth` is the mean of the truths; `runs` gave an estimate, `failed` did not.
    """

    truth: float
    bias: Diagnosand
    rmse: Diagnosand
    coverage: Diagnosand
    power: Diagnosand
    error_ratio: Diagnosand
    runs: int
    failed: int


def diagnosis(
    estimate: FloatArray, std_error: FloatArray, df: FloatArray, truth: FloatArray, level: float = 0.95, failed: int = 0
) -> Diagnosis:
    r"""Summarise R runs.

    Monte Carlo errors: :math:`s/\sqrt R` of the bias, :math:`s(d^2)/(2\,\text{rmse}\sqrt R)` of the root mean square,
    :math:`\sqrt{\tilde p(1-\tilde p)/(R+4)}` of shares with :math:`\tilde p = (Rp + 2)/(R + 4)` (Agresti & Coull 1998),
    so that a share of 0 or 1 in few runs does not look known, and the error ratio's by the delta method.

    Parameters: `estimate`, `std_error`, `df`, `truth` (R,); `level` of the intervals; `failed` runs that gave none.
    Raises ``EstimationError`` for fewer than two runs.

    >>> found = diagnosis(np.array([1.0, 3.0]), np.ones(2), np.full(2, np.inf), np.array([2.0, 2.0]))
    >>> found.bias, found.rmse.value, found.coverage.value, found.power.value
    (Diagnosand(value=0.0, error=1.0), 1.0, 1.0, 0.5)
    """
    from scipy.special import stdtrit

    R = len(estimate)
    if R < 2:
        raise EstimationError(f"{R} of {R + failed} runs gave an estimate; a diagnosis needs two and should have 500.")
    gap = estimate - truth
    half = stdtrit(np.minimum(df, 1e9), 0.5 + level / 2) * std_error
    inside, excludes = float((np.abs(gap) <= half).mean()), float((np.abs(estimate) > half).mean())
    rmse, spread = float(np.sqrt((gap**2).mean())), float(gap.std(ddof=1))
    ratio = float(std_error.mean()) / spread if spread else np.nan
    relative = np.sqrt(float(std_error.var(ddof=1)) / std_error.mean() ** 2 / R + 1 / (2 * (R - 1)))
    return Diagnosis(
        float(truth.mean()),
        Diagnosand(float(gap.mean()), spread / float(np.sqrt(R))),
        Diagnosand(rmse, float((gap**2).std(ddof=1)) / (2 * rmse * float(np.sqrt(R))) if rmse else 0.0),
        Diagnosand(inside, _error_of_share(inside, R)),
        Diagnosand(excludes, _error_of_share(excludes, R)),
        Diagnosand(ratio, ratio * float(relative)),
        R,
        failed,
    )


def _error_of_share(share: float, runs: int) -> float:
    moved = (runs * share + 2) / (runs + 4)
    return float(np.sqrt(moved * (1 - moved) / (runs + 4)))


@dataclass(frozen=True, slots=True)
class Question:
    """What is diagnosed: analyses by name, outcomes, weightings, and how a region is prepared for them."""

    prepare: Prepare
    analyses: Mapping[str, Analysis]
    outcomes: Sequence[str]
    weightings: Sequence[Weighting] = (Weighting.PRACTICE, Weighting.PATIENT)
    level: float = 0.95


def diagnose_region(
    settings: RegionSettings, question: Question, dictionary: Dictionary, programme: Programme, seeds: Iterable[int]
) -> pd.DataFrame:
    """Simulate a region once a seed, run the planned analyses on its extracts, and hold them to its truth.

    The draw, the practices and all noise are new in each run; the truth is that of each run's own practices. Returns
    one row for each analysis, outcome and weighting: truth, runs, failed, and value and Monte Carlo error of every
    diagnosand.

    Raises
    ------
    EstimationError
        If an analysis gave fewer than two estimates.
    """
    import pandas as pd

    found: dict[tuple[str, str, Weighting], list[tuple[float, float, float, float]]] = {}
    runs = 0
    for seed in seeds:
        runs += 1
        region = simulate_region(settings, seed)
        try:
            panel, drawn = question.prepare(link(as_read(region.extracts, dictionary), dictionary, programme))
        except MtvpError:
            continue
        for name, analysis in question.analyses.items():
            for outcome in question.outcomes:
                for weighting in question.weightings:
                    try:
                        effect, estimand = analysis(panel, drawn, outcome, weighting)
                        truth = region.truth.of(outcome, estimand, panel.unit_ids)
                    except MtvpError:
                        continue
                    row = (float(effect.estimate[0]), float(effect.std_error()[0]), float(effect.df()[0]), truth)
                    if np.isfinite(row[:2]).all():
                        found.setdefault((name, outcome, weighting), []).append(row)
    rows = []
    for name in question.analyses:
        for outcome in question.outcomes:
            for weighting in question.weightings:
                seen = np.array(found.get((name, outcome, weighting), [])).reshape(-1, 4)
                estimate, error, df, truths = seen.T
                result = diagnosis(estimate, error, df, truths, question.level, runs - len(seen))
                rows.append({"analysis": name, "outcome": outcome, "weighting": str(weighting), **_flat(result)})
    return pd.DataFrame(rows)


def _flat(result: Diagnosis) -> dict[str, float]:
    row: dict[str, float] = {"truth": result.truth, "runs": result.runs, "failed": result.failed}
    for name in ("bias", "rmse", "coverage", "power", "error_ratio"):
        value: Diagnosand = getattr(result, name)
        row |= {name: value.value, f"{name}_error": value.error}
    return row
