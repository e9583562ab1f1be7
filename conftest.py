"""Compare notebooks with their stored outputs: text exactly, numbers within 1e-6 (pytest --nbval FOLDER).

nbval compares text only, and passes a notebook whose outputs were stripped. Here the last digits may differ, as they
do between processors, and a cell that was never run is an error. This file stands at the root because it serves both
`notebooks/` and `reports/`.
"""

from __future__ import annotations

import math
import re
from typing import Any

from nbformat import NotebookNode
from nbval.plugin import IPyNbCell

# Digits inside a word (2023Q2) are text, and so is the dash of a range (2023-2024).
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
PICTURE = re.compile(r"data:image/[^\"']+|<svg\b.*?</svg>", re.DOTALL)
BARE_OBJECT = re.compile(r"<[^\n]*>")  # <Figure size 640x480>, <IPython.core.display.HTML object>

RELATIVE = 1e-6  # processors differ by some 1e-14; a change that a reader could see is larger than this
ABSOLUTE = 1e-12  # sums that are zero on paper have no relative precision


def same_number(one: str, other: str) -> bool:
    """Whole numbers are counts and must be equal; others may differ in the last digits."""
    if one == other:
        return True
    if one.lstrip("+-").isdigit() and other.lstrip("+-").isdigit():
        return False
    return math.isclose(float(one), float(other), rel_tol=RELATIVE, abs_tol=ABSOLUTE)


class Output(str):
    """A stored or a new output, equal to another if text and numbers agree; white space does not count."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        mine, theirs = str(self), str(other)
        text, other_text = (" ".join(NUMBER.sub(" # ", t).split()) for t in (mine, theirs))
        return text == other_text and all(map(same_number, NUMBER.findall(mine), NUMBER.findall(theirs)))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def readable(output: NotebookNode) -> NotebookNode:
    """Leave out pictures, and of plain text and HTML the one that says less."""
    if "data" not in output:
        return output
    data = {kind: content for kind, content in output.data.items() if not kind.startswith("image/")}
    if "text/html" in data and "text/plain" in data:
        del data["text/plain" if BARE_OBJECT.fullmatch(data["text/plain"]) else "text/html"]
    return NotebookNode({**output, "data": data})


class StrictCell(IPyNbCell):
    """A notebook cell that must have been run before, compared with tolerance in its numbers."""

    def sanitize(self, s: Any) -> Any:
        """Called by nbval on every piece of output before it compares."""
        return Output(PICTURE.sub("picture", s)) if isinstance(s, str) else s

    def compare_outputs(self, test: list[NotebookNode], ref: list[NotebookNode], skip_compare: Any = None) -> bool:
        """Compare what a reader sees in words and numbers."""
        return bool(super().compare_outputs([readable(o) for o in test], [readable(o) for o in ref], skip_compare))

    def runtest(self) -> None:
        """Refuse a cell without stored outputs, which nbval would only run."""
        if self.cell.execution_count is None:
            self.raise_cell_error("This cell has no stored outputs. Run the notebook and store it with its outputs.")
        super().runtest()


def pytest_itemcollected(item: Any) -> None:
    """Make every cell that nbval collects a strict one."""
    if type(item) is IPyNbCell:
        item.__class__ = StrictCell
