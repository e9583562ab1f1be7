"""Joint draws of everything uncertain: effects, prices, cash release, avoidable cost, lags, persistence, uptake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.costbenefit.build import written_share
from mtvp_eval.costbenefit.effects import PricedEffects
from mtvp_eval.costbenefit.flows import FlowModel, incidence
from mtvp_eval.costbenefit.ledger import Quantity
from mtvp_eval.costbenefit.net_benefit import NetBenefit
from mtvp_eval.costbenefit.profiles import geometric
from mtvp_eval.costbenefit.spread import KINDS, Quantiles, Spread, beta_share, gamma_factor
from mtvp_eval.errors import LedgerError

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class InputDraws:
    """Draws of every input that was not estimated.

    `price` (S, L) factors on both prices; `scale` (S, G, T) factors on quantities by `group` (L,); `cash` and `avoid`
    (S, L, T) shares that replace the ledger's cashable and avoidable ones. `varied` holds, by kind and line, the values
    (S,) of every input that varies in some year of the scenario: what is declared uncertain but cannot move is certain.
    """

    price: FloatArray
    scale: FloatArray
    group: IntArray
    cash: FloatArray
    avoid: FloatArray
    varied: Mapping[str, Mapping[str, FloatArray]] = field(default_factory=dict)


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
    # the symmetric root: signs and order of eigenvectors, which differ between processors, drop out of it
    root = (u * np.sqrt(np.maximum(w, 0.0))) @ u.T
    z = rng.standard_normal((n_draws, effects.n)) @ root
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


def draw_inputs(result: NetBenefit, spread: Spread, n_draws: int, rng: np.random.Generator) -> InputDraws:
    """Draw prices, shares, lags, persistence and uptake; `Spread` says from which family and how they hang together.

    Raises ``LedgerError`` when the spread names no line of the ledger, a share cannot have its spread, or decay is
    drawn where later years have no effect.
    """
    flows = result.flows
    ids = [line.id for line in result.ledger.lines]
    for name in sorted({*spread.price, *spread.cashable, *spread.avoidable, *spread.lag} - set(ids)):
        raise LedgerError(f"The spread names {name}, which is no line of the ledger. Lines: {', '.join(ids)}.")
    quantiles = Quantiles(n_draws, spread.dependence, rng)
    varied: dict[str, dict[str, FloatArray]] = {kind: {} for kind in KINDS}
    price = np.ones((n_draws, len(ids)))
    cash = np.broadcast_to(flows.cashable, (n_draws, *flows.cashable.shape)).copy()
    avoid = np.broadcast_to(flows.avoidable, cash.shape).copy()
    for i, line_id in enumerate(ids):
        if line_id in spread.lag:  # the flows hold the mean over the lags; each draw delays what the ledger says
            line = result.ledger.lines[i]
            for name, share in (("cashable", cash), ("avoidable", avoid)):
                share[:, i] = written_share(line, name, result.scenario)
        if spread.price.get(line_id):
            varied["price"][line_id] = price[:, i] = gamma_factor(spread.price[line_id], quantiles.level("price"))
        for kind, share, declared in (("cashable", cash, spread.cashable), ("avoidable", avoid, spread.avoidable)):
            if declared.get(line_id):
                levels, year = np.unique(share[0, i], return_inverse=True)
                drawn = beta_share(levels, declared[line_id], quantiles.level(kind))
                share[:, i] = drawn[:, year]
                moved = np.flatnonzero(np.ptp(drawn, axis=0) > 0.0)
                if len(moved):
                    varied[kind][line_id] = drawn[:, moved[0]]
        if line_id in spread.lag:
            late = np.searchsorted(np.cumsum(spread.lag[line_id])[:-1], quantiles.level("lag"), side="right")
            if _lag_matters(late, tuple(written_share(line, n, result.scenario) for n in ("cashable", "avoidable"))):
                varied["lag"][line_id] = late.astype(float)
            _delay(i, late, (cash, avoid))
    scale = _quantity_scale(result, spread, quantiles, varied)
    return InputDraws(price, scale, _scale_group(result), cash, avoid, varied)


def joint_draws(
    result: NetBenefit, spread: Spread, n_draws: int, rng: np.random.Generator, effects: FloatArray | None = None
) -> JointDraws:
    """Draw effects, prices, shares, lags, persistence and uptake jointly, and all gains that follow.

    `effects` (S, K) replaces the multivariate t, for example by `multiplier_draws`. The estimated effects keep their
    joint covariance; the other inputs are drawn apart from them, which the report must say. Raises ``LedgerError`` as
    `draw_inputs` does. `tests/unit/costbenefit/test_sensitivity.py` shows every part on two lines.

    >>> Spread(price={"hospital": 0.1}, decay=(0.2, 0.05)).n_inputs
    2
    """
    theta = draw_effects(result.effects, n_draws, rng) if effects is None else effects
    if len(theta) != n_draws:
        raise LedgerError(f"{len(theta)} draws of effects for {n_draws} draws: give as many.")
    drawn = draw_inputs(result, spread, n_draws, rng)
    gains, resource = evaluate(result.flows, theta, drawn)
    return JointDraws(theta, gains, resource)


def evaluate(flows: FlowModel, theta: FloatArray, inputs: InputDraws) -> tuple[FloatArray, FloatArray]:
    r"""Return gains (S, P, T) and resource cost (S, T) of draws of everything.

    Quantity x price of a line is :math:`(W_{lt}'(\theta, 1))\, persistence_{lt}\, scale_{g(l)t}\, price_l`.

    Parameters: `theta` (S, K) effects and as many draws of `inputs`. Works through blocks of draws, so that memory
    stays at one block beside the inputs.

    >>> one = np.ones((1, 1))
    >>> prices, parties = (one, 0 * one), (np.array([0]), np.array([1]))
    >>> flows = FlowModel(np.array([[[2.0, 1.0]]]), one, one, one, one, one, *prices, *parties, 2)
    >>> drawn = InputDraws(one, np.ones((1, 1, 1)), np.array([0]), one[None], one[None])
    >>> gains, used = evaluate(flows, 3 * one, drawn)
    >>> gains.ravel().tolist()                      # 2 x 3 + 1 go from the first party to the second
    [-7.0, 7.0]
    """
    lines, years, _ = flows.weight.shape
    gains = np.empty((len(theta), flows.n_parties, years))
    resource = np.empty((len(theta), years))
    weight = flows.weight.reshape(lines * years, -1).T
    payer, resource_price = flows.price_payer * flows.paid, flows.price_resource * flows.unfilled
    pays, receives = incidence(flows.payer, flows.n_parties), incidence(flows.receiver, flows.n_parties)
    for start in range(0, len(theta), _CHUNK):
        part = slice(start, start + _CHUNK)
        quantity = (theta[part] @ weight[:-1] + weight[-1]).reshape(-1, lines, years)
        quantity *= flows.persistence
        quantity *= inputs.scale[part][:, inputs.group]
        quantity *= inputs.price[part][:, :, None]
        paid = quantity * payer * inputs.cash[part]
        used = quantity * resource_price * inputs.avoid[part]
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


def _quantity_scale(
    result: NetBenefit, spread: Spread, quantiles: Quantiles, varied: dict[str, dict[str, FloatArray]]
) -> FloatArray:
    """Factors (S, 3, T): none on fixed sums, uptake on patients, uptake and decay on effects; what varies is noted."""
    scenario = result.scenario
    uptake = gamma_factor(spread.uptake, quantiles.level("uptake"))
    scale = np.ones((len(uptake), 3, scenario.n_years))
    later = 1.0 - scenario.observed
    scale[:, 1:] += (uptake[:, None, None] - 1.0) * later
    if spread.uptake and later.any():
        varied["uptake"]["patients"] = uptake
    if spread.decay is not None and later.any():
        if (scenario.persistence[scenario.observed_years :] <= 0.0).any():
            raise LedgerError("Decay can be drawn only in a scenario that extrapolates. Give it a persistence first.")
        mean, sd = spread.decay
        decay = beta_share(np.array([mean]), sd, quantiles.level("decay"))[:, 0]
        path = np.stack([geometric(scenario.observed_years, scenario.n_years, float(d)) for d in decay])
        scale[:, 2] *= path / path.mean(
            axis=0
        )  # the declared persistence is the mean, as a price or a share is its own
        if np.ptp(decay) > 0.0:
            varied["decay"]["all_effects"] = decay
    return scale


def _delay(line: int, late: IntArray, shares: tuple[FloatArray, ...]) -> None:
    """Shift the paths of a line by a drawn number of years `late` (S,); the first year's share holds until then."""
    source = np.maximum(np.arange(shares[0].shape[2]) - late[:, None], 0)
    for share in shares:
        share[:, line] = np.take_along_axis(share[:, line], source, axis=1)


def _lag_matters(late: IntArray, paths: tuple[FloatArray, ...]) -> bool:
    """Whether the drawn delays give more than one path of a line's shares (T,) within the scenario."""
    source = np.maximum(np.arange(len(paths[0])) - np.unique(late)[:, None], 0)
    return any(bool((np.ptp(path[source], axis=0) > 0.0).any()) for path in paths)
