"""All flows of a ledger as coefficients that are linear in the effects: the numeric core of cost-benefit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class FlowModel:
    """Coefficients of L lines over T years on K effects and a constant (the last column).

    `weight` (L, T, K+1) is the quantity of a line per unit of effect at full persistence; `persistence`, `cashable` and
    `avoidable` (L, T) are the shares of the ledger; `paid` (L, T) is the part that comes to payment at all (not filled
    again by other care, fee for service kept), `unfilled` (L, T) the part that is not filled again; `price_payer` and
    `price_resource` (L, T) are in euros of one year; `payer` and `receiver` (L,) are positions among `n_parties`
    parties.
    """

    weight: FloatArray
    persistence: FloatArray
    cashable: FloatArray
    avoidable: FloatArray
    paid: FloatArray
    unfilled: FloatArray
    price_payer: FloatArray
    price_resource: FloatArray
    payer: IntArray
    receiver: IntArray
    n_parties: int

    def full(self) -> FloatArray:
        """Return the value of each line at the payer's price as if all were cash, per effect (L, T, K+1)."""
        return self.weight * (self.persistence * self.price_payer)[:, :, None]

    def cash(self) -> FloatArray:
        r"""Return what the payer pays: quantity x payer's price x paid x cashable share (L, T, K+1)."""
        return self.full() * (self.paid * self.cashable)[:, :, None]

    def resource(self) -> FloatArray:
        r"""Return the resource cost that arises: quantity x resource price x unfilled x avoidable (L, T, K+1)."""
        used = self.persistence * self.price_resource * self.unfilled * self.avoidable
        return self.weight * used[:, :, None]

    def gains(self) -> FloatArray:
        r"""Return each party's gain as coefficients (P, T, K+1).

        .. math:: G_p = \sum_{l: receiver = p} (cash_l - resource_l) - \sum_{l: payer = p} cash_l

        Cash cancels in the sum over parties, so :math:`\sum_p G_p = -\sum_l resource_l`: society gains what is unused.
        """
        pays, receives = incidence(self.payer, self.n_parties), incidence(self.receiver, self.n_parties)
        cash, resource = self.cash(), self.resource()
        return np.einsum("pl,ltk->ptk", receives - pays, cash) - np.einsum("pl,ltk->ptk", receives, resource)


def incidence(party: IntArray, n_parties: int) -> FloatArray:
    """Return the 0/1 matrix (P, L) that says which party a line belongs to.

    >>> incidence(np.array([1, 0, 1]), 2).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    """
    return (np.arange(n_parties)[:, None] == party[None, :]).astype(float)


def at(coefficients: FloatArray, effects: FloatArray) -> FloatArray:
    r"""Evaluate coefficients (..., K+1) at effects (K,): :math:`c_{1:K}'\theta + c_{K+1}`.

    >>> at(np.array([[2.0, 1.0]]), np.array([3.0])).tolist()
    [7.0]
    """
    return coefficients[..., :-1] @ effects + coefficients[..., -1]
