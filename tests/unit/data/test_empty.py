"""Empty extracts for a region that starts."""

import openpyxl

from mtvp_eval.data.empty import init_region
from mtvp_eval.data.extracts import read_extracts


def test_a_new_region_gets_every_table_as_csv_and_workbook(tmp_path, dictionary):
    written = init_region(tmp_path, "new", dictionary)

    assert {path.name for path in written} == {f"{t}.{kind}" for t in dictionary.tables for kind in ("csv", "xlsx")}
    header = (tmp_path / "raw" / "new" / "enrolment.csv").read_text(encoding="utf-8-sig")
    assert header == "practice_id;enrolled_quarter;ended_quarter\n"


def test_codes_and_quarters_are_text_in_the_workbook(tmp_path, dictionary):
    init_region(tmp_path, "new", dictionary)
    sheet = openpyxl.load_workbook(tmp_path / "raw" / "new" / "activity.xlsx")["activity"]

    assert [sheet.column_dimensions[letter].number_format for letter in "ABC"] == ["@", "@", "General"]


def test_what_is_there_stays(tmp_path, dictionary):
    folder = tmp_path / "raw" / "new"
    folder.mkdir(parents=True)
    (folder / "costs.csv").write_text("mine", encoding="utf-8")
    written = init_region(tmp_path, "new", dictionary)

    assert (folder / "costs.csv").read_text(encoding="utf-8") == "mine"
    assert not any(path.stem == "costs" for path in written)
    assert init_region(tmp_path, "new", dictionary) == ()


def test_empty_extracts_read_as_tables_without_rows(tmp_path, dictionary):
    init_region(tmp_path, "new", dictionary)
    extracts = read_extracts(tmp_path / "raw" / "new", dictionary)

    required = sorted(name for name, table in dictionary.tables.items() if table.required)
    assert [(v.table, v.rule) for v in extracts.violations] == [(name, "The table has no rows") for name in required]
