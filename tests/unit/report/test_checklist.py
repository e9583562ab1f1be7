"""The checklist for economic evaluations: 28 items, links that lead to a heading of the page, and what is absent."""

from pathlib import Path

import nbformat

from mtvp_eval.costbenefit.checklist import NOT_REPORTED, fill_checklist
from mtvp_eval.pipeline.reporting import PLACES
from mtvp_eval.report.catalogue import report_table
from tests.unit.report.made_region import made_inputs

ROOT = Path(__file__).resolve().parents[3]
CHECKLIST = ROOT / "data_dictionary" / "checklists" / "cheers2022.yaml"


def made(language="en", links=PLACES):
    return report_table("checklist", made_inputs(checklist=fill_checklist(CHECKLIST, links)), language)


def test_all_28_items_are_there_and_what_is_absent_says_so():
    table = made()
    assert len(table.frame) == 28
    absent = set(table.frame.loc[table.frame["link"] == "", "number"])
    assert absent == {"3", "16", "21", "25", "27", "28"}  # a person must write these, or there is no such model
    assert repr(table).count("not reported") == len(absent)
    assert repr(made("nl")).count("niet gerapporteerd") == len(absent)


def test_every_link_leads_to_a_heading_of_the_page():
    notebook = nbformat.read(ROOT / "notebooks" / "region_evaluation.ipynb", as_version=4)
    source = "\n".join(cell.source for cell in notebook.cells)
    for place in set(PLACES.values()) - {"title"}:
        assert f'page.heading("{place}"' in source, place
    assert '<a href="#spread">' in made()._repr_html_()


def test_without_money_nothing_is_reported():
    assert set(fill_checklist(CHECKLIST, {})["place"]) == {NOT_REPORTED}
    assert repr(made(links={})).count("not reported") == 28
