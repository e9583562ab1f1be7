"""PooledPage: what a cell of the notebook on many regions calls; every call gives one thing to show in its language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mtvp_eval.errors import MtvpError
from mtvp_eval.estimators.lottery_default import SHARED_FROM
from mtvp_eval.report.figure import ReportFigure
from mtvp_eval.report.labels import interval, number, text
from mtvp_eval.report.page import Prose
from mtvp_eval.report.pooled_inputs import PooledInputs
from mtvp_eval.report.table import ReportTable
from mtvp_eval.report.tables.layout import percent
from mtvp_eval.report.tables.pooled import TABLES

_GENERAL = ("random", "random_interval", "between", "prediction")
MANY = 10
"""Regions from which a prediction interval covers about what it says."""


@dataclass(frozen=True, slots=True)
class PooledPage:
    """Hold the inputs and the language of one page on many regions; give its parts.

    >>> PooledPage.__slots__
    ('inputs', 'language')
    """

    inputs: PooledInputs
    language: str

    def title(self) -> Prose:
        """Return the title."""
        words = {"programme": text("document.programme", self.language), "n": len(self.inputs.names)}
        return Prose((text("pooled.title", self.language, **words),), "h1")

    def standing(self) -> Prose:
        """Return what stands under the title: that the regions are simulated, and which they are."""
        lines = [text("pooled.simulated", self.language)] if self.inputs.simulated else []
        return Prose((*lines, self._say("standing", names=", ".join(self.inputs.names))), role="standing")

    def heading(self, name: str, depth: int = 2) -> Prose:
        """Return a heading of the page."""
        return Prose((text(f"pooled.heading.{name}", self.language),), f"h{depth}", anchor=name)

    def footer(self) -> Prose:
        """Return the last line of the page."""
        return Prose((self._say("footer"),), role="footer")

    def answer(self) -> Prose:
        """Return the effect on the primary outcome, and on others whose interval excludes zero."""
        frame = self.inputs.frames["pooled"]
        rows = {str(row["outcome"]): row for row in frame.to_dict("records")}
        primary = self.inputs.primary_outcome
        said = self._effect(primary, rows.get(primary))
        for id_, row in rows.items():
            if id_ != primary and row["fixed_low"] * row["fixed_high"] > 0:
                said += self._effect(id_, row)[:1]
        lines = (self.shares(primary), self.not_recentred(primary), self._say("family", outcome=self._title(primary)))
        said += [line for line in lines if line]
        return Prose(tuple(said), "ul")

    def shares(self, outcome: str) -> str:
        """Say whether an outcome was adjusted by shares common to all regions, and if not, why; empty if not pooled."""
        frame = self.inputs.frames["shares"]
        rows = frame[frame["outcome"] == outcome].to_dict("records")
        if not rows:
            return ""
        row = rows[0]
        words = {"names": row["apart"], "n": f"{row['practices']:.0f}", "least": str(SHARED_FROM)}
        return self._say(f"shares_{row['kind']}", **words)

    def not_recentred(self, outcome: str) -> str:
        """Name the regions whose effect still holds what the cap does to a plain comparison; empty if there is none."""
        frame = self.inputs.frames["regions"]
        names = frame.loc[(frame["outcome"] == outcome) & ~frame["recentred"].astype(bool), "region"]
        return self._say("not_recentred", names=", ".join(names)) if len(names) else ""

    def limits(self) -> Prose:
        """Return what the numbers over regions do not show."""
        return Prose(tuple(self._say(name) for name in ("ranked", "shared", "window")), "ul")

    def table(self, name: str, **only: str) -> ReportTable | Prose:
        """Return a table, or those of its rows where columns have the given values.

        Raises
        ------
        MtvpError
            If there is no such table.
        """
        made = self._table(name)
        return self._shown(made.rows(**only) if only else made)

    def means(self) -> ReportTable | Prose:
        """Return the means of these regions, of every outcome."""
        return self._shown(self._table("pooled").without(*_GENERAL))

    def general(self) -> ReportTable | Prose:
        """Return what holds for regions in general, of every outcome."""
        return self._shown(self._table("pooled").without("regions", "fixed", "fixed_interval"))

    def slopes(self) -> ReportTable | Prose:
        """Return how the effect changes with declared properties, for these regions."""
        kept = [name for name in _GENERAL if name != "between"]
        return self._shown(self._table("pooled_slopes").without(*kept))

    def primary_table(self, name: str) -> ReportTable | Prose:
        """Return the rows of a table on the primary outcome."""
        return self.table(name, outcome=self.inputs.primary_outcome)

    def figure(self, outcome: str = "") -> ReportFigure | Prose:
        """Return the regions and their means for one outcome, the primary one where not given."""
        from mtvp_eval.report.figures.pooled import regions_forest

        chosen = outcome or self.inputs.primary_outcome
        regions, pooled = (self._table(name).rows(outcome=chosen) for name in ("regions", "pooled"))
        return regions_forest(regions, pooled) if len(pooled.frame) else Prose(())

    def _shown(self, made: ReportTable) -> ReportTable | Prose:
        if not len(made.frame):
            return Prose((text("sentence.no_rows", self.language),), role="note")
        return made.compact()

    def _table(self, name: str) -> ReportTable:
        if name not in TABLES:
            raise MtvpError(f"There is no table {name!r}; tables are {', '.join(TABLES)}.")
        return TABLES[name](self.inputs, self.language)

    def _effect(self, id_: str, row: dict[Any, Any] | None) -> list[str]:
        if row is None:
            return [self._say("absent", outcome=self._title(id_))]
        places, level = self.inputs.decimals(id_), percent(self.inputs.level)
        key = "none" if row["fixed_low"] <= 0 <= row["fixed_high"] else "rise" if row["fixed"] > 0 else "fall"
        words = {"outcome": self._title(id_), "unit": self.inputs.outcome(id_).unit[self.language], "level": level}
        ends = interval(row["fixed_low"], row["fixed_high"], self.language, places)
        said = [self._say(key, size=number(abs(row["fixed"]), self.language, places), range=ends, **words)]
        ends = interval(row["random_low"], row["random_high"], self.language, places)
        mean, between = (number(row[k], self.language, places, signed=k == "random") for k in ("random", "between"))
        said.append(self._say("general", mean=mean, between=between, range=ends, level=level))
        k = int(row["regions"])
        if row["prediction_low"] != row["prediction_low"]:
            return [*said, self._say("too_few", n=k)]
        low, high = (number(row[f"prediction_{end}"], self.language, places, signed=True) for end in ("low", "high"))
        caveat = self._say("caveat") if k < MANY else ""
        return [*said, self._say("prediction", low=low, high=high, level=level, caveat=caveat)]

    def _title(self, id_: str) -> str:
        return self.inputs.outcome(id_).title[self.language]

    def _say(self, key: str, **values: object) -> str:
        return text(f"pooled.{key}", self.language, **values)
