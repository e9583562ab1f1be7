"""PowerPage: what a region can and cannot show before its data, as sentences, a table and a figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtvp_eval.report.figure import ACCENT, QUIET, ReportFigure, canvas, closed
from mtvp_eval.report.inputs import OutcomeInfo
from mtvp_eval.report.labels import number, text
from mtvp_eval.report.page import Prose
from mtvp_eval.report.table import Column, ReportTable
from mtvp_eval.report.tables.effects import REPLAY_TOLERANCE
from mtvp_eval.report.tables.layout import column, percent

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class PowerInputs:
    """Hold what the page shows; `frame` as `pipeline.power.detectable_effects` gives it, for the outcomes asked for."""

    region: str
    simulated: bool
    outcomes: tuple[OutcomeInfo, ...]
    frame: pd.DataFrame
    level: float
    choices: float
    ramp_quarters: int
    units: int
    first_period: str
    last_event_time: int
    asked_event_time: int
    weighting: str = "practice"


@dataclass(frozen=True, slots=True)
class PowerPage:
    """Hold the inputs and the language of one page on power; give its parts.

    >>> PowerPage.__slots__
    ('inputs', 'language')
    """

    inputs: PowerInputs
    language: str

    def title(self) -> Prose:
        """Return the title."""
        return Prose((text("power.title", self.language, region=self.inputs.region),), "h1")

    def standing(self) -> Prose:
        """Return what stands under the title: whether the region is simulated, and what was read."""
        i = self.inputs
        lines = [text("document.simulated", self.language)] if i.simulated else []
        lines.append(text("power.question", self.language, first=i.first_period, units=i.units))
        return Prose(tuple(lines), role="standing")

    def sentences(self) -> Prose:
        """Return one sentence an outcome on what this region can and cannot show, and what holds for all."""
        i, language = self.inputs, self.language
        lines = [self._sentence(row) for _, row in self._overall().iterrows()]
        lines.append(text("power.window", language, last=i.last_event_time))
        if i.asked_event_time > i.last_event_time:
            first = i.last_event_time + 1
            lines.append(text("power.beyond", language, asked=i.asked_event_time, from_=first))
        lines.append(text("power.shared", language))
        return Prose(tuple(lines), "ul")

    def table(self) -> ReportTable:
        """Return the smallest detectable effects by outcome and weighting, over the window and by event time."""
        i, language = self.inputs, self.language
        words = {o.id: (o.title[language], o.unit[language], o.decimals) for o in i.outcomes}
        frame = i.frame.assign(
            title=[words[o][0] for o in i.frame["outcome"]],
            unit_text=[words[o][1] for o in i.frame["outcome"]],
            decimals=[words[o][2] for o in i.frame["outcome"]],
        )
        frame["event_time"] = frame["event_time"].astype(float)
        frame["weighting_text"] = [text(f"term.weighting.{w}", language) for w in frame["weighting"]]

        def own(name: str, decimals: int | str = "decimals", unit: str = "") -> Column:
            heading = text(f"power.column.{name}", language)
            return Column(name, heading, "number", unit, decimals, tolerance=REPLAY_TOLERANCE)

        columns = (
            column("title", language, label="outcome"),
            column("weighting_text", language, label="weighting"),
            column("event_time", language, "number"),
            own("mde_immediate"), own("mde_ramp"), own("mde_formula"),
            column("unit_text", language, label="unit"),
            own("level"), column("note", language),
        )  # fmt: skip
        values = {"power": percent(i.choices), "level": percent(i.level), "quarters": i.ramp_quarters}
        return ReportTable(
            id="power", title=text("power.table", language, power=values["power"], level=values["level"]), frame=frame,
            columns=columns, key=("outcome", "weighting", "event_time"), language=language,
            note=text("power.note", language, quarters=i.ramp_quarters),
        ).compact()  # fmt: skip

    def figure(self) -> ReportFigure:
        """Draw the smallest detectable effect of each outcome, at once and as a build-up, in % of its level."""
        i, language = self.inputs, self.language
        frame = self._overall().dropna(subset=["share"]).iloc[::-1]
        titles = {o.id: o.title[language] for o in i.outcomes}
        with canvas(height=1.2 + 0.35 * max(len(frame), 1)) as (figure, axes):
            ax, y = axes[0, 0], range(len(frame))
            marks = (("share", "share_mde", "o", ACCENT), ("share_ramp", "share_ramp", "D", QUIET))
            ax.hlines(
                y, frame["share"].to_numpy(float), frame["share_ramp"].to_numpy(float), color=QUIET, linewidth=0.8
            )
            for name, label, mark, colour in marks:
                words = text(f"power.column.{label}", language)
                ax.plot(frame[name].to_numpy(float), y, mark, color=colour, label=words)
            ax.set_yticks(list(y), [titles[str(o)] for o in frame["outcome"]])
            ax.set_xlim(left=0)
            ax.set_xlabel(text("power.figure.axis", language))
            if len(frame):
                figure.legend(loc="outside upper center", ncols=2)
            svg = closed(figure)
        caption = text("power.figure.caption", language)
        return ReportFigure("power", caption, text("power.figure.alt", language, n=len(frame)), svg)

    def _overall(self) -> pd.DataFrame:
        frame = self.inputs.frame
        return frame[(frame["estimand"] == "overall") & (frame["weighting"] == self.inputs.weighting)]

    def _sentence(self, row: pd.Series) -> str:
        i, language = self.inputs, self.language
        info = next(o for o in i.outcomes if o.id == row["outcome"])
        title = info.title[language]
        if row["note"]:
            return text("power.cannot", language, outcome=title, reason=row["note"])
        if not math.isfinite(row["mde_immediate"]):
            return text("power.none", language, outcome=title)
        return text(
            "power.can", language, outcome=title, unit=info.unit[language],
            mde=number(row["mde_immediate"], language, info.decimals), share=number(row["share"], language, 1),
            ramp=number(row["mde_ramp"], language, info.decimals), share_ramp=number(row["share_ramp"], language, 1),
            quarters=i.ramp_quarters, miss=number(1 / (1 - i.choices), language),
        )  # fmt: skip
