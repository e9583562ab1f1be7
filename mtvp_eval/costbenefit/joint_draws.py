"""Joint draws of everything uncertain: effects, prices, cash release, avoidable cost, lags, persistence, uptake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.costbenefit.effects import PricedEffects
from mtvp_eval.costbenefit.flows import FlowModel, incidence
from mtvp_eval.costbenefit.ledger import Ledger, Quantity
from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.costbenefit.profiles import geometric
from mtvp_eval.costbenefit.reading import Problems
from mtvp_eval.errors import LedgerError

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Spread:
    """Uncertainty of what is not estimated; a name is a ledger line, what is absent is fixed.

    `price`: coefficient of variation of both prices (gamma). `cashable` and `avoidable`: standard deviation of the
    share around the ledger's (beta, one draw for all years of a line). `lag`: chances of cash and avoidance coming 0,
    1, 2, … years later. `decay`: mean and standard deviation of the yearly decay after the observed years (beta).
    `uptake`: coefficient of variation of patient-years after the observed years (gamma).
    """

    price: Mapping[str, float] = field(default_factory=dict)
    cashable: Mapping[str, float] = field(default_factory=dict)
    avoidable: Mapping[str, float] = field(default_factory=dict)
    lag: Mapping[str, Sequence[float]] = field(default_factory=dict)
    decay: tuple[float, float] | None = None
    uptake: float = 0.0


def read_spread(mapping: Mapping[str, Any], ledger: Ledger) -> Spread:
    """Read a spread strictly, as written in a settings file: line names under price, cashable, avoidable and lag.

    Decay is ``{mean: 0.2, sd: 0.05}``; a lag is a list of chances that sums to one. Raises ``LedgerError`` with every
    problem.
    """
    problems = Problems("The spread of uncertain inputs")
    problems.keys(mapping, "", (), ("price", "cashable", "avoidable", "lag", "decay", "uptake"))
    known = [line.id for line in ledger.lines]
    named: dict[str, dict[str, float]] = {}
    for key, high in (("price", 10.0), ("cashable", 0.5), ("avoidable", 0.5)):
        entries = mapping.get(key) or {}
        problems.keys(entries, key, (), known)
        named[key] = {line: problems.number(value, f"{key}.{line}", 0.0, high) for line, value in entries.items()}
    lags = mapping.get("lag") or {}
    problems.keys(lags, "lag", (), known)
    for line, chances in lags.items():
        numbers = [problems.number(c, f"lag.{line}", 0.0, 1.0) for c in chances] if isinstance(chances, list) else []
        if abs(sum(numbers) - 1.0) > 1e-9:
            problems.add(f"lag.{line}", "must be a list of chances that sums to one: 0, 1, 2, … years later")
    decay = mapping.get("decay")
    if decay is not None and problems.keys(decay, "decay", ("mean", "sd")):
        decay = (
            problems.number(decay["mean"], "decay.mean", 0, 1),
            problems.number(decay["sd"], "decay.sd", 1e-9, 0.5),
        )
    uptake = problems.number(mapping.get("uptake", 0.0), "uptake", 0.0, 10.0)
    problems.raise_if_any()
    return Spread(named["price"], named["cashable"], named["avoidable"], lags, decay, uptake)


@dataclass(frozen=True, slots=True)
class JointDraws:
    """Draws of everything: effects (S, K), gains by party and year (S, P, T) and resource cost by year (S, T)."""

    effects: FloatArray
    gains: FloatArray
    resource: FloatArray

    def present_value(self, factors: FloatArray) -> FloatArray:
        """Return each party's present value (S, P)."""
        return self.gains @ factors


def draw_effects(effects: PricedEffects, n_draws: int, rng: np.random.Generator) -> FloatArray:
    r"""Draw effects jointly from the family of their reported intervals (S, K).

    .. math:: \theta^* = \hat\theta + V^{1/2} z \sqrt{\nu / \chi^2_\nu}

    multivariate t with the smallest degrees of freedom among the effects, normal when all are infinite.

    >>> from mtvp_eval.costbenefit.effects import per_patient_year
    >>> effects = per_patient_year(["a"], ["visit"], [1.0], [[0.0]])
    >>> draw_effects(effects, 2, np.random.default_rng(1)).tolist()
    [[1.0], [1.0]]
    """
    w, u = np.linalg.eigh(effects.covariance)
    root = u * np.sqrt(np.maximum(w, 0.0))
    z = rng.standard_normal((n_draws, effects.n)) @ root.T
    df = float(effects.df.min()) if effects.n else np.inf
    if np.isfinite(df):
        z = z * np.sqrt(df / rng.chisquare(df, n_draws))[:, None]
    return effects.mean + z


def multiplier_draws(
    estimate: FloatArray, influence: FloatArray, cluster: IntArray, n_draws: int, rng: np.random.Generator
) -> FloatArray:
    r"""Draw effects by Rademacher multipliers of their influence functions (S, K).

    .. math:: \theta^* = \hat\theta + \frac1n \sum_c w_c \sum_{i \in c} \psi_i, \qquad w_c = \pm 1

    Parameters: `estimate` (K,), `influence` (n, K) with V = psi'psi / n^2, `cluster` (n,) codes 0..C-1 (each unit its
    own when unclustered). The draws have the clustered covariance of the estimates and their joint shape.

    >>> psi = np.array([[3.0], [-3.0]])
    >>> drawn = multiplier_draws(np.zeros(1), psi, np.array([0, 1]), 50, np.random.default_rng(1))
    >>> sorted(set(drawn.ravel().tolist()))
    [-3.0, 0.0, 3.0]
    """
    sums = np.zeros((int(cluster.max()) + 1, influence.shape[1]))
    np.add.at(sums, cluster, influence)
    sign = rng.integers(0, 2, (n_draws, len(sums))) * 2.0 - 1.0
    return estimate + sign @ sums / len(influence)


def joint_draws(
    result: NetBenefit, spread: Spread, n_draws: int, rng: np.random.Generator, effects: FloatArray | None = None
) -> JointDraws:
    """Draw effects, prices, shares, lags, persistence and uptake jointly, and all gains that follow.

    `effects` (S, K) replaces the multivariate t, for example by `multiplier_draws`. The estimated effects keep their
    joint covariance; the other inputs are drawn apart from them and from each other, which the report must say. Raises
    ``LedgerError`` when the spread names no line of the ledger, a share cannot have its spread, or decay is drawn
    without extrapolation. `tests/unit/costbenefit/test_sensitivity.py` shows every part on two lines.

    >>> Spread(price={"hospital": 0.1}, decay=(0.2, 0.05)).uptake
    0.0
    """
    flows = result.flows
    ids = [line.id for line in result.ledger.lines]
    for name in sorted({*spread.price, *spread.cashable, *spread.avoidable, *spread.lag} - set(ids)):
        raise LedgerError(f"The spread names {name}, which is no line of the ledger. Lines: {', '.join(ids)}.")
    theta = draw_effects(result.effects, n_draws, rng) if effects is None else effects
    if len(theta) != n_draws:
        raise LedgerError(f"{len(theta)} draws of effects for {n_draws} draws: give as many.")
    scale, group = _quantity_scale(result, spread, n_draws, rng), _scale_group(result)
    price = np.ones((n_draws, len(ids)))
    cash = np.broadcast_to(flows.cashable, (n_draws, *flows.cashable.shape)).copy()
    avoid = np.broadcast_to(flows.avoidable, cash.shape).copy()
    for i, line_id in enumerate(ids):
        price[:, i] = _gamma(spread.price.get(line_id, 0.0), n_draws, rng)
        _draw_share(cash, i, spread.cashable.get(line_id, 0.0), rng)
        _draw_share(avoid, i, spread.avoidable.get(line_id, 0.0), rng)
        if line_id in spread.lag:
            _delay(i, spread.lag[line_id], (cash, avoid), rng)
    gains, resource = evaluate(flows, theta, price, scale, group, cash, avoid)
    return JointDraws(theta, gains, resource)


def evaluate(
    flows: FlowModel,
    theta: FloatArray,
    price: FloatArray,
    scale: FloatArray,
    group: IntArray,
    cash: FloatArray,
    avoid: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    r"""Return gains (S, P, T) and resource cost (S, T) of draws of everything.

    Quantity x price of a line is :math:`(W_{lt}'(\theta, 1))\, persistence_{lt}\, scale_{g(l)t}\, price_l`.

    Parameters: `theta` (S, K) effects, `price` (S, L) factors, `scale` (S, G, T) factors on quantities by `group` (L,),
    `cash` and `avoid` (S, L, T) shares that replace those of `flows`. Works through blocks of draws, so that memory
    stays at one block beside the inputs.

    >>> one = np.ones((1, 1))
    >>> flows = FlowModel(np.array([[[2.0, 1.0]]]), one, one, one, one, 0 * one, np.array([0]), np.array([1]), 2)
    >>> gains, used = evaluate(flows, 3 * one, one, np.ones((1, 1, 1)), np.array([0]), one[None], one[None])
    >>> gains.ravel().tolist()                      # 2 x 3 + 1 go from the first party to the second
    [-7.0, 7.0]
    """
    lines, years, _ = flows.weight.shape
    gains = np.empty((len(theta), flows.n_parties, years))
    resource = np.empty((len(theta), years))
    weight = flows.weight.reshape(lines * years, -1).T
    pays, receives = incidence(flows.payer, flows.n_parties), incidence(flows.receiver, flows.n_parties)
    for start in range(0, len(theta), _CHUNK):
        part = slice(start, start + _CHUNK)
        quantity = (theta[part] @ weight[:-1] + weight[-1]).reshape(-1, lines, years)
        quantity *= flows.persistence
        quantity *= scale[part][:, group]
        quantity *= price[part][:, :, None]
        paid = quantity * flows.price_payer * cash[part]
        used = quantity * flows.price_resource * avoid[part]
        gains[part] = (receives - pays) @ paid - receives @ used
        resource[part] = used.sum(axis=1)
    return gains, resource


def _scale_group(result: NetBenefit) -> IntArray:
    """Which row of `_quantity_scale` a line follows (L,): fixed sums, patients, or patients and persistence."""
    return np.array(
        [
            0
            if line.quantity_source is Quantity.CONTRACT
            else 1 + (line.effect is not None and line.persistence is None)
            for line in result.ledger.lines
        ]
    )


def _quantity_scale(result: NetBenefit, spread: Spread, n: int, rng: np.random.Generator) -> FloatArray:
    """Factors (S, 3, T): none on fixed sums, uptake on patients, uptake and decay on effects."""
    scenario = result.scenario
    scale = np.ones((n, 3, scenario.n_years))
    later = 1.0 - scenario.observed
    scale[:, 1:] += (_gamma(spread.uptake, n, rng)[:, None, None] - 1.0) * later
    if spread.decay is not None:
        if (scenario.persistence[scenario.observed_years :] <= 0.0).any():
            raise LedgerError("Decay can be drawn only in a scenario that extrapolates. Give it a persistence first.")
        mean, sd = spread.decay
        decay = _beta(np.array([mean]), sd, rng.random(n))[:, 0]
        path = np.stack([geometric(scenario.observed_years, scenario.n_years, float(d)) for d in decay])
        scale[:, 2] *= path / scenario.persistence
    return scale


def _gamma(cv: float, n: int, rng: np.random.Generator) -> FloatArray:
    """Positive factors with mean 1 and a coefficient of variation."""
    return np.ones(n) if cv == 0.0 else rng.gamma(cv**-2, cv**2, n)


def _beta(mean: FloatArray, sd: float, u: FloatArray) -> FloatArray:
    """Beta quantiles with given means (T,) and standard deviation at one uniform a draw (S, T); 0 and 1 stay."""
    from scipy.special import betaincinv

    inner = (mean > 0.0) & (mean < 1.0)
    size = mean[inner] * (1.0 - mean[inner]) / sd**2 - 1.0
    if (size <= 0.0).any():
        raise LedgerError("The standard deviation of a share is too large for its mean: it must be below sqrt(m(1-m)).")
    out = np.broadcast_to(mean, (len(u), len(mean))).copy()
    out[:, inner] = betaincinv(mean[inner] * size, (1.0 - mean[inner]) * size, u[:, None])
    return out


def _draw_share(share: FloatArray, line: int, sd: float, rng: np.random.Generator) -> None:
    if sd > 0.0:
        levels, year = np.unique(share[0, line], return_inverse=True)
        share[:, line] = _beta(levels, sd, rng.random(len(share)))[:, year]


def _delay(line: int, chances: Sequence[float], shares: tuple[FloatArray, ...], rng: np.random.Generator) -> None:
    """Shift the paths of a line by a drawn number of years; the first year's share holds until then."""
    years = np.arange(shares[0].shape[2])
    later = rng.choice(len(chances), size=len(shares[0]), p=np.asarray(chances, dtype=float))
    source = np.maximum(years - later[:, None], 0)
    for share in shares:
        share[:, line] = np.take_along_axis(share[:, line], source, axis=1)
