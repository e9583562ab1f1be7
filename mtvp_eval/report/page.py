"""Page: what a notebook cell calls; every call gives one thing to show in the notebook's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mtvp_eval.errors import MtvpError
from mtvp_eval.report import (
    brought_sentences,
    interval_sentences,
    money_sentences,
    party_sentences,
    sensitivity_sentences,
    sentences,
    uptake_sentences,
)
from mtvp_eval.report.catalogue import OF_MONEY, report_table
from mtvp_eval.report.figure import ReportFigure
from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import MINUS, text
from mtvp_eval.report.table import ReportTable
from mtvp_eval.report.tables.layout import percent

SENTENCES = {
    "decision": sentences.decision,
    "beside": sentences.beside,
    "effects": sentences.effects,
    "not_computed": sentences.not_computed,
    "break_even": sentences.break_even,
    "reading": sentences.reading,
    "limits": sentences.limits,
    "detectable": sentences.detectable,
    "caveats": sentences.caveats,
    "supplied": sentences.supplied,
    "trend_sensitivity": sensitivity_sentences.trend_sensitivity,
    "intervals": interval_sentences.why,
    "pretrends": interval_sentences.pretrends,
    "hospital": money_sentences.hospital,
    "contract": money_sentences.contract,
    "measure_next": money_sentences.measure_next,
    "saving": money_sentences.saving,
    "placebo_year": money_sentences.placebo_year,
    "grey": money_sentences.grey,
    **uptake_sentences.SENTENCES,
    "heterogeneity": brought_sentences.heterogeneity,
    "uncertainty": party_sentences.uncertainty,
    "parties": party_sentences.parties,
    "returns": party_sentences.returns,
    "funding": party_sentences.funding,
}


_JOINER = "\N{WORD JOINER}"
_TABLE_OF = {"forest": "headline", "event_studies": "event_study", "estimators": "robustness"}


@dataclass(frozen=True, slots=True)
class Prose:
    """A heading or some sentences, as a page shows them and as plain text."""

    lines: tuple[str, ...]
    element: str = "p"
    role: str = ""
    anchor: str = ""

    def __repr__(self) -> str:
        """Return the plain text, one sentence a line."""
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        role = f' class="{self.role}"' if self.role else ""
        if self.element == "ul":
            return (
                f"<ul{role}>{''.join(f'<li>{_unbroken(line)}</li>' for line in self.lines)}</ul>" if self.lines else ""
            )
        anchor = f' id="{self.anchor}"' if self.anchor else ""
        return "".join(f"<{self.element}{role}{anchor}>{_unbroken(line)}</{self.element}>" for line in self.lines)


def _unbroken(line: str) -> str:
    """Return a sentence for a page; a line never ends between a minus and its amount in euros."""
    return escape(line).replace(f"{MINUS}€", f"{MINUS}{_JOINER}€")


@dataclass(frozen=True, slots=True)
class Page:
    """Hold the inputs and the language of one report; give its parts.

    >>> Page.__slots__
    ('inputs', 'language')
    """

    inputs: ReportInputs
    language: str

    def title(self, kind: str) -> Prose:
        """Return the title of the report: ``region`` or ``brief``."""
        programme = text("document.programme", self.language)
        words = {"programme": programme, "region": self.inputs.region}
        return Prose((text(f"document.{kind}", self.language, **words),), "h1", anchor="title")

    def heading(self, name: str, depth: int = 2) -> Prose:
        """Return a heading of the report."""
        return Prose((text(f"heading.{name}", self.language),), f"h{depth}", anchor=name)

    def standing(self) -> Prose:
        """Return what stands under the title: that a region is simulated, and which period was observed."""
        lines = [text("document.simulated", self.language)] if self.inputs.simulated else []
        money = self.inputs.money
        if money is not None:
            observed = sentences.when(money, self.language)
            lines.append(text("document.observed", self.language, when=observed, price_year=money.price_year))
        return Prose(tuple(lines), role="standing")

    def footer(self) -> Prose:
        """Return the last line of the report."""
        words = {
            "region": self.inputs.region,
            "units": self.inputs.min_units,
            "patients": self.inputs.min_patients,
        }
        return Prose((text("document.footer", self.language, **words),), role="footer")

    def sentences(self, name: str) -> Prose:
        """Return some sentences, by one of the names in `SENTENCES`.

        Raises
        ------
        MtvpError
            If there are no such sentences.
        """
        if name not in SENTENCES:
            raise MtvpError(f"There are no sentences {name!r}; there are {', '.join(SENTENCES)}.")
        said: Sequence[str] = SENTENCES[name](self.inputs, self.language)
        if name == "decision":
            return Prose((" ".join(said),), role="decision")
        return Prose(tuple(said), "ul" if len(said) > 1 else "p", role=name)

    def table(self, name: str, **only: str) -> ReportTable | Prose:
        """Return a table, or those of its rows where columns have the given values; why not, if there is none."""
        made = report_table(name, self.inputs, self.language)
        if made is None and self.inputs.money is None and name in OF_MONEY:
            return Prose((sentences.no_net_benefit(self.inputs, self.language),))
        if made is None or not len(made.frame):
            return Prose((sentences.say("no_rows", self.language),), role="note")
        return (made.rows(**only) if only else made).compact()

    def outcome_table(self, name: str, outcome: str = "") -> ReportTable | Prose:
        """Return the rows of a table of effects for one outcome (the primary one by default), headline weighting."""
        wanted = {"outcome": outcome or self.inputs.primary_outcome}
        if name != "trends":
            wanted["weighting"] = self.inputs.headline_weighting
        return self.table(name, **wanted)

    def figure(self, name: str, outcome: str = "") -> ReportFigure | Prose:
        """Return a figure, drawn from the table of the same name; nothing where there is nothing to draw.

        Raises
        ------
        MtvpError
            If there is no such figure.
        """
        from mtvp_eval.report.figures import design, effects, estimators, money, sensitivity

        table = report_table(_TABLE_OF.get(name, name), self.inputs, self.language)
        if table is None or table.frame.empty:
            return Prose(())
        if name in ("event_study", "trends"):
            table = table.rows(outcome=outcome or self.inputs.primary_outcome)
        if name in ("event_study", "event_studies", "robustness", "estimators"):
            table = table.rows(weighting=self.inputs.headline_weighting)
        declared = _declared(self.inputs)
        if name in ("robustness", "estimators"):
            shown = (outcome or self.inputs.primary_outcome,) if name == "robustness" else declared
            table = estimators.beside_headline(table, self.inputs.headline_method, shown)
            if table.frame.empty:
                return Prose(())
        draw = {
            "event_study": lambda: effects.event_study(table, percent(self.inputs.level)),
            "event_studies": lambda: effects.event_studies(table, percent(self.inputs.level)),
            "trends": lambda: effects.trends(table, tuple(str(c) for c in self.inputs.cohorts["cohort"])),
            "forest": lambda: effects.forest(table, self.inputs.headline_weighting),
            "robustness": lambda: estimators.robustness(table, self.inputs.headline_method),
            "estimators": lambda: estimators.estimators(table, self.inputs.headline_method, declared),
            "estimability": lambda: design.estimability(table),
            "parties": lambda: money.parties(table),
            "trend_sensitivity": lambda: sensitivity.trend_sensitivity(
                table, self.inputs.outcome(self.inputs.primary_outcome).title[self.language], percent(self.inputs.level)
            ),
            "tornado": lambda: money.tornado(table, _centre(self.inputs)),
            "plane": lambda: money.plane(table, self.inputs.level, _gained(self.inputs, table, self.language)),
        }
        if name not in draw:
            raise MtvpError(f"There is no figure {name!r}; figures are {', '.join(draw)}.")
        return draw[name]()


def _declared(inputs: ReportInputs) -> tuple[str, ...]:
    """The outcomes of which something is concluded: primary and secondary ones, the primary first."""
    families = inputs.multiplicity
    own = families.loc[families["family"].isin(["primary", "secondary"]), "outcome"]
    return tuple(dict.fromkeys([inputs.primary_outcome, *own]))


def _centre(inputs: ReportInputs) -> float:
    """The insurer's net benefit, around which ranges are drawn."""
    assert inputs.money is not None
    rows = inputs.money.perspectives
    return float(rows.loc[rows["perspective"] == "insurer", "total"].iloc[0])


def _gained(inputs: ReportInputs, table: ReportTable, language: str) -> str:
    """The outcome that cost is set against, with its unit."""
    outcome = inputs.outcome(str(table.frame["outcome"].iloc[0]))
    return f"{outcome.title[language]}, {outcome.unit[language]}"
