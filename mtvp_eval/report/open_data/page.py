"""OpenDataPage: what a cell of the open-data notebook calls; every call gives one thing to show in its language."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mtvp_eval.errors import MtvpError
from mtvp_eval.report.figure import ReportFigure
from mtvp_eval.report.labels import text
from mtvp_eval.report.open_data import figures, figures_robust
from mtvp_eval.report.open_data.catalogue import TABLES
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.open_data.sentences import SENTENCES
from mtvp_eval.report.page import Prose
from mtvp_eval.report.table import ReportTable


@dataclass(frozen=True, slots=True)
class OpenDataPage:
    """Hold the inputs and the language of the report; give its parts.

    >>> OpenDataPage.__slots__
    ('inputs', 'language')
    """

    inputs: OpenDataInputs
    language: str

    def title(self) -> Prose:
        """Return the title of the report."""
        return Prose((text("open_data.title", self.language),), "h1")

    def standing(self) -> Prose:
        """Return what stands under the title: the sources and the years."""
        years = {"first": self.inputs.first_year, "last": self.inputs.last_year}
        return Prose((text("open_data.standing", self.language, **years),), role="standing")

    def heading(self, name: str, depth: int = 2) -> Prose:
        """Return a heading of the report."""
        return Prose((text(f"open_data.heading.{name}", self.language),), f"h{depth}")

    def footer(self) -> Prose:
        """Return the last line: sources, licences, where the numbers are."""
        return Prose((text("open_data.footer", self.language),), role="footer")

    def sentences(self, name: str) -> Prose:
        """Return some sentences, by one of the names in `SENTENCES`.

        Raises
        ------
        MtvpError
            If there are no such sentences.
        """
        if name not in SENTENCES:
            raise MtvpError(f"There are no sentences {name!r}; there are {', '.join(SENTENCES)}.")
        said = SENTENCES[name](self.inputs, self.language)
        if name == "decision":
            return Prose((" ".join(said),), role="decision")
        return Prose(tuple(said), "ul" if len(said) > 1 else "p")

    def table(self, name: str, **only: str) -> ReportTable:
        """Return a table, or those of its rows where columns have the given values.

        Raises
        ------
        MtvpError
            If there is no such table.
        """
        made = self._table(name)
        made = made.rows(**only) if only else made
        if "project" in only:  # said once, in the title
            names = [column.name for column in made.columns if column.name != "label"]
            made = replace(
                made.select(*names), title=f"{made.title}; {self.inputs.label(only['project'], self.language)}"
            )
        return made.compact()

    def primary_table(self, name: str, **only: str) -> ReportTable:
        """Return the rows of a table of effects on the primary outcome."""
        return self.table(name, outcome=self.inputs.primary, **only)

    def figure(self, name: str, outcome: str = "") -> ReportFigure:
        """Return a figure: map, forest, pooled, projects, placebo, robust or trends; of one outcome where it has one.

        Raises
        ------
        MtvpError
            If there is no such figure.
        """
        inputs, chosen = self.inputs, outcome or self.inputs.primary
        if name == "map":
            return figures.project_map(self._table("places"), inputs)
        if name == "forest":
            return figures.forest(self._table("effects"), inputs)
        if name == "placebo":
            return figures.placebo(self._table("placebo"), self._table("placebo_groups"))
        if name == "robust":
            return figures_robust.robust(self._table("robust"), inputs)
        if name == "trends":
            return figures.trends(self._table("trends").rows(outcome=chosen), inputs, chosen)
        if name in ("pooled", "projects"):
            rows = self._table("event_study").rows(outcome=chosen)
            mine = [n for n in dict.fromkeys(rows.frame["project"]) if (n in inputs.pooled) == (name == "pooled")]
            return figures.event_studies(rows, inputs, mine, f"{name}-{chosen}")
        raise MtvpError(
            f"There is no figure {name!r}; figures are map, forest, pooled, projects, placebo, robust and trends."
        )

    def _table(self, name: str) -> ReportTable:
        if name not in TABLES:
            raise MtvpError(f"There is no table {name!r}; tables are {', '.join(TABLES)}.")
        return TABLES[name](self.inputs, self.language)
