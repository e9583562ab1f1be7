"""What a test of pre-trends can and cannot see: its power against a line, and the bias left once it is passed.

Source: Roth (2022), AER: Insights 4(3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.honest_study import HonestStudy

_BISECTIONS = 40


@dataclass(frozen=True, slots=True, eq=False)
class PretrendPower:
    """Hold the power against a line of ``slope`` a period, and the bias (P,) after entry: always, and once passed."""

    slope: float
    power: float
    bias: FloatArray
    bias_if_passed: FloatArray


def pretrend_power(
    study: HonestStudy, slope: float, rng: np.random.Generator, *, level: float = 0.95, draws: int = 100_000
) -> PretrendPower:
    r"""Return what the usual pre-test makes of a difference in trends that is a line through the base.

    .. math:: \hat\beta \sim N(\delta, \hat\Sigma), \quad \delta_t = slope \cdot t, \qquad
              power = \Pr\big(\max_{t<0} |\hat\beta_t/\hat\sigma_t| > z\big)

    The test passes if no coefficient before the base is significant by itself. The bias once passed is
    :math:`\delta_{post} + \Sigma_{post,pre}\Sigma_{pre}^{-1}(E[\hat\beta_{pre} \mid pass] - \delta_{pre})`.

    Parameters
    ----------
    study : coefficients from one universal base; only their covariance is used.
    slope : of the line, in units of the outcome a period.
    rng : generator.
    level : of each test of a pre-coefficient.
    draws : the Monte Carlo error of a power of one half is 0.0016 at 100,000.

    Raises
    ------
    EstimationError
        If no draw passes the test: the line is so steep that it is always seen.

    Source: Roth (2022), power and bias conditional on passing.

    Example
    -------
    >>> study = HonestStudy(np.zeros(2), np.zeros(1), np.eye(3))
    >>> found = pretrend_power(study, 0.0, np.random.default_rng(0))
    >>> round(found.power, 2), found.bias.tolist()
    (0.1, [0.0])
    """
    normals = rng.standard_normal((draws, len(study.before)))
    power, passed = _against(study, slope, normals, level)
    if not passed.any():
        raise EstimationError("The test sees this line in every draw: nothing is left to say about passing it.")
    p, P = len(study.before), len(study.after)
    drawn = _root(study) @ normals[passed].T
    shift = drawn.mean(axis=1)
    cross = np.linalg.solve(study.covariance[:p, :p], study.covariance[:p, p:]).T
    bias = slope * np.arange(1.0, P + 1)
    return PretrendPower(slope, power, bias, bias + cross @ shift)


def detectable_slope(
    study: HonestStudy, power: float, rng: np.random.Generator, *, level: float = 0.95, draws: int = 100_000
) -> float:
    """Return the positive slope a period against which the pre-test has the given power.

    Parameters are those of ``pretrend_power``; the same draws serve every slope.

    Raises
    ------
    EstimationError
        If the power lies below the test's size, so that no slope has it.

    Source: Roth (2022), slopes with 50 and 80 % power.

    >>> study = HonestStudy(np.zeros(2), np.zeros(1), np.eye(3))
    >>> 0.8 < detectable_slope(study, 0.5, np.random.default_rng(0)) < 1.0
    True
    """
    normals = rng.standard_normal((draws, len(study.before)))
    if _against(study, 0.0, normals, level)[0] >= power:
        raise EstimationError(f"The test rejects more often than {power:.0%} without any difference in trends.")
    low, high = 0.0, float(np.sqrt(np.diag(study.covariance)[: len(study.before)]).max())
    while _against(study, high, normals, level)[0] < power:
        low, high = high, 2 * high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if _against(study, middle, normals, level)[0] >= power else (middle, high)
    return high


def _against(
    study: HonestStudy, slope: float, normals: FloatArray, level: float
) -> tuple[float, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return the share of draws that the test rejects, and which pass."""
    from scipy.special import ndtri

    p = len(study.before)
    line = slope * np.arange(-p, 0.0)
    error = np.sqrt(np.diag(study.covariance)[:p])
    ratio = np.abs(normals @ _root(study).T + line) / error
    passed = (ratio <= ndtri(0.5 + level / 2)).all(axis=1)
    return float(1 - passed.mean()), passed


def _root(study: HonestStudy) -> FloatArray:
    """Return the symmetric root of the covariance before the base."""
    p = len(study.before)
    values, vectors = np.linalg.eigh(study.covariance[:p, :p])
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
