"""One outcome of the dictionary from the extracts, or what it needs and the extracts do not hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.data.extracts import Extracts
from mtvp_eval.data.measures import Cells, CostCube, grid, ratio
from mtvp_eval.dictionary.schema import Outcome


def outcome_values(
    outcome: Outcome, extracts: Extracts, cells: Mapping[str, Cells], cube: CostCube | None
) -> tuple[FloatArray, str]:
    """Return the outcome (n, T) and an empty text, or NaN throughout and what was not supplied.

    `cells` gives each table's rows their place in the panel; `cube` holds the costs, None without a cost extract.
    """
    shape = cells["activity"].shape
    reason = _not_supplied(outcome, extracts, cube)
    if reason:
        return np.full(shape, np.nan), reason
    table = extracts.tables[outcome.table].columns
    if outcome.kind == "cost" and cube is not None:
        values = cube.rate(outcome.sectors)
    elif outcome.kind == "survey":
        place = cells[outcome.table]
        asked = table["indicator"] == outcome.indicator
        values = grid(Cells(np.where(asked, place.unit, -1), place.period, shape), table["score"])
    else:
        values = grid(cells[outcome.table], table[outcome.numerator])
        if outcome.kind == "ratio":
            values = ratio(outcome.multiplier, values, grid(cells[outcome.table], table[outcome.denominator]))
    return values, "" if np.isfinite(values).any() else "no value for the practices and quarters of the panel"


def _not_supplied(outcome: Outcome, extracts: Extracts, cube: CostCube | None) -> str:
    """Name what an outcome needs and the extracts do not hold; nothing if all is there."""
    if outcome.table not in extracts.tables:
        return f"table {outcome.table}"
    extract = extracts.tables[outcome.table]
    if outcome.kind == "cost":
        there = () if cube is None else cube.supplied(outcome.sectors).tolist()
        absent = [sector for sector, found in zip(outcome.sectors, there, strict=True) if not found]
        return f"sector {', '.join(absent)}" if absent else ""
    if outcome.kind == "survey":
        asked = extract.columns["indicator"] == outcome.indicator
        return "" if asked.any() else f"indicator {outcome.indicator}"
    needed = [name for name in (outcome.numerator, outcome.denominator) if name]
    absent = [name for name in needed if name in extract.report.not_supplied]
    return f"column {', '.join(absent)}" if absent else ""
