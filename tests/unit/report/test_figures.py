"""Figures: the same table gives the same bytes, an alternative text, no pyplot state left behind."""

from dataclasses import replace

import pytest

from mtvp_eval.report.figures import effects, money
from mtvp_eval.report.html_check import problems
from mtvp_eval.report.page import Page
from tests.unit.report.made_region import made_inputs

NAMES = ("event_study", "event_studies", "trends", "forest", "estimability", "parties", "robustness", "estimators")


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_repeatable_described_and_undated(name):
    page = Page(made_inputs(), "nl")
    figure = page.figure(name)
    assert figure.svg == page.figure(name).svg
    assert b"<dc:date>" not in figure.svg
    assert figure.alt.endswith(".")
    assert problems(f'<html lang="nl"><title>t</title><h1>t</h1>{figure._repr_html_()}</html>') == ()


@pytest.mark.parametrize(("name", "drawn"), [("event_studies", effects.event_studies), ("parties", money.parties)])
def test_the_last_digits_of_a_sum_do_not_change_a_picture(name, drawn):
    more = ("95",) if name == "event_studies" else ()
    table = Page(made_inputs(), "en").table("event_study" if name == "event_studies" else name)

    def shifted(by: float) -> bytes:
        numbers = table.frame.select_dtypes("float").columns
        return drawn(replace(table, frame=table.frame.assign(**{n: table.frame[n] * by for n in numbers})), *more).svg

    assert shifted(1 + 1e-9) == shifted(1) != shifted(1.1)


def test_drawing_leaves_no_state():
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    Page(made_inputs(), "en").figure("trends")
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_estimators_are_drawn_from_their_table_and_only_in_its_unit():
    inputs = made_inputs()
    page = Page(inputs, "en")
    shown = page.outcome_table("robustness").frame
    assert page.figure("robustness").alt.startswith(f"Points with intervals for {len(shown)} estimators")
    other = inputs.robustness.assign(unit=inputs.robustness["unit"].astype(object))
    other.loc[other["method"] == "cohort_means", "unit"] = "rate ratio - 1"
    ratios = Page(made_inputs(robustness=other), "en")
    assert "rate ratio less one" in ratios.outcome_table("robustness").frame["unit_text"].tolist()
    assert ratios.figure("robustness").alt.startswith(f"Points with intervals for {len(shown) - 1} estimators")


@pytest.mark.parametrize("absent", [False, True])
def test_no_estimator_is_drawn_where_the_headline_shows_no_estimate(absent):
    inputs = made_inputs()
    frame = inputs.robustness
    own = frame["method"] == inputs.headline_method

    def without(outcomes):
        gone = own & frame["outcome"].isin(outcomes)
        kept = frame[~gone].reset_index(drop=True)
        blank = frame.assign(**{n: frame[n].mask(gone) for n in ("estimate", "ci_low", "ci_high")})
        return Page(made_inputs(robustness=kept if absent else blank, multiplicity=families), "en")

    names = [o.id for o in inputs.outcomes]
    families = inputs.multiplicity.reindex(range(len(names))).assign(outcome=names, family="secondary")
    primary = without([inputs.primary_outcome])
    assert primary.figure("robustness")._repr_html_() == ""
    assert f"of {len(names) - 1} outcomes" in primary.figure("estimators").alt
    assert primary.figure("robustness", names[0]).alt.startswith("Points with intervals for 2 estimators")
    assert without(names).figure("estimators")._repr_html_() == ""


def test_a_withheld_cohort_has_no_line():
    inputs = made_inputs()
    units = [3 if c == "never" else n for c, n in zip(inputs.cohorts["cohort"], inputs.cohorts["units"], strict=True)]
    small = made_inputs(cohorts=inputs.cohorts.assign(units=units))
    assert "each of 5 cohorts" in Page(inputs, "en").figure("trends").alt
    assert "each of 3 cohorts" in Page(small, "en").figure("trends").alt  # the small one and the smallest other
