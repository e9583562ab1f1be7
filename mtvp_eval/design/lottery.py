"""LotteryDesign: units drawn against each other within blocks (region x application round)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, IntArray, ObjectArray, frozen
from mtvp_eval.design.rules import DrawRule
from mtvp_eval.design.staggered import BasePeriod, Cell, EstimabilityRow, StaggeredDesign
from mtvp_eval.errors import DesignError


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Hold one block in which a draw separated units: its label, its (n,) mask among all units, its own design."""

    label: Any
    mask: BoolArray
    design: StaggeredDesign

    def places(self, cells: Sequence[Cell]) -> list[int]:
        """Return which of the cells the block identifies: a cohort of its own, with others to compare with."""
        own = np.isin(np.array([g for g, _ in cells], dtype=np.int64), self.design.cohorts[:-1])
        compared = self.design.comparisons(cells, BasePeriod.UNIVERSAL).any(axis=1)
        return [int(j) for j in np.flatnonzero(own & compared)]


@dataclass(frozen=True, slots=True, eq=False)
class LotteryDesign:
    """Hold who was drawn when, within which block, and by which rule.

    Cells are identified by lottery in a block in which the draw gave at least two entries; a cell of the whole design
    averages its blocks by the number of treated units (or patients), which is known before any outcome.

    Parameters
    ----------
    staggered : entries as they happened, sizes, clock, comparison.
    block : (n,) labels; only units of one block were drawn against each other.
    drawn_entry : (n,) entry the draw gave, on the clock; may differ from the entry that happened.
    rule : the rule of the draw, or None where it is not declared.
    no_lottery : (n,) True where everybody who applied could start (an undersubscribed round is no lottery).
    entry_probability : (n, T + 1) replayed chance of each entry, never last; None until replayed.
    applied : (n,) round of first application, or None where all applied at once.

    Raises
    ------
    DesignError
        If a shape does not fit the number of units, or a block mixes application rounds: whoever applied later could
        not start earlier, and first applicants need not be like later ones.

    Example
    -------
    >>> design = StaggeredDesign(np.array(list("abcd"), dtype=object), np.array([3, 4, 3, 5]), np.array([1, 2, 3, 4]))
    >>> lottery = LotteryDesign(design, np.array(["r1", "r1", "r2", "r2"], dtype=object), design.entry)
    >>> lottery.identified_cells(), lottery.cell_size([(3, 3), (3, 4)], by_size=False).tolist()
    (((3, 2), (3, 3), (3, 4)), [2.0, 1.0])
    """

    staggered: StaggeredDesign
    block: ObjectArray
    drawn_entry: IntArray
    rule: DrawRule | None = None
    no_lottery: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    entry_probability: FloatArray | None = None
    applied: IntArray | None = None
    drawn: tuple[Block, ...] = field(init=False)

    def __post_init__(self) -> None:
        n = self.staggered.n_units
        no_lottery = self.no_lottery if self.no_lottery.size else np.zeros(n, dtype=np.bool_)
        lengths = {len(self.block), len(self.drawn_entry), len(no_lottery)}
        if self.entry_probability is not None:
            lengths.add(len(self.entry_probability))
        if self.applied is not None:
            lengths.add(len(self.applied))
        if lengths != {n}:
            raise DesignError(f"The draw describes {sorted(lengths)} units, the design holds {n}.")
        if self.applied is not None:
            self._refuse_mixed_rounds(self.applied)
        drawn_entry = np.asarray(self.drawn_entry, dtype=np.int64)
        for name, value in (
            ("block", frozen(np.asarray(self.block, dtype=object))),
            ("drawn_entry", frozen(drawn_entry)),
            ("no_lottery", frozen(no_lottery)),
        ):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "drawn", tuple(self._drawn_blocks()))

    @classmethod
    def one_block(cls, staggered: StaggeredDesign, rule: DrawRule | None = None) -> LotteryDesign:
        """Return the design in which all units were drawn against each other and entered as drawn."""
        return cls(staggered, np.full(staggered.n_units, "all", dtype=object), staggered.entry, rule)

    @property
    def clock(self) -> IntArray:
        """(T,) integer time."""
        return self.staggered.clock

    @property
    def anticipation(self) -> int:
        """Periods before entry in which an effect may already show."""
        return self.staggered.anticipation

    @property
    def last_period(self) -> int:
        """Last period in which a block identifies an effect."""
        return max(b.design.last_period for b in self.drawn) if self.drawn else int(self.clock[0])

    def identified_cells(self, base: BasePeriod = BasePeriod.VARYING) -> tuple[Cell, ...]:
        """Return the cells that at least one block identifies by lottery, in order."""
        return tuple(sorted({cell for b in self.drawn for cell in b.design.identified_cells(base)}))

    def cell_size(self, cells: Sequence[Cell], *, by_size: bool) -> FloatArray:
        """Return (C,) the treated units (or patients) of each cell in the blocks that identify it."""
        return self.block_size(cells, by_size=by_size).sum(axis=0)

    def block_size(self, cells: Sequence[Cell], *, by_size: bool) -> FloatArray:
        """Return (B, C) the treated units (or patients) of each cell a drawn block; 0 where the block shows nothing."""
        table = np.zeros((len(self.drawn), len(cells)))
        for row, b in zip(table, self.drawn, strict=True):
            here = b.places(cells)
            row[here] = b.design.cell_size([cells[j] for j in here], by_size=by_size)
        return table

    def estimability(self) -> tuple[tuple[Any, EstimabilityRow], ...]:
        """Return block label and row for every cohort and period: identified by lottery, parallel trends, or not.

        Rows of the whole design carry the label None: what parallel trends would add to the lottery.
        """
        return (
            *((b.label, _by_lottery(row)) for b in self.drawn for row in b.design.estimability()),
            *((None, row) for row in self.staggered.estimability()),
        )

    def restrict(self, keep: BoolArray) -> LotteryDesign:
        """Return the design of the kept units."""
        chance = self.entry_probability
        return LotteryDesign(
            self.staggered.restrict(keep), self.block[keep], self.drawn_entry[keep], self.rule, self.no_lottery[keep],
            None if chance is None else chance[keep], None if self.applied is None else self.applied[keep],
        )  # fmt: skip

    def _refuse_mixed_rounds(self, applied: IntArray) -> None:
        rounds: dict[Any, set[int]] = {}
        for label, number in zip(self.block.tolist(), applied.tolist(), strict=True):
            rounds.setdefault(label, set()).add(number)
        mixed = sum(len(seen) > 1 for seen in rounds.values())
        if mixed:
            raise DesignError(
                f"{mixed} of {len(rounds)} blocks mix application rounds. Units that applied later could not start "
                "earlier, so the draw does not compare them: make one block of each region and application round."
            )

    def _drawn_blocks(self) -> Iterator[Block]:
        whole, labels = self.staggered, self.block.tolist()
        place = {label: j for j, label in enumerate(dict.fromkeys(labels))}
        code = np.array([place[label] for label in labels], dtype=np.int64)
        for label, j in place.items():
            mask = code == j
            entry = np.where(self.drawn_entry > whole.clock[-1], whole.clock[-1] + 1, self.drawn_entry)[mask]
            if self.no_lottery[mask].any() or (entry == entry[0]).all():
                continue
            design = StaggeredDesign(
                whole.unit_ids[mask], entry, whole.clock, whole.comparison, whole.anticipation, whole.size[mask]
            )
            yield Block(label, mask, design)


def _by_lottery(row: EstimabilityRow) -> EstimabilityRow:
    return row if row.reason else replace(row, identified_by="lottery")
