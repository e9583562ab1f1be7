"""How uncertain an input is that was not estimated: read from the ledger and the question, drawn as quantiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.costbenefit.ledger import Ledger, LedgerLine
from mtvp_eval.costbenefit.reading import Problems
from mtvp_eval.errors import LedgerError

_LINE_KEYS = ("price", "cashable", "avoidable", "lag")
KINDS = (*_LINE_KEYS, "decay", "uptake")
"""Kinds of inputs that can be drawn: of a line, and of all lines after the observed years."""


class Dependence(StrEnum):
    """How inputs of one kind (amounts, cash shares, avoidable shares, lags) are drawn: together, or each apart."""

    COMMON = "common"
    INDEPENDENT = "independent"


@dataclass(frozen=True, slots=True)
class Spread:
    """Uncertainty of what is not estimated; a name is a ledger line, what is absent or 0 is fixed.

    `price`: coefficient of variation of both prices (gamma). `cashable` and `avoidable`: standard deviation of the
    share around the ledger's (beta, one draw for all years of a line). `lag`: chances of cash and avoidance coming 0,
    1, 2, … years later. `decay`: mean and standard deviation of the yearly decay after the observed years (beta), whose
    persistence varies around the scenario's.
    `uptake`: coefficient of variation of patient-years after the observed years (gamma). `dependence`: inputs of one
    kind share one quantile, so that a high amount comes with high amounts, unless independence was declared.
    """

    price: Mapping[str, float] = field(default_factory=dict)
    cashable: Mapping[str, float] = field(default_factory=dict)
    avoidable: Mapping[str, float] = field(default_factory=dict)
    lag: Mapping[str, Sequence[float]] = field(default_factory=dict)
    decay: tuple[float, float] | None = None
    uptake: float = 0.0
    dependence: Dependence = Dependence.COMMON

    def within(self, lines: Sequence[str]) -> Spread:
        """Return the spread of the named lines only, for a ledger that holds fewer.

        >>> Spread(price={"fee": 0.1, "outlay": 0.2}).within(["fee"]).price
        {'fee': 0.1}
        """

        def kept(sizes: Mapping[str, Any]) -> dict[str, Any]:
            return {name: size for name, size in sizes.items() if name in lines}

        return replace(
            self,
            price=kept(self.price),
            cashable=kept(self.cashable),
            avoidable=kept(self.avoidable),
            lag=kept(self.lag),
        )

    def on(self, ledger: Ledger) -> Ledger:
        """Return the ledger whose amounts hold the mean over the lags, so that an interval lies around its estimate."""
        lines = [replace(e, delay=tuple(self.lag[e.id])) if e.id in self.lag else e for e in ledger.lines]
        return replace(ledger, lines=tuple(lines))

    @property
    def n_inputs(self) -> int:
        """Number of inputs that are drawn."""
        of_lines = sum(size != 0.0 for key in _LINE_KEYS for size in getattr(self, key).values())
        return of_lines + (self.decay is not None) + (self.uptake > 0.0)


def read_spread(mapping: Mapping[str, Any], ledger: Ledger) -> Spread:
    """Read a spread strictly, as written in a settings file, over the spreads that the ledger's own lines declare.

    Line names stand under price, cashable, avoidable and lag. Decay is ``{mean: 0.2, sd: 0.05}``; a lag is a list of
    chances that sums to one; dependence is `common` or `independent`. Raises ``LedgerError`` with every problem.
    """
    problems = Problems("The spread of uncertain inputs")
    problems.keys(mapping, "", (), (*_LINE_KEYS, "decay", "uptake", "dependence"))
    known = {line.id: line for line in ledger.lines}
    found: dict[str, dict[str, Any]] = {}
    for key in _LINE_KEYS:
        entries = mapping.get(key) or {}
        problems.keys(entries, key, (), known)
        written = {line.id: line.spread[key] for line in ledger.lines if line.spread and key in line.spread}
        own = entries if isinstance(entries, Mapping) else {}
        found[key] = {name: read_size(key, v, f"{key}.{name}", problems) for name, v in {**written, **own}.items()}
        for name, size in found[key].items():
            if name in known:
                check_size(known[name], key, size, f"{key}.{name}", problems)
    decay = mapping.get("decay")
    if decay is not None and problems.keys(decay, "decay", ("mean", "sd")):
        decay = (
            problems.number(decay["mean"], "decay.mean", 0, 1),
            problems.number(decay["sd"], "decay.sd", 1e-9, 0.5),
        )
        _check_share([decay[0]], decay[1], "decay", problems)
    uptake = problems.number(mapping.get("uptake", 0.0), "uptake", 0.0, 10.0)
    dependence = mapping.get("dependence", Dependence.COMMON.value)
    if dependence not in list(Dependence):
        problems.add("dependence", f"must be one of {', '.join(Dependence)}")
    problems.raise_if_any()
    return Spread(**found, decay=decay, uptake=uptake, dependence=Dependence(dependence))


def read_size(kind: str, value: Any, where: str, problems: Problems) -> Any:
    """Read how uncertain one input of a line is: a coefficient of variation, a standard deviation, or chances of a lag.

    Zero says that the input is taken as exactly known.

    >>> read_size("price", 0.25, "price.outlay", Problems("ledger"))
    0.25
    """
    if kind != "lag":
        return problems.number(value, where, 0.0, 10.0 if kind == "price" else 0.5)
    chances = [problems.number(c, where, 0.0, 1.0) for c in value] if isinstance(value, list) else []
    if abs(sum(chances) - 1.0) > 1e-9:
        problems.add(where, "must be a list of chances that sums to one: 0, 1, 2, … years later")
    return chances


def check_size(line: LedgerLine, kind: str, size: Any, where: str, problems: Problems) -> None:
    """Note a spread that the line's shares cannot have: of a share that is 0 or 1, too wide, or a lag of no change."""
    written = {name: _numbers(getattr(line, name)) for name in ("cashable", "avoidable")}
    if kind == "lag" and all(len(set(values)) < 2 for values in written.values()):
        problems.add(where, "moves nothing: cashable and avoidable are the same in every year")
    if kind in written and size > 0.0:
        _check_share(written[kind], size, where, problems)


def _check_share(shares: Sequence[float], sd: float, where: str, problems: Problems) -> None:
    """Note shares that cannot have the standard deviation: all are 0 or 1, or one is too near to them."""
    inner = sorted({share for share in shares if 0.0 < share < 1.0})
    if not inner and all(share in (0.0, 1.0) for share in shares):
        said = " and ".join(f"{share:g}" for share in sorted(set(shares)))
        problems.add(where, f"the share is {said}, which cannot vary: change it, or declare no spread")
    for share in inner:
        most = math.sqrt(share * (1.0 - share))
        if sd >= most:
            problems.add(where, f"standard deviation {sd:g} around a share of {share:g}: must be below {most:.3g}")


def _numbers(share: Any) -> list[float]:
    """The shares as written: one number, a list of years, or before and after; what is no share is noted elsewhere."""
    if isinstance(share, Mapping):
        share = [share.get("before"), share.get("after")]
    listed = share if isinstance(share, list) else [share]
    return [float(value) for value in listed if isinstance(value, int | float)]


def read_line_spread(spec: Any, where: str, problems: Problems) -> dict[str, Any] | None:
    """Read the spread that a ledger line declares of its own price, cashable, avoidable and lag."""
    if spec is None or not problems.keys(spec, where, (), _LINE_KEYS):
        return None
    return {key: read_size(key, value, f"{where}.{key}", problems) for key, value in spec.items()}


class Quantiles:
    r"""Give the quantile levels of each input, stratified: every input meets each of S equal parts of (0, 1) once.

    .. math:: u_s = (\pi(s) + 1/2) / S

    with a random permutation for each input, or one for each kind when they are drawn together. Means of single inputs
    are then exact to the order of 1/S instead of :math:`1/\sqrt S`.

    Source: McKay, Beckman & Conover, Technometrics 1979;21:239-245.
    """

    def __init__(self, n_draws: int, dependence: Dependence, rng: np.random.Generator) -> None:
        self._n, self._dependence, self._rng = n_draws, dependence, rng
        self._of_kind: dict[str, FloatArray] = {}

    def level(self, kind: str) -> FloatArray:
        """Return the levels (S,) of the next input of a kind."""
        if self._dependence is Dependence.INDEPENDENT or kind not in self._of_kind:
            self._of_kind[kind] = (self._rng.permutation(self._n) + 0.5) / self._n
        return self._of_kind[kind]


def gamma_factor(cv: float, u: FloatArray) -> FloatArray:
    """Return positive factors (S,) with mean 1 and coefficient of variation `cv` at levels `u` (S,).

    >>> gamma_factor(1.0, np.array([0.5])).round(4).tolist()      # an exponential with mean 1: log 2
    [0.6931]
    """
    from scipy.special import gammaincinv

    return np.ones(len(u)) if cv == 0.0 else gammaincinv(cv**-2, u) * cv**2


def beta_share(mean: FloatArray, sd: float, u: FloatArray) -> FloatArray:
    """Return shares (S, T) with means `mean` (T,) and standard deviation `sd` at levels `u` (S,); 0 and 1 stay.

    Raises ``LedgerError`` when no share has this mean and standard deviation.

    >>> beta_share(np.array([0.5, 1.0]), 12**-0.5, np.array([0.25])).round(4).tolist()     # uniform, and certain
    [[0.25, 1.0]]
    """
    from scipy.special import betaincinv

    inner = (mean > 0.0) & (mean < 1.0)
    size = mean[inner] * (1.0 - mean[inner]) / sd**2 - 1.0
    if (size <= 0.0).any():
        raise LedgerError("The standard deviation of a share is too large for its mean: it must be below sqrt(m(1-m)).")
    out = np.broadcast_to(mean, (len(u), len(mean))).copy()
    out[:, inner] = betaincinv(mean[inner] * size, (1.0 - mean[inner]) * size, u[:, None])
    return out
