"""ReportFigure: a closed picture with its alternative text and caption; the same table gives the same bytes."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1c2733"
QUIET = "#66727f"
FAINT = "#d5dbe1"
ACCENT = "#0b5c8a"


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """One published figure as SVG bytes, drawn from the table `id` names."""

    id: str
    caption: str
    alt: str
    svg: bytes

    def __repr__(self) -> str:
        """Say what the figure shows; pictures are compared through the table they are drawn from."""
        return f"{self.caption} [{self.id}]\n{self.alt}"

    def _repr_html_(self) -> str:
        source = base64.b64encode(self.svg).decode("ascii")
        return (
            f'<figure id="figure-{escape(self.id)}"><figcaption>{escape(self.caption)}</figcaption>'
            f'<img alt="{escape(self.alt)}" src="data:image/svg+xml;base64,{source}"></figure>'
        )


@contextmanager
def canvas(rows: int = 1, columns: int = 1, width: float = 7.2, height: float = 3.4, **share: Any) -> Iterator[Any]:
    """Give a figure and its axes in the report's style, without touching the state of pyplot.

    Style and fonts hold inside the block only, so a figure must be finished and closed (`closed`) there.
    """
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.figure import Figure

    style = {
        **sns.axes_style("ticks"),
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "axes.titlesize": 9,
        "axes.labelsize": 8.5,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.edgecolor": QUIET,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.unicode_minus": True,
        "svg.hashsalt": "mtvp",
        "svg.fonttype": "path",
        "path.simplify": True,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(rows, columns, squeeze=False, **share)


def closed(figure: Figure) -> bytes:
    """Return the finished figure as SVG: no date, no maker, settled, so equal tables give equal bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return settled(buffer.getvalue().decode("utf-8")).encode("utf-8")


_MADE_ID = re.compile(r"\b([a-zA-Z]{1,2})([0-9a-f]{10})\b")
_PLACE = re.compile(r"( (?:d|x|y)=\"[^\"]*\"|translate\([^)]*\))")
_DECIMALS = re.compile(r"-?\d+\.\d{3,}")


def settled(svg: str) -> str:
    """Return the picture with places to a hundredth of a point and ids in the order in which they come.

    Processors differ in the last digits of a sum. In full precision these would change the bytes of a picture that
    looks the same, and the ids that are made from its places.

    >>> settled('<path id="m0123456789" d="M 1.000000001 -0.0004"/><use xlink:href="#m0123456789" x="2.345678"/>')
    '<path id="m1" d="M 1 0"/><use xlink:href="#m1" x="2.35"/>'
    """
    order: dict[str, str] = {}
    for found in _MADE_ID.finditer(svg):
        order.setdefault(found.group(0), f"{found.group(1)}{len(order) + 1}")
    renamed = _MADE_ID.sub(lambda found: order[found.group(0)], svg)
    return _PLACE.sub(lambda place: _DECIMALS.sub(_hundredths, place.group(0)), renamed)


def _hundredths(found: re.Match[str]) -> str:
    return f"{round(float(found.group(0)), 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def palette(n: int) -> list[tuple[float, float, float]]:
    """Return n colours that colour-blind readers can tell apart."""
    import seaborn as sns

    return list(sns.color_palette("colorblind", n))
