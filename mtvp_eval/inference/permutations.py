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
    m, label = len(labels), np.uint32(2 ** int(labels.max()).bit_length() - 1)
    pairs = rng.integers(0, 2**64, size=-(-draws * m // 2), dtype=np.uint64)  # twice as quick as single keys
    keys = pairs.view(np.uint32)[: draws * m].reshape(draws, m)
    keys &= ~label
    keys |= labels.astype(np.uint32)
    keys.sort(axis=1)
    flat = keys.reshape(-1)
    later = np.flatnonzero((flat[1:] ^ flat[:-1]) <= label) + 1  # those with the key of the one before them
    later = later[later % m != 0]
    out = keys.astype(np.int8)  # the last byte of each, of which the label is kept
    out &= np.int8(label)
    if len(later):
        tied = np.union1d(later, later - 1)
        run = np.cumsum(~np.isin(tied, later))
        out.reshape(-1)[tied] = out.reshape(-1)[tied[np.lexsort((rng.random(len(tied)), run))]]
    return out
