"""Each line of data_dictionary/reading.csv is a test: a cell as written, and what it reads as or is refused as."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.clock import quarter_label
from mtvp_eval.data import cells
from mtvp_eval.data.cells import ReadingSettings
from mtvp_eval.dictionary.load import load_dictionary

FOLDER = Path(__file__).resolve().parents[2] / "data_dictionary"
with (FOLDER / "reading.csv").open(encoding="utf-8", newline="") as file:
    LINES = list(csv.DictReader(file, delimiter=";"))
KB_STATUSES = load_dictionary(FOLDER).tables["practices"].columns["kb_status"].codes


def read(kind, form, written):
    """Return how a single cell reads, as text, and the rules it breaks."""
    levels = [cells.recorded(written)]
    if kind in ("integer", "decimal"):
        found, refusals = cells.numbers(levels, form, ReadingSettings(), whole=kind == "integer")
        text = "" if np.isnan(found[0]) else f"{found[0]:.12g}"
    elif kind == "date":
        found, refusals = cells.dates(levels, form)
        text = "" if np.isnat(found[0]) else str(found[0])
    elif kind == "quarter":
        found, refusals = cells.quarters(levels)
        text = "" if np.isnan(found[0]) else quarter_label(int(found[0]))
    elif kind == "yes_no":
        found, refusals = cells.yes_no(levels)
        text = "" if np.isnan(found[0]) else {1.0: "yes", 0.0: "no"}[found[0]]
    elif kind == "agb":
        found, refusals = cells.agb_codes(levels)
        text = found[0] or ""
    else:
        found, refusals = cells.texts(levels, KB_STATUSES.codes if kind == "code" else ())
        broken = kind == "code" and KB_STATUSES.broken(found)[0]
        return ("", [KB_STATUSES.description]) if broken else (found[0] or "", [])
    return text, [refusal.rule for refusal in refusals if refusal.levels[0]]


@pytest.mark.parametrize("line", LINES, ids=[f"{line['type']} {line['written']}" for line in LINES])
def test_a_cell_reads_as_the_dictionary_says(line):
    text, refused = read(line["type"], line["file_form"], line["written"])

    assert text == line["reads_as"]
    assert refused == ([line["refused_as"]] if line["refused_as"] else [])


def test_every_type_has_lines_that_read_and_types_that_can_be_wrong_have_lines_that_are_refused():
    read_types = {line["type"] for line in LINES if line["reads_as"]}
    refused_types = {line["type"] for line in LINES if line["refused_as"]}

    assert read_types == {"agb", "quarter", "date", "integer", "decimal", "code", "text", "yes_no"}
    assert refused_types == read_types - {"text"}
