"""Figure of many regions: each by name with its own effect and the one drawn to the mean, and the means below."""

from __future__ import annotations

from mtvp_eval.report.figure import ACCENT, FAINT, QUIET, ReportFigure, canvas, closed
from mtvp_eval.report.labels import text
from mtvp_eval.report.table import ReportTable


def regions_forest(regions: ReportTable, pooled: ReportTable) -> ReportFigure:
    """Draw the regions of the one outcome both tables hold; the order is that of their names."""
    frame, mean, language = regions.frame, pooled.frame.iloc[0], regions.language
    outcome, unit, n = str(mean["title"]), str(mean["unit_text"]), len(frame)
    words = {k: text(f"pooled.forest.{k}", language) for k in ("own", "shrunken", "fixed", "random", "prediction")}
    has_prediction = bool(mean["prediction_low"] == mean["prediction_low"])
    rows = [*frame["region"].astype(str), words["fixed"], words["random"], *([words["prediction"]] * has_prediction)]
    y = list(range(len(rows)))[::-1]
    with canvas(height=1.3 + 0.42 * len(rows)) as (figure, axes):
        ax = axes[0, 0]
        ax.axvline(0, color=QUIET, linewidth=0.8)
        for shift, (point, low, high, colour, mark, label) in (
            (0.13, ("own", "own_low", "own_high", QUIET, "o", words["own"])),
            (-0.13, ("shrunken", "low", "high", ACCENT, "D", words["shrunken"])),
        ):
            at = [v + shift for v in y[:n]]
            ax.hlines(at, frame[low].to_numpy(float), frame[high].to_numpy(float), color=colour, linewidth=1.6)
            ax.plot(frame[point].to_numpy(float), at, mark, color=colour, markersize=5, label=label)
        ax.axhline(y[n - 1] - 0.5, color=FAINT, linewidth=1.0)
        for place, name in zip(y[n : n + 2], ("fixed", "random"), strict=True):
            ax.hlines(place, mean[f"{name}_low"], mean[f"{name}_high"], color=ACCENT, linewidth=2.6)
            ax.plot(mean[name], place, "s", color=ACCENT, markersize=6)
        if has_prediction:
            low, high = mean["prediction_low"], mean["prediction_high"]
            ax.hlines(y[-1], low, high, color=QUIET, linewidth=1.6, linestyle=(0, (2, 1)))
        ax.set_yticks(y, rows)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.grid(axis="x", color=FAINT, linewidth=0.6)
        ax.set_axisbelow(True)
        ax.set_xlabel(text("pooled.forest.axis", language, unit=unit))
        figure.legend(loc="outside upper center", ncols=2)
        svg = closed(figure)
    return ReportFigure(
        f"regions-{mean['outcome']}",
        text("pooled.forest.caption", language, outcome=outcome),
        text("pooled.forest.alt", language, n=n),
        svg,
    )
