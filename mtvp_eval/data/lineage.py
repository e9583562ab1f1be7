"""Practices that merged, split or were taken over are followed as one family, with the draw they had before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, frozen
from mtvp_eval.clock import NEVER
from mtvp_eval.data.extracts import Extract
from mtvp_eval.data.panel import LineageRow, Panel

if TYPE_CHECKING:
    from mtvp_eval.data.link import Linked

SUMMED = ("registered_patients", "fte_gp")
"""Outcomes that are numbers of people: those of a family are added. All others are means by registered patients."""


def families(n: int, one: IntArray, other: IntArray) -> IntArray:
    """Return (n,) the smallest position among all that rows (`one`, `other`) join, directly or through others.

    >>> families(6, np.array([0, 1, 4]), np.array([2, 2, 5])).tolist()
    [0, 0, 0, 3, 4, 4]
    """
    head = np.arange(n)
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        low, high = sorted((int(head[a]), int(head[b])))
        head[head == high] = low
    return head


def followed(y: FloatArray, size: FloatArray, family: IntArray, added: bool) -> FloatArray:
    """Return a family's outcome (F, T): the sum of its members, or their mean by patients; NaN where none is observed.

    Parameters: `y`, `size` (n, T) outcome and registered patients; `family` (n,) numbers from 0; `added` for counts.

    >>> y, size = np.array([[1.0, 1.0], [3.0, np.nan]]), np.array([[300.0, 400.0], [100.0, np.nan]])
    >>> followed(y, size, np.array([0, 0]), added=False).tolist()
    [[1.5, 1.0]]
    """
    F, seen = int(family.max()) + 1, np.isfinite(y) & (added | np.isfinite(size))
    weight = np.where(seen, 1.0 if added else np.nan_to_num(size), 0.0)
    total, share = np.zeros((F, y.shape[1])), np.zeros((F, y.shape[1]))
    np.add.at(total, family, np.where(seen, y, 0.0) * weight)
    np.add.at(share, family, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share > 0, total if added else total / share, np.nan)


def follow_lineage(linked: Linked, lineage: Extract, summed: Collection[str] = SUMMED) -> Linked:
    """Return the linked data with every family of practices as one unit; changes after the last quarter are ignored.

    A family keeps the draw, application and block of its first member that applied; its entry is the earliest. A family
    whose members were drawn in different rounds belongs to no round: it is left out and counted. Its practices stand
    apart as they were drawn, with figures up to the first change only, so that bounds (`pipeline.attrition`) can say
    what that may do. The history keeps every practice, since all had their own ticket.
    """
    story, panel = linked.history, linked.panel
    one, other = (_places(story.practice_ids.tolist(), lineage.columns[name].tolist()) for name in _ENDS)
    use = (one >= 0) & (other >= 0) & (lineage.columns["quarter"] <= panel.clock[-1])
    head = families(len(story.practice_ids), one[use], other[use])
    label = head[linked.rows]
    if len(np.unique(label)) == len(label) and not _apart(head, story.drawn).any():
        return linked
    heads, family = np.unique(label, return_inverse=True)
    row = np.array([_first(np.flatnonzero(label == h), linked.rows, story.applied) for h in heads], dtype=np.int64)
    merged = _merged(linked, family.astype(np.int64), row, summed)
    keep = ~_apart(head, story.drawn)[heads]
    lost = _until_change(panel, ~keep[family], head[linked.rows], head[one[use]], lineage.columns["quarter"][use])
    joined = LineageRow("family", "merged, split or taken over: followed as one", len(heads), len(label) - len(heads))
    apart = LineageRow(
        "drawn_apart", "merged practices that were drawn in different rounds", int(keep.sum()), int((~keep).sum())
    )
    panel = replace(merged, lineage=(*panel.lineage, joined)).restrict(keep, apart.step, apart.reason)
    size = followed(linked.list_size, linked.list_size, family.astype(np.int64), added=True)[keep]
    steps = tuple(linked.account[0].__class__("practices", s.step, s.reason, s.lost, s.units) for s in (joined, apart))
    return replace(
        linked, panel=panel, rows=frozen(linked.rows[row[keep]]), list_size=frozen(size),
        account=(*linked.account, *steps), drawn_apart=lost,
    )  # fmt: skip


def _until_change(
    panel: Panel, apart: BoolArray, head: IntArray, changed: IntArray, quarter: FloatArray
) -> Panel | None:
    """Return the practices (n,) drawn apart from their family, without what was observed from its first change on."""
    if not apart.any():
        return None
    first = np.full(int(max(head.max(), changed.max())) + 1, NEVER, dtype=np.int64)
    np.minimum.at(first, changed, quarter.astype(np.int64))
    own = panel.restrict(apart, "drawn_apart", "merged with practices drawn in another round")
    known = panel.clock[None] < first[head[apart]][:, None]
    return replace(own, outcomes={name: np.where(known, y, np.nan) for name, y in own.outcomes.items()})


_ENDS = ("practice_id", "successor_id")


def _places(ids: list[object], wanted: list[object]) -> IntArray:
    place = {name: i for i, name in enumerate(ids)}
    return np.array([place.get(name, -1) for name in wanted], dtype=np.int64)


def _apart(head: IntArray, drawn: IntArray) -> BoolArray:
    """Return (N,) at the head of each family: whether members won in different rounds."""
    apart = np.zeros(len(head), dtype=np.bool_)
    for h in np.unique(head):
        rounds = drawn[(head == h) & (drawn != NEVER)]
        apart[h] = len(np.unique(rounds)) > 1
    return apart


def _first(members: IntArray, rows: IntArray, applied: IntArray) -> int:
    """Return the member of the panel that applied first (the first listed among equals)."""
    return int(members[np.argmin(applied[rows[members]])])


def _merged(linked: Linked, family: IntArray, row: IntArray, summed: Collection[str]) -> Panel:
    panel, size = linked.panel, linked.list_size
    assert panel.entry is not None
    entry = np.full(len(row), NEVER, dtype=np.int64)
    np.minimum.at(entry, family, panel.entry)
    outcomes = {name: followed(y, size, family, name in summed) for name, y in panel.outcomes.items()}
    freeze = np.flatnonzero(panel.clock <= linked.frozen_at)
    there = np.isfinite(size[:, freeze[-1]]) if len(freeze) else np.zeros(len(family), dtype=np.bool_)
    weight = np.bincount(family, np.where(there, panel.weight, 0.0), len(row)).astype(np.float64)
    weight = np.where(weight > 0, weight, panel.weight[row])  # nobody there at the freeze: the member that applied
    baseline: Mapping[str, FloatArray] = {name: x[row] for name, x in panel.baseline.items()}
    if "log_list_size" in baseline:
        baseline = {**baseline, "log_list_size": np.log(weight)}
    return replace(
        panel, unit_ids=panel.unit_ids[row], outcomes=outcomes, weight=weight, cluster=panel.cluster[row],
        baseline=baseline, entry=entry, ended=_ended(panel, family, len(row)),
    )  # fmt: skip


def _ended(panel: Panel, family: IntArray, size: int) -> IntArray | None:
    """Return when the last enrolled member of each family stopped, `NEVER` if one goes on or none enrolled."""
    if panel.ended is None or panel.entry is None:
        return None
    enrolled = panel.entry != NEVER
    last = np.full(size, -1, dtype=np.int64)
    np.maximum.at(last, family[enrolled], panel.ended[enrolled])
    return np.where(last < 0, NEVER, last)
