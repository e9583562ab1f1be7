"""Figure of the open-data report on trends: what is left of an effect if they had changed after the start."""

from __future__ import annotations

from textwrap import fill

import numpy as np

from mtvp_eval.report.figure import ACCENT, QUIET, ReportFigure, canvas, closed
from mtvp_eval.report.labels import text
from mtvp_eval.report.open_data.figures import few_numbers
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.open_data.sentences_beside import UNBROKEN
from mtvp_eval.report.table import ReportTable


def robust(table: ReportTable, inputs: OpenDataInputs) -> ReportFigure:
    """Draw the effect on the primary outcome of every project that has an unbroken window, a line a bound on trends."""
    frame, language = table.frame, table.language
    bounds = [column for column in table.columns if column.kind == "interval"]
    frame = frame[(frame["outcome"] == inputs.primary) & (frame["window"] == UNBROKEN) & frame["low0"].notna()]
    own = inputs.overall(inputs.primary).set_index("project")["per_cent"]
    step = 0.8 / max(len(bounds), 1)
    with canvas(height=1.1 + 0.62 * len(frame), width=8.2) as (figure, axes):
        ax = axes[0, 0]
        shades = np.linspace(1.0, 0.3, len(bounds))
        for y, (_, row) in zip(range(len(frame), 0, -1), frame.iterrows(), strict=True):
            for i, column in enumerate(bounds):
                at = y + 0.3 - i * step
                ax.hlines(at, row[column.low], row[column.high], color=ACCENT, alpha=shades[i], linewidth=2.6)
            ax.plot(own[row["project"]], y + 0.3, "o", color=ACCENT, markersize=6, markeredgecolor="white")
        ax.axvline(0, color=QUIET, linewidth=0.8)
        ax.set_yticks(list(range(len(frame), 0, -1)), [fill(str(label), 34) for label in frame["label"]])
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        for i, column in enumerate(bounds):
            ax.plot([], [], color=ACCENT, alpha=shades[i], linewidth=2.6, label=column.label)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=max(len(bounds), 1), columnspacing=1.4)
        ax.set_xlabel(text("open_data.figure.axis", language))
        few_numbers(ax.xaxis, language, 9)
        svg = closed(figure)
    words = {"n": len(frame), "table": table.id}
    caption = text("open_data.figure.robust.caption", language)
    return ReportFigure("robust", caption, text("open_data.figure.robust.alt", language, **words), svg)
