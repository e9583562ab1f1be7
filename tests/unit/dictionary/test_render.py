"""The page of the dictionary says what its files say, and is up to date in the repository."""

import shutil
from pathlib import Path

from mtvp_eval.dictionary.load import load_dictionary
from mtvp_eval.dictionary.render import render, stale, write

FOLDER = Path(__file__).resolve().parents[3] / "data_dictionary"


def test_the_page_in_the_repository_is_up_to_date():
    assert not stale(FOLDER), "run `mtvp dictionary`"


def test_the_page_names_every_column_outcome_and_code():
    page, dictionary = render(FOLDER), load_dictionary(FOLDER)

    assert all(f"| `{column}` |" in page for table in dictionary.tables.values() for column in table.columns)
    assert all(f"| `{outcome}` |" in page for outcome in dictionary.outcomes)
    assert all(f"| {code} |" in page for codes in dictionary.codes.values() for code in codes.codes)


def test_a_changed_definition_makes_the_page_stale_until_it_is_written(tmp_path):
    folder = Path(shutil.copytree(FOLDER, tmp_path / "data_dictionary"))
    table = folder / "tables" / "activity.yaml"
    table.write_text(table.read_text(encoding="utf-8").replace("unit: fte", "unit: full-time jobs"), encoding="utf-8")

    assert stale(folder)
    write(folder)
    assert not stale(folder)
