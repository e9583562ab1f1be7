"""Stack effects of several outcomes, regions or methods into one object with their joint covariance.

Source: joint covariance of estimators with influence functions on common units, as in Zellner (1962) for regressions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtvp_eval.arrays import IntArray
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimators.results import EffectEstimates


def stack(*effects: EffectEstimates, sampling: str | None = None, correction: str | None = None) -> EffectEstimates:
    r"""Return all entries as one object over the union of units.

    Units absent from one set get influence zero there, and each :math:`\psi_k` is rescaled by n/n_k; so every diagonal
    equals the separate fit, and the off-diagonal is the first-order covariance through the units in common.

    Parameters
    ----------
    effects : one or more sets; a key may occur once.
    sampling, correction : what the whole is declared to be; needed only where the sets differ.

    Raises
    ------
    EstimationError
        If the sets differ in sampling or correction and none is asked for, a key repeats, or a unit's cohort differs
        between sets.

    Example
    -------
    >>> from mtvp_eval.estimators.results import EffectKey
    >>> one, two = (EffectEstimates((EffectKey(name, "overall"),), np.array([1.0]), np.array(list(ids), dtype=object),
    ...     np.array([[3.0], [-3.0]]), np.array([0, 0])) for name, ids in (("consults", "ab"), ("cost", "bc")))
    >>> (stack(one, two).covariance() * 2).round(3).tolist()
    [[9.0, -4.5], [-4.5, 9.0]]
    """
    declared = [
        _agreed("sampling", [e.sampling for e in effects], sampling),
        _agreed("correction", [e.correction for e in effects], correction),
    ]
    index = tuple(key for e in effects for key in e.index)
    if len(set(index)) < len(index):
        raise EstimationError(f"{len(index) - len(set(index))} effects occur twice in the sets to stack.")
    place: dict[object, int] = {}
    for e in effects:
        for unit in e.unit_ids.tolist():
            place.setdefault(unit, len(place))
    n = len(place)
    influence, member = np.zeros((n, len(index))), np.zeros((n, len(index)), dtype=np.bool_)
    leveraged = None if all(e.leveraged is None for e in effects) else np.zeros_like(influence)
    stratum = np.full(n, -1, dtype=np.int64)
    unit_ids = np.empty(n, dtype=object)
    unit_ids[:] = list(place)
    cluster = unit_ids.copy()
    column = 0
    for e in effects:
        rows = np.array([place[unit] for unit in e.unit_ids.tolist()], dtype=np.int64)
        columns = slice(column, column + len(e))
        influence[rows, columns] = e.influence * (n / e.n_units)
        if leveraged is not None:
            leveraged[rows, columns] = (e.influence if e.leveraged is None else e.leveraged) * (n / e.n_units)
        member[rows, columns] = True if e.member is None else e.member
        stratum[rows] = _joined_strata(stratum[rows], e.stratum, int(stratum.max()) + 1)
        if e.cluster is not None:
            cluster[rows] = e.cluster
        column += len(e)
    return EffectEstimates(
        index, np.concatenate([e.estimate for e in effects]), unit_ids, influence, stratum,
        cluster if any(e.cluster is not None for e in effects) else None, declared[0], declared[1],
        " + ".join(dict.fromkeys(e.method for e in effects)), tuple(r for e in effects for r in e.no_error),
        None if member.all() else member, tuple(dict.fromkeys(note for e in effects for note in e.notes)),
        leveraged=leveraged,
    )  # fmt: skip


def _agreed(what: str, values: Sequence[str], asked: str | None) -> str:
    if asked is None and len(set(values)) > 1:
        raise EstimationError(
            f"Effects with different {what} ({', '.join(sorted(set(values)))}) have no common covariance; "
            f"state {what}= to treat them as one."
        )
    return values[0] if asked is None else asked


def _joined_strata(known: IntArray, new: IntArray, free: int) -> IntArray:
    """Return the strata of new units in known numbers: shared units say which number is which."""
    seen = known >= 0
    pairs = np.unique(np.column_stack([new[seen], known[seen]]), axis=0)
    if len(pairs) > len(np.unique(pairs[:, 0])) or len(pairs) > len(np.unique(pairs[:, 1])):
        raise EstimationError("Units of one cohort in one set belong to several cohorts in another: not one design.")
    number = {int(a): int(b) for a, b in pairs}
    for code in np.unique(new).tolist():
        if code not in number:
            number[code] = free
            free += 1
    return np.array([number[code] for code in new.tolist()], dtype=np.int64)
