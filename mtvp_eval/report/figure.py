"""ReportFigure: a closed picture with its alternative text and caption; the same table gives the same bytes."""

from __future__ import annotations

import base64
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
    """Return the finished figure as SVG: no date, no maker, ids salted, so equal tables give equal bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return buffer.getvalue()


def palette(n: int) -> list[tuple[float, float, float]]:
    """Return n colours that colour-blind readers can tell apart."""
    import seaborn as sns

    return list(sns.color_palette("colorblind", n))
