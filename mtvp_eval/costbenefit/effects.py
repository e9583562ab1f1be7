"""The effects that are priced: a named vector with its full covariance, per patient-year or as totals over cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray, frozen
from mtvp_eval.errors import LedgerError

EURO = "euro"
ALL_INSURERS = "all"


class QuantityBasis(StrEnum):
    """Effect per patient-year, or total over the identified cells of one calendar year."""

    PER_PATIENT_YEAR = "per_patient_year"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class EffectKey:
    """What one effect is: outcome, unit, the year its euros are of, and for a total its calendar year and coverage."""

    outcome: str
    unit: str
    price_year: int | None = None
    year: int | None = None
    patient_years: float | None = None


@dataclass(frozen=True, slots=True)
class PricedEffects:
    """K effects with mean (K,), covariance (K, K) and degrees of freedom (K,), inf for a normal effect.

    An effect is programme minus comparator: a saving is negative. Build one with `per_patient_year` or `totals`; both
    take the full covariance. A covariance without any off-diagonal element is refused unless `assumed_independent`
    says that somebody chose it, and the report prints that. `claims_of` names the insurer (UZOVI) whose claims the
    effects were estimated on; such effects are never multiplied by patients of other insurers.
    """

    key: tuple[EffectKey, ...]
    mean: FloatArray
    covariance: FloatArray
    df: FloatArray
    basis: QuantityBasis
    assumed_independent: bool = False
    claims_of: str = ALL_INSURERS

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise LedgerError("The effects cannot be priced:\n" + "\n".join(f"  {p}" for p in problems))

    @property
    def n(self) -> int:
        """Number of effects K."""
        return len(self.key)

    def outcomes(self) -> tuple[str, ...]:
        """Return the outcome names in their order, each once."""
        return tuple(dict.fromkeys(key.outcome for key in self.key))

    def of(self, outcome: str) -> IntArray:
        """Return the positions of one outcome's effects."""
        return np.array([i for i, key in enumerate(self.key) if key.outcome == outcome], dtype=np.int64)

    def standard_errors(self) -> FloatArray:
        """Return the standard errors (K,)."""
        return np.sqrt(np.diag(self.covariance))


def _problems(effects: PricedEffects) -> list[str]:
    """List what is wrong with a vector of effects."""
    k = len(effects.key)
    found = []
    if effects.mean.shape != (k,) or effects.covariance.shape != (k, k) or effects.df.shape != (k,):
        return [f"{k} effects need mean ({k},), covariance ({k}, {k}) and df ({k},)"]
    if not (np.isfinite(effects.mean).all() and np.isfinite(effects.covariance).all()):
        found.append("an effect or its covariance is not finite; leave out what is not identified")
    elif k:
        scale = max(float(np.abs(effects.covariance).max()), 1e-300)
        if not np.allclose(effects.covariance, effects.covariance.T, rtol=0, atol=1e-9 * scale):
            found.append("the covariance is not symmetric")
        sd = np.sqrt(np.clip(np.diag(effects.covariance), 0.0, None))
        unit = np.outer(np.where(sd > 0, sd, 1.0), np.where(sd > 0, sd, 1.0))
        # in correlation units, so that euros beside rates hide no negative direction; 1e-8 is the rounding of a product
        if (np.diag(effects.covariance) < 0).any() or np.linalg.eigvalsh(effects.covariance / unit).min() < -1e-8:
            found.append("the covariance is not positive semi-definite")
    if np.isnan(effects.df).any() or (effects.df <= 0).any():
        found.append("degrees of freedom must be positive, or infinite")
    names = [(key.outcome, key.year) for key in effects.key]
    found += [f"{name} is given twice" for name in sorted({n[0] for n in names if names.count(n) > 1})]
    found += [
        f"{key.outcome} is in euro and has no price year"
        for key in effects.key
        if key.unit == EURO and key.price_year is None
    ]
    if effects.basis is QuantityBasis.TOTAL:
        found += [f"{key.outcome} is a total and has no calendar year" for key in effects.key if key.year is None]
    uncertain = np.diag(effects.covariance) > 0 if effects.covariance.shape == (k, k) else np.zeros(k, dtype=bool)
    off = effects.covariance - np.diag(np.diag(effects.covariance))
    if uncertain.sum() > 1 and not off.any() and not effects.assumed_independent:
        found.append(
            f"the covariance of {k} effects has no off-diagonal element; give the joint covariance, or declare "
            "assumed_independent=True, which every report prints"
        )
    return found


def per_patient_year(
    outcomes: Sequence[str],
    units: Sequence[str],
    mean: Sequence[float] | FloatArray,
    covariance: Sequence[Sequence[float]] | FloatArray,
    *,
    df: float | FloatArray = np.inf,
    price_years: Sequence[int | None] | None = None,
    assumed_independent: bool = False,
) -> PricedEffects:
    """Build effects per patient-year; the scenario's patient-years multiply them.

    Parameters: `outcomes` and `units` (K each; unit ``euro`` for a cost, otherwise the unit that is counted), `mean`
    (K,) per patient-year, `covariance` (K, K), `df` one or (K,), `price_years` (K,) for effects in euro.

    >>> per_patient_year(["consult"], ["consult"], [0.03], [[0.0004]]).outcomes()
    ('consult',)
    """
    years = price_years or [None] * len(outcomes)
    key = tuple(EffectKey(o, u, y) for o, u, y in zip(outcomes, units, years, strict=True))
    return _effects(key, mean, covariance, df, QuantityBasis.PER_PATIENT_YEAR, assumed_independent)


def totals(
    key: Sequence[EffectKey],
    mean: Sequence[float] | FloatArray,
    covariance: Sequence[Sequence[float]] | FloatArray,
    *,
    df: float | FloatArray = np.inf,
    assumed_independent: bool = False,
) -> PricedEffects:
    r"""Build totals over identified cells, the headline money estimand.

    .. math:: \Theta_{ky} = \sum_{(g,t) \in y} \tfrac14 n_g \, ATT_k(g, t)

    for effects stated per insured year (1/4 turns a patient-quarter into years), summed over the identified cells of
    calendar year y. `key` gives outcome, unit, price year, calendar year and the patient-years covered (Σ n_g / 4);
    ``mean`` has shape (K,), ``covariance`` (K, K), and ``df`` is one number of degrees of freedom or K of them.
    Nothing is annualised: years without a total have no effect unless the scenario extrapolates and says so.

    >>> totals([EffectKey("cost_hospital", "euro", 2024, 2024, 5_000.0)], [-40_000.0], [[4e8]]).mean.tolist()
    [-40000.0]
    """
    return _effects(tuple(key), mean, covariance, df, QuantityBasis.TOTAL, assumed_independent)


def _effects(
    key: tuple[EffectKey, ...],
    mean: Sequence[float] | FloatArray,
    covariance: Sequence[Sequence[float]] | FloatArray,
    df: float | FloatArray,
    basis: QuantityBasis,
    assumed_independent: bool,
) -> PricedEffects:
    mu, v = np.array(mean, dtype=float), np.array(covariance, dtype=float).reshape(len(key), -1)
    nu = np.array(np.broadcast_to(np.asarray(df, dtype=float), mu.shape))
    return PricedEffects(key, frozen(mu), frozen(v), frozen(nu), basis, assumed_independent)
