"""Files as regions deliver them: what is read, what is reported, and what is refused with which words."""

import openpyxl
import pytest

from mtvp_eval.clock import quarter
from mtvp_eval.data.cells import ReadingSettings
from mtvp_eval.data.extracts import read_extracts
from mtvp_eval.errors import CommandError
from tests.unit.data.region import FIRST, put


def sentences(extracts):
    return [violation.sentence() for violation in extracts.violations]


def only(extracts, *words):
    """Return the one violation, which holds all the words."""
    (sentence,) = sentences(extracts)
    assert all(word in sentence for word in words), sentence
    return sentence


def workbook(path, rows, title="practices"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.save(path)
    return book


def test_a_clean_region_is_read_without_a_violation(tmp_path, region, dictionary):
    extracts = read_extracts(put(tmp_path / "raw" / "test", region), dictionary)

    assert sentences(extracts) == []
    activity = extracts.tables["activity"]
    assert activity.columns["practice_id"][0] == FIRST
    assert activity.columns["quarter"][0] == quarter("2022Q1")
    assert activity.columns["fte_gp"][0] == 1.25
    assert activity.lines[:2].tolist() == [2, 3]
    assert "access_days" in activity.report.not_supplied
    assert activity.report.sentence().startswith(
        "activity.csv: 63 rows, UTF-8, separated by semicolon, decimal mark point (from its cells), without "
    )


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_separator_and_encoding_are_found(tmp_path, region, dictionary, separator, encoding):
    region["practices"][0]["care_group"] = "Zorggroep Één"
    extracts = read_extracts(put(tmp_path / "r", region, separator, encoding), dictionary)

    practices = extracts.tables["practices"]
    assert sentences(extracts) == []
    assert practices.columns["care_group"][0] == "Zorggroep Één"
    assert practices.report.separator == separator
    assert practices.report.encoding == ("Windows-1252" if encoding == "cp1252" else "UTF-8")


def test_dutch_numbers_and_dates_are_read(tmp_path, region, dictionary):
    for row in region["costs"]:
        row["amount_eur"] = f"€ {float(row['amount_eur']):,.2f}".translate(str.maketrans(",.", ".,"))
        row["as_of"] = "31-01-2025"
    extracts = read_extracts(put(tmp_path / "r", region), dictionary)

    costs = extracts.tables["costs"]
    assert sentences(extracts) == []
    assert costs.columns["amount_eur"][:4].tolist() == [30000.5, 20000.0, 40000.0, 750000.0]
    assert str(costs.columns["as_of"][0]) == "2025-01-31"
    assert (costs.report.decimal.form, costs.report.date_order.form) == (",", "day_first")


def test_a_file_with_numbers_that_could_be_both_is_refused_until_a_setting_says(tmp_path, region, dictionary):
    for row in region["costs"]:
        row["amount_eur"] = "1.234"
    folder = put(tmp_path / "r", region)

    only(read_extracts(folder, dictionary), "costs.amount_eur", "read two ways", 'reading: decimal: "," or "."')
    read = read_extracts(folder, dictionary, ReadingSettings(decimal=","))
    assert sentences(read) == []
    assert set(read.tables["costs"].columns["amount_eur"]) == {1234.0}


def test_a_file_with_dates_that_could_be_both_is_refused_until_a_setting_says(tmp_path, region, dictionary):
    for row in region["practices"]:
        row["reference_date"] = "01-04-2023"
    folder = put(tmp_path / "r", region)

    only(read_extracts(folder, dictionary), "practices.reference_date", "reading: date_order: day_first")
    read = read_extracts(folder, dictionary, ReadingSettings(date_order="day_first"))
    assert str(read.tables["practices"].columns["reference_date"][0]) == "2023-04-01"


def test_a_lost_zero_is_refused_and_never_padded(tmp_path, region, dictionary):
    region["activity"][3]["practice_id"] = FIRST[1:]
    extracts = read_extracts(put(tmp_path / "r", region), dictionary)

    only(extracts, "activity.practice_id", "leading zero lost, probably by Excel; set the column to text", "(line 5)")
    assert extracts.tables["activity"].columns["practice_id"][3] is None


def test_a_quarter_as_a_bare_number_is_refused_with_a_hint(tmp_path, region, dictionary):
    region["activity"][0]["quarter"] = "20231"

    only(
        read_extracts(put(tmp_path / "r", region), dictionary),
        "activity.quarter",
        "20232",
        "Write quarters as 2023Q2",
    )


def test_no_message_holds_a_value(tmp_path, region, dictionary):
    region["activity"][0] |= {"registered_patients": "secret-1", "fte_gp": "secret-2", "quarter": "secret-3"}
    region["practices"][0] |= {"monitoring_consent": "secret-4", "reference_date": "secret-5"}
    found = sentences(read_extracts(put(tmp_path / "r", region), dictionary))

    assert len(found) == 5
    assert not any("secret" in sentence for sentence in found)


def test_headers_may_be_titles_in_any_order_and_capitals(tmp_path, region, dictionary):
    titles = {"practice_id": "AGB-code praktijk", "quarter": "KWARTAAL", "registered_patients": "Registered patients"}
    region["activity"] = [
        {titles.get(name, name): row[name] for name in reversed(list(row))} for row in region["activity"]
    ]
    extracts = read_extracts(put(tmp_path / "r", region), dictionary)

    assert sentences(extracts) == []
    assert extracts.tables["activity"].columns["registered_patients"][0] == 2000


def test_unknown_twice_and_missing_columns_are_all_named(tmp_path, region, dictionary):
    region["enrolment"] = [
        {"enrolled_quater": row["enrolled_quarter"], "practice_id": row["practice_id"], "AGB-code praktijk": "x"}
        for row in region["enrolment"]
    ]
    found = sentences(read_extracts(put(tmp_path / "r", region), dictionary))

    assert any("column 1: Unknown column; did you mean enrolled_quarter?" in text for text in found)
    assert any("practice_id: The column stands there twice" in text for text in found)
    assert any("enrolled_quarter: The column is missing" in text for text in found)
    assert any("ended_quarter: The column is missing" in text for text in found)


def test_a_file_without_a_header_is_refused_in_one_line(tmp_path, region, dictionary):
    folder = put(tmp_path / "r", region)
    (folder / "enrolment.csv").write_text(f"{FIRST};2023Q2;\n{FIRST};2023Q2;\n", encoding="utf-8")

    only(read_extracts(folder, dictionary), "enrolment: The first line must hold the names of the columns")


def test_missing_and_empty_files_are_named_and_optional_ones_are_not_missed(tmp_path, region, dictionary):
    del region["enrolment"], region["costs"]
    folder = put(tmp_path / "r", region)
    (folder / "applications.csv").write_text(";".join(region["applications"][0]) + "\n", encoding="utf-8")
    found = sentences(read_extracts(folder, dictionary))

    assert [text.split(". ")[0] for text in found] == [
        "applications: The table has no rows",
        "enrolment: The file is missing",
    ]


def test_a_region_without_a_folder_is_a_wrong_command(tmp_path, dictionary):
    with pytest.raises(CommandError, match="mtvp init"):
        read_extracts(tmp_path / "raw" / "nowhere", dictionary)


def test_lines_are_those_of_the_file_with_blank_lines_and_line_breaks_in_texts(tmp_path, region, dictionary):
    folder = put(tmp_path / "r", region)
    (folder / "programme_costs.csv").write_text(
        "cost_id;quarter;description;kind;payer;receiver;amount_eur;price_year\n"
        'a;2023Q2;"two\nlines; one text";structural;insurer;practice;1.5;2023\n'
        "\n"
        ";;;;;;;\n"
        "b;2023Q9;x;structural;insurer;practice;2;2023\n",
        encoding="utf-8",
    )
    extracts = read_extracts(folder, dictionary)

    only(extracts, "programme_costs.quarter", "(line 6)")
    assert extracts.tables["programme_costs"].columns["description"][0] == "two\nlines; one text"
    assert extracts.tables["programme_costs"].lines.tolist() == [2, 6]


def test_lines_with_too_many_or_few_cells_are_named(tmp_path, region, dictionary):
    folder = put(tmp_path / "r", region)
    path = folder / "enrolment.csv"
    path.write_text(path.read_text(encoding="utf-8") + "01000005;2023Q2\n01000005;2023Q2;;\n", encoding="utf-8")

    only(read_extracts(folder, dictionary), "enrolment: Every line must have as many cells as the header", "6, 7")


def test_a_file_that_is_no_text_is_refused(tmp_path, region, dictionary):
    folder = put(tmp_path / "r", region)
    (folder / "enrolment.csv").write_bytes("practice_id;enrolled_quarter\n".encode("utf-16"))

    only(read_extracts(folder, dictionary), "enrolment: The file is not text in UTF-8 or Windows-1252")


def test_a_workbook_is_read_with_real_dates_and_numbers(tmp_path, region, dictionary):
    import datetime

    rows = region.pop("practices")
    folder = put(tmp_path / "r", region)
    written = [list(rows[0])]
    for row in rows:
        typed = row | {
            "registered_reference": int(row["registered_reference"]),
            "deprivation": float(row["deprivation"]),
        }
        written.append(list((typed | {"reference_date": datetime.datetime(2023, 4, 1)}).values()))
    workbook(folder / "practices.xlsx", written)
    extracts = read_extracts(folder, dictionary)

    practices = extracts.tables["practices"]
    assert sentences(extracts) == []
    assert practices.columns["practice_id"][0] == FIRST
    assert practices.columns["registered_reference"][1] == 2100
    assert str(practices.columns["reference_date"][0]) == "2023-04-01"
    assert practices.report.encoding == "xlsx"


def test_a_workbook_with_codes_as_numbers_has_lost_their_zero(tmp_path, region, dictionary):
    rows = region.pop("enrolment")
    folder = put(tmp_path / "r", region)
    cells = [[int(row["practice_id"]), 20232, None] for row in rows]
    workbook(folder / "enrolment.xlsx", [list(rows[0]), *cells], title="anything")
    found = sentences(read_extracts(folder, dictionary))

    assert len(found) == 2
    assert "leading zero lost" in found[0]
    assert "4 rows (lines 2, 3, 4, …)" in found[0]
    assert "bare number" in found[1]


def test_a_workbook_with_several_sheets_and_none_of_the_name_is_refused(tmp_path, region, dictionary):
    rows = region.pop("enrolment")
    folder = put(tmp_path / "r", region)
    book = workbook(folder / "enrolment.xlsx", [list(rows[0])], title="one")
    book.create_sheet("two")
    book.save(folder / "enrolment.xlsx")

    only(read_extracts(folder, dictionary), "2 sheets and none is named enrolment")


def test_something_else_named_xlsx_is_refused(tmp_path, region, dictionary):
    del region["enrolment"]
    folder = put(tmp_path / "r", region)
    (folder / "enrolment.xlsx").write_text("no workbook", encoding="utf-8")

    only(read_extracts(folder, dictionary), "enrolment: The file cannot be opened as an Excel workbook")


def test_one_table_in_two_filled_files_is_refused(tmp_path, region, dictionary):
    folder = put(tmp_path / "r", region)
    rows = region["enrolment"]
    workbook(folder / "enrolment.xlsx", [list(rows[0]), *([list(row.values()) for row in rows])])

    only(read_extracts(folder, dictionary), "enrolment: There are two files of this table", "Keep one")
