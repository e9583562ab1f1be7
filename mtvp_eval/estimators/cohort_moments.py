r"""Known weights on the mean paths of cohorts: estimate, variance and influence from two moments of each cohort.

.. math:: \hat\theta_k = \sum_g a_{kg}'\bar Y_g, \qquad
          \psi_{ik} = \frac{n w_i}{W_g} (a_{kg}'u_i + d_{kg}), \qquad
          \sum_{i \in g} \psi_{ik}\psi_{il} = \frac{n^2}{W_g^2}\, (a_{kg}, d_{kg})\, M_g\, (a_{lg}, d_{lg})', \qquad
          M_g = \sum_{i \in g} w_i^2 (u_i, 1)(u_i, 1)'

with u_i the outcomes of a unit less the mean path of its cohort and its own mean over periods: weights that sum to zero
over periods, as those of methods with unit effects do, do not see it. So a variance needs no pass over the units for
each estimate, and influence values are made where somebody asks for them.

Source: algebra of weighted cohort means; Roth & Sant'Anna (2023), section 3, for the centre at the cohort mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray, by_group, frozen


@dataclass(frozen=True, slots=True, eq=False)
class CohortMoments:
    """Hold complete outcomes y (n, T), weights w (n,), the units of each of G cohorts, and the moments of each cohort.

    ``means`` (G, T) are weighted, ``total`` (G,) is the sum of weights, ``second`` (G, T + 1, T + 1) is M above.
    """

    y: FloatArray
    w: FloatArray
    members: list[IntArray]
    means: FloatArray
    total: FloatArray
    second: FloatArray

    @classmethod
    def of(cls, y: FloatArray, w: FloatArray, cohort: IntArray) -> CohortMoments:
        """Return the moments of complete outcomes of ``cohort`` (n,), from 0 on; one by one, each within the cache.

        >>> found = CohortMoments.of(np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([1.0, 3.0]), np.array([0, 0]))
        >>> found.means.tolist(), found.second[0].tolist()
        ([[2.5, 5.0]], [[1.125, -1.125, -1.5], [-1.125, 1.125, 1.5], [-1.5, 1.5, 10.0]])
        """
        T, total = y.shape[1], np.bincount(cohort, w).astype(np.float64)
        members = by_group(cohort, len(total))
        plain = bool((w == 1).all())
        means, second = np.empty((len(total), T)), np.zeros((len(total), T + 1, T + 1))
        for g, unit in enumerate(members):
            own, weight = y.take(unit, axis=0), w.take(unit)
            means[g] = weight @ own / total[g]
            u = _scores(own, None if plain else weight, means[g])
            second[g, :T, :T] = u.T @ u
            second[g, T, T] = weight @ weight
            if not plain:  # else u sums to zero
                second[g, :T, T] = second[g, T, :T] = weight @ u
        return cls(y, w, members, means, total, second)

    def scores(self, block: int = 4096) -> Iterator[tuple[int, IntArray, FloatArray]]:
        """Yield cohort by cohort its number, the units (N,) of a ``block`` at most, and w times u (N, T) of them."""
        for g, (mean, own) in enumerate(zip(self.means, self.members, strict=True)):
            for start in range(0, len(own), block):
                unit = own[start : start + block]
                yield g, unit, _scores(self.y.take(unit, axis=0), self.w.take(unit), mean)

    def estimates(self, weights: FloatArray) -> FloatArray:
        """Return the (K,) estimates with ``weights`` (K, G, T) on the means."""
        return np.asarray(np.tensordot(weights, self.means, axes=2), dtype=np.float64)


def _scores(own: FloatArray, weight: FloatArray | None, mean: FloatArray) -> FloatArray:
    """Turn outcomes ``own`` (N, T) of a cohort, in place, into w times u; into u where no ``weight`` is given."""
    own -= mean
    own -= (own @ np.full(len(mean), 1 / len(mean)))[:, None]
    if weight is not None:
        own *= weight[:, None]
    return own


@dataclass(frozen=True, eq=False)
class CohortInfluence:
    """Hold the influence of K estimates in closed form.

    Parameters
    ----------
    moments : of the cohorts; n units.
    weights : (K, G, T) a; each sums to zero over periods.
    shift : (K, G) d, what is added to every unit of a cohort.

    Example
    -------
    >>> moments = CohortMoments.of(np.array([[1.0, 2.0], [3.0, 6.0]]), np.ones(2), np.array([0, 0]))
    >>> found = CohortInfluence(moments, np.array([[[-1.0, 1.0]]]), np.zeros((1, 1)))
    >>> moments.estimates(found.weights).tolist(), found.values.tolist(), found.squares().tolist()
    ([2.0], [[-1.0], [1.0]], [[2.0]])
    """

    moments: CohortMoments
    weights: FloatArray
    shift: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of units and of estimates."""
        return len(self.moments.y), len(self.weights)

    @cached_property
    def values(self) -> FloatArray:
        """(n, K) influence values, made on first use."""
        moments, psi = self.moments, np.empty(self.shape)
        for g, unit, score in moments.scores():
            factor = len(psi) / moments.total[g]
            own = score @ (factor * self.weights[:, g].T)
            if self.shift[:, g].any():
                own += np.multiply.outer(moments.w[unit], factor * self.shift[:, g])
            psi[unit] = own
        return frozen(psi)

    def squares(self) -> FloatArray:
        """Return (G, K) the sum of squared influence values over each cohort."""
        a, M = self._by_cohort()
        return np.asarray(np.maximum(np.einsum("gkt,gkt->gk", a @ M, a), 0.0), dtype=np.float64)

    def products(self) -> FloatArray:
        """Return (G, K, K) the sum of products of influence values over each cohort."""
        a, M = self._by_cohort()
        return np.asarray(a @ M @ a.transpose(0, 2, 1), dtype=np.float64)

    def _by_cohort(self) -> tuple[FloatArray, FloatArray]:
        """Return n / W times (a, d), (G, K, T + 1), and M."""
        K, G, T = self.weights.shape
        a = np.empty((G, K, T + 1))
        a[:, :, :T], a[:, :, T] = self.weights.transpose(1, 0, 2), self.shift.T
        a *= (len(self.moments.y) / self.moments.total)[:, None, None]
        return a, self.moments.second

    def combine(self, matrix: FloatArray) -> CohortInfluence:
        """Return the influence of combinations ``matrix`` (J, K) of the estimates."""
        return replace(self, weights=np.tensordot(matrix, self.weights, axes=1), shift=matrix @ self.shift)

    def take(self, rows: list[int]) -> CohortInfluence:
        """Return the influence of the estimates at the given places."""
        return replace(self, weights=self.weights[rows], shift=self.shift[rows])

    def shifted(self, gap: FloatArray) -> CohortInfluence:
        """Return the influence with ``gap`` (G, K) added to d."""
        return replace(self, shift=self.shift + gap.T)
