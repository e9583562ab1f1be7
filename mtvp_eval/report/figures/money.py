"""Figure of money: what each party gains or loses."""

from __future__ import annotations

import numpy as np

from mtvp_eval.report.figure import FAINT, QUIET, ReportFigure, canvas, closed, palette
from mtvp_eval.report.labels import euro, number, text
from mtvp_eval.report.table import ReportTable


def parties(table: ReportTable) -> ReportFigure:
    """Draw the net gain of each party; losses to the left, in another colour."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    frame, language = table.frame, table.language
    net = frame["net"].to_numpy(float)
    y = np.arange(len(net))[::-1]
    gain, loss = palette(2)
    with canvas(height=0.8 + 0.34 * len(net)) as (figure, axes):
        ax = axes[0, 0]
        ax.barh(y, net, height=0.62, color=[gain if value >= 0 else loss for value in net])
        ax.axvline(0, color=QUIET, linewidth=0.8)
        reach = max(float(np.abs(net).max(initial=0.0)), 1.0)
        for at, value in zip(y, net, strict=True):
            side = 1 if value >= 0 else -1
            ax.text(
                value + side * 0.02 * reach, at, euro(value, language, signed=True), va="center",
                ha="left" if side > 0 else "right", fontsize=8,
            )  # fmt: skip
        ax.set_xlim(min(net.min(initial=0.0), 0) - 0.28 * reach, max(net.max(initial=0.0), 0) + 0.28 * reach)
        ax.set_yticks(y, [str(p) for p in frame["party_text"]])
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x", color=FAINT, linewidth=0.6)
        ax.set_axisbelow(True)
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language)))
        ax.set_xlabel(text("figure.parties.axis", language))
        svg = closed(figure)
    return ReportFigure(
        "parties",
        text("figure.parties.caption", language),
        text(
            "figure.parties.alt", language, n=len(net), gain=int((net > 0).sum()), lose=int((net < 0).sum()),
            table=table.id,
        ),
        svg,
    )  # fmt: skip
