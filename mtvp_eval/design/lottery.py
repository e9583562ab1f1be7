"""LotteryDesign: a staggered design whose entries were drawn within blocks (region x application round)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray, frozen
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import DesignError


@dataclass(frozen=True, slots=True, eq=False)
class LotteryDesign:
    """Hold who was drawn when, within which block, and by which rule.

    Parameters
    ----------
    staggered : entries as they happened, sizes, clock.
    block : (n,) labels; only units of one block were drawn against each other.
    drawn_entry : (n,) entry the draw gave, on the clock; may differ from the entry that happened.
    rule : the rule of the draw (see ``design.draw``), or None where it is not declared.
    no_lottery : (n,) True where everybody who applied could start (an undersubscribed round is no lottery).
    entry_probability : (n, T + 1) replayed chance of each entry, never last; None until replayed.

    Raises
    ------
    DesignError
        If a shape does not fit the number of units.

    Example
    -------
    >>> design = StaggeredDesign(np.array(list("abcd"), dtype=object), np.array([3, 4, 3, 4]), np.array([1, 2, 3, 4]))
    >>> lottery = LotteryDesign(design, np.array(["r1", "r1", "r2", "r2"], dtype=object), design.entry)
    >>> [label for label, mask in lottery.blocks()]
    ['r1', 'r2']
    """

    staggered: StaggeredDesign
    block: ObjectArray
    drawn_entry: IntArray
    rule: Any = None
    no_lottery: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    entry_probability: FloatArray | None = None

    def __post_init__(self) -> None:
        n = self.staggered.n_units
        no_lottery = self.no_lottery if self.no_lottery.size else np.zeros(n, dtype=np.bool_)
        lengths = {len(self.block), len(self.drawn_entry), len(no_lottery)}
        if self.entry_probability is not None:
            lengths.add(len(self.entry_probability))
        if lengths != {n}:
            raise DesignError(f"The draw describes {sorted(lengths)} units, the design holds {n}.")
        object.__setattr__(self, "block", frozen(np.asarray(self.block, dtype=object)))
        object.__setattr__(self, "drawn_entry", frozen(np.asarray(self.drawn_entry, dtype=np.int64)))
        object.__setattr__(self, "no_lottery", frozen(no_lottery))

    def blocks(self) -> Iterator[tuple[Any, BoolArray]]:
        """Yield each block's label and (n,) mask, in order of first appearance."""
        for label in dict.fromkeys(self.block.tolist()):
            yield label, self.block == label

    def drawn_blocks(self) -> tuple[Any, ...]:
        """Return the blocks in which a draw separated units: a lottery was held and at least two entries were drawn."""
        return tuple(
            label
            for label, mask in self.blocks()
            if not self.no_lottery[mask].any() and len(np.unique(self.drawn_entry[mask])) > 1
        )

    def restrict(self, keep: BoolArray) -> LotteryDesign:
        """Return the design of the kept units."""
        chance = self.entry_probability
        return LotteryDesign(
            self.staggered.restrict(keep), self.block[keep], self.drawn_entry[keep], self.rule, self.no_lottery[keep],
            None if chance is None else chance[keep],
        )  # fmt: skip
