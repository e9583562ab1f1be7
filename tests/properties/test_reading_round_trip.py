"""Whatever the accepted way of writing, a file reads as the values it was written from, or is refused."""

import datetime
import math
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtvp_eval.clock import quarter_label
from mtvp_eval.data.cells import ReadingSettings
from mtvp_eval.data.extracts import read_extracts
from mtvp_eval.dictionary.load import load_dictionary

DICTIONARY = load_dictionary(Path(__file__).resolve().parents[2] / "data_dictionary")
COLUMNS = ("practice_id", "quarter", "sector", "insurer", "insured_years", "amount_eur", "as_of")

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "practice_id": st.integers(0, 99_999_999).map(lambda i: f"{i:08d}"),
            "quarter": st.integers(4 * 2010, 4 * 2040),
            "sector": st.sampled_from(DICTIONARY.codes["sectors"].codes),
            "insurer": st.sampled_from(["all", "0101", "Één naam", 'with "quotes"', "a;b,c\td|e"]),
            "insured_years": st.integers(1, 5_000_000).map(lambda i: i / 1000),
            "amount_eur": st.one_of(st.none(), st.integers(-(10**12), 10**12).map(lambda i: i / 1000)),
            "as_of": st.dates(datetime.date(2000, 1, 1), datetime.date(2040, 12, 31)),
        }
    ),
    min_size=1,
    max_size=8,
)
WAYS = st.fixed_dictionaries(
    {
        "separator": st.sampled_from([";", ",", "\t", "|"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
        "newline": st.sampled_from(["\n", "\r\n"]),
        "decimal": st.sampled_from([".", ","]),
        "grouping": st.sampled_from(["", "mark", " ", "\u00a0"]),
        "euro": st.sampled_from(["", "€ ", "€"]),
        "date": st.sampled_from(["%Y-%m-%d", "%d-%m-%Y", "%d/%m/%Y"]),
        "quarter": st.sampled_from(["{0}Q{1}", "{0}-Q{1}", "Q{1} {0}", "{1}e kwartaal {0}"]),
        "nothing": st.sampled_from(["", "n.v.t.", "NA", "-"]),
        "digits": st.integers(0, 3),
    }
)


def number(value, way):
    if value is None:
        return way["nothing"]
    gap = {"mark": "," if way["decimal"] == "." else "."}.get(way["grouping"], way["grouping"])
    text = f"{value:_.3f}"
    while text.endswith("0") and len(text) - text.index(".") - 1 > way["digits"]:
        text = text[:-1]
    return way["euro"] + text.rstrip(".").replace(".", way["decimal"]).replace("_", gap)


def written(row, way):
    label = quarter_label(row["quarter"])
    return {
        **row,
        "quarter": way["quarter"].format(label[:4], label[5]),
        "insured_years": number(row["insured_years"], way),
        "amount_eur": number(row["amount_eur"], way),
        "as_of": row["as_of"].strftime(way["date"]),
    }


def read_back(rows, way, choices):
    def cell(text):
        return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in '";,\t|\n') else text

    lines = [way["separator"].join(COLUMNS)]
    lines += [way["separator"].join(cell(written(row, way)[name]) for name in COLUMNS) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "costs.csv"
        path.write_bytes(way["newline"].join([*lines, ""]).encode(way["encoding"]))
        extracts = read_extracts(Path(folder), DICTIONARY, choices)
    return extracts.tables["costs"], [v for v in extracts.violations if v.table == "costs"]


def same(read, rows):
    for name in ("practice_id", "sector", "insurer"):
        assert read.columns[name].tolist() == [row[name] for row in rows]
    assert read.columns["quarter"].tolist() == [row["quarter"] for row in rows]
    assert read.columns["as_of"].tolist() == [row["as_of"] for row in rows]
    for name in ("insured_years", "amount_eur"):
        wanted = np.array([math.nan if row[name] is None else row[name] for row in rows])
        # three decimals of numbers up to 1e9 are exact to the last digit of a float
        np.testing.assert_allclose(read.columns[name], wanted, rtol=1e-15, atol=0)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, way=WAYS)
def test_a_file_reads_as_written_when_settings_say_how(rows, way):
    order = "iso" if way["date"] == "%Y-%m-%d" else "day_first"
    read, violations = read_back(rows, way, ReadingSettings(decimal=way["decimal"], date_order=order))

    assert violations == []
    same(read, rows)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, way=WAYS)
def test_without_settings_a_file_reads_as_written_or_is_refused(rows, way):
    read, violations = read_back(rows, way, ReadingSettings())

    if violations:
        assert all("read two ways" in v.rule or "day first or month first" in v.rule for v in violations)
    else:
        same(read, rows)
