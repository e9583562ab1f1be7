"""Figure of the design: in which cohort and quarter there is somebody to compare with."""

from __future__ import annotations

import numpy as np

from mtvp_eval.report.figure import ReportFigure, canvas, closed, palette
from mtvp_eval.report.labels import WITHHELD, number, text
from mtvp_eval.report.table import ReportTable


def estimability(table: ReportTable) -> ReportFigure:
    """Draw cohorts by periods: how many practices compare, coloured by what identifies the effect."""
    import seaborn as sns
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    frame, language = table.frame, table.language
    bases = ("none", "trends", "lottery")
    code = frame["identified_by"].map({b: i for i, b in enumerate(bases)})
    cohorts, periods = list(dict.fromkeys(frame["cohort"])), sorted(set(frame["period"]))
    place = (frame["cohort"].map(cohorts.index).to_numpy(), frame["period"].map(periods.index).to_numpy())
    colour = np.full((len(cohorts), len(periods)), np.nan)
    words = np.full(colour.shape, "", dtype=object)
    colour[place] = code
    comparing = frame["practices_comparing"].to_numpy(float)
    words[place] = [WITHHELD if np.isnan(n) else number(n, language) for n in comparing]
    blue, orange = palette(2)
    colours = ["#eceff2", (*blue, 0.45), (*orange, 0.6)]
    with canvas(height=0.9 + 0.34 * len(cohorts)) as (figure, axes):
        ax = axes[0, 0]
        sns.heatmap(
            colour, ax=ax, annot=words, fmt="", cmap=ListedColormap(colours), vmin=-0.5, vmax=2.5, cbar=False,
            linewidths=1.2, linecolor="white", xticklabels=periods, yticklabels=cohorts, annot_kws={"fontsize": 8},
        )  # fmt: skip
        for words_shown in ax.texts:
            words_shown.set_color("#1c2733")
        ax.set_ylabel(text("figure.estimability.cohort", language))
        ax.tick_params(length=0)
        ax.tick_params(axis="x", rotation=45)
        ax.tick_params(axis="y", rotation=0)
        used = sorted({int(c) for c in code})
        handles = [Patch(color=colours[i], label=text(f"figure.estimability.{bases[i]}", language)) for i in used]
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
        svg = closed(figure)
    identified = int((code > 0).sum())
    return ReportFigure(
        "estimability",
        text("figure.estimability.caption", language),
        text(
            "figure.estimability.alt", language, n=len(cohorts), periods=len(periods), identified=identified,
            cells=len(frame), table=table.id,
        ),
        svg,
    )  # fmt: skip
