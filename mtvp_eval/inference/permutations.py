"""Random permutations of cohort labels by the thousand.

Source: none; a sort by independent uniform keys makes every order equally likely.
"""

from __future__ import annotations

import numpy as np

from mtvp_eval.design.draw import CohortArray


def permutations(labels: CohortArray, rng: np.random.Generator, draws: int) -> CohortArray:
    """Return independent permutations of ``labels`` (m,), (draws, m), every order equally likely.

    Random keys that carry the labels in their last bits are sorted, which is faster than shuffling; labels whose keys
    are equal are shuffled among themselves, so that no order is favoured.

    >>> permutations(np.array([1, 2, 2], dtype=np.int8), np.random.default_rng(0), 2).sum(axis=1).tolist()
    [5, 5]
    """
    bits = int(labels.max()).bit_length()
    pairs = rng.integers(0, 2**64, size=-(-draws * len(labels) // 2), dtype=np.uint64)  # twice as quick as single keys
    keys = pairs.view(np.uint32)[: draws * len(labels)].reshape(draws, len(labels))
    keys <<= np.uint32(bits)
    keys |= labels.astype(np.uint32)
    keys.sort(axis=1)
    out = (keys & np.uint32(2**bits - 1)).astype(np.int8)
    keys >>= np.uint32(bits)
    same = np.zeros(keys.shape, dtype=np.bool_)
    np.equal(keys[:, 1:], keys[:, :-1], out=same[:, 1:])
    later = np.flatnonzero(same)
    if len(later):
        tied = np.union1d(later, later - 1)
        run = np.cumsum(~same.ravel()[tied])
        out.ravel()[tied] = out.ravel()[tied[np.lexsort((rng.random(len(tied)), run))]]
    return out
