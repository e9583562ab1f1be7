"""Shared savings: what a contract pays, and what it pays for noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.errors import LedgerError


@dataclass(frozen=True, slots=True)
class SharedSavings:
    """Terms of a contract; rates and caps are shares of the benchmark.

    `share` of the saving is paid when the saving rate reaches `minimum_rate`: from the first euro, or only of the
    excess above that rate. With `loss_share` the provider pays for losses that reach `minimum_loss_rate`.
    """

    share: float
    minimum_rate: float
    cap: float = np.inf
    excess_only: bool = False
    loss_share: float = 0.0
    minimum_loss_rate: float = 0.0
    loss_cap: float = np.inf

    def __post_init__(self) -> None:
        shares = (self.share, self.loss_share)
        rates = (self.minimum_rate, self.minimum_loss_rate, self.cap, self.loss_cap)
        if not all(0.0 <= s <= 1.0 for s in shares) or not all(r >= 0.0 for r in rates):
            raise LedgerError(
                "Shares of a shared-savings contract lie between 0 and 1, its rates and caps at 0 or more."
            )

    def payment_rate(self, saving_rate: FloatArray | float) -> FloatArray:
        r"""Return what is paid to the provider as a share of the benchmark, negative for a loss.

        .. math:: pay = \min(share \cdot (s - e), cap) \text{ if } s \ge MSR, \quad e = 0 \text{ or } MSR

        Parameters: `saving_rate` = (benchmark - actual) / benchmark, any shape. A rate exactly at the minimum pays.

        >>> SharedSavings(0.5, 0.01).payment_rate(np.array([0.009, 0.01, 0.012])).tolist()
        [0.0, 0.005, 0.006]
        """
        s = np.asarray(saving_rate, dtype=float)
        gain = np.minimum(self.share * (s - self.minimum_rate * self.excess_only), self.cap)
        loss = np.minimum(self.loss_share * -s, self.loss_cap)
        # rates are quotients of euros: a millionth of a basis point below the minimum is rounding, not a miss
        reached, lost = s >= self.minimum_rate - 1e-10, -s >= self.minimum_loss_rate - 1e-10
        return np.where(reached & (s > 0.0), gain, 0.0) - np.where(lost & (s < 0.0), loss, 0.0)


@dataclass(frozen=True, slots=True)
class ContractUnderNoise:
    """What a one-sided contract does when the saving is estimated with error.

    `probability` of a payment, `expected` payment and `overpayment` beyond the share of the true saving, as shares of
    the benchmark.
    """

    probability: float
    expected: float
    overpayment: float


def under_noise(true_rate: float, std_error: float, share: float, minimum_rate: float) -> ContractUnderNoise:
    r"""Return chance and size of payment when the estimated saving rate is normal around the true one.

    .. math:: P = 1-\Phi(a), \quad E = share\,(\mu P + \sigma\phi(a)), \quad a = (MSR-\mu)/\sigma

    for a one-sided contract from the first euro. With no true saving every payment is a payment for noise. Raises
    ``LedgerError`` for a standard error of zero.

    >>> round(under_noise(0.0, 0.009, 0.5, 0.01).probability, 3)
    0.133
    """
    from scipy.special import ndtr

    if std_error <= 0.0:
        raise LedgerError("The standard error of the saving rate must be positive.")
    a = (minimum_rate - true_rate) / std_error
    density = np.exp(-0.5 * a**2) / np.sqrt(2.0 * np.pi)
    probability = float(ndtr(-a))
    expected = float(share * (true_rate * probability + std_error * density))
    return ContractUnderNoise(probability, expected, expected - share * true_rate)


def minimum_rate_for(std_error: float, false_payment: float) -> float:
    r"""Return the minimum savings rate at which a programme without effect is paid with a given chance.

    .. math:: MSR = \sigma\,\Phi^{-1}(1-\alpha)

    Raises ``LedgerError`` for a standard error of zero or a chance outside 0-1.

    >>> round(minimum_rate_for(0.009, 0.10), 5)
    0.01153
    """
    from scipy.special import ndtri

    if not 0.0 < false_payment < 1.0 or std_error <= 0.0:
        raise LedgerError("Give a positive standard error and a chance of false payment between 0 and 1.")
    return float(std_error * ndtri(1.0 - false_payment))


def pays_both_ways(payment: FloatArray, true_rate: FloatArray) -> tuple[float, float]:
    """Return the share of draws paid without a true saving, and the share unpaid with one.

    Parameters: `payment` and `true_rate` (S,), one row a draw.

    >>> pays_both_ways(np.array([1.0, 0.0]), np.array([0.0, 0.02]))
    (0.5, 0.5)
    """
    paid = payment > 0.0
    return float((paid & (true_rate <= 0.0)).mean()), float((~paid & (true_rate > 0.0)).mean())
