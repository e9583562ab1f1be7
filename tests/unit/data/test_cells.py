"""How a file's decimal mark and date order are decided, and when they cannot be."""

import datetime

import numpy as np
import pytest

from mtvp_eval.data.cells import (
    Decision,
    ReadingSettings,
    Undecided,
    dates,
    decide_date_order,
    decide_decimal,
    numbers,
)
from mtvp_eval.errors import CommandError

NOTHING = ReadingSettings()


@pytest.mark.parametrize(
    ("written", "mark"),
    [
        (["12,5"], ","),
        (["12.5"], "."),
        (["1.234", "12,5"], ","),  # 1.234 alone fits both readings
        (["1,234", "12.5"], "."),
        (["1.234,50"], ","),
        (["1,234.50"], "."),
        (["1.234.567"], ","),
        (["0.125"], "."),  # a group of thousands does not begin with zero
        (["12345.678"], "."),  # nor has it five digits before the mark
        (["1.2345"], "."),
        ([".125"], "."),
        (["€ 1.234,50"], ","),
        (["-12,5"], ","),
        (["1.5e5"], "."),
    ],
)
def test_cells_that_fit_one_reading_only_decide_the_mark(written, mark):
    assert decide_decimal({"amount": written}, frozenset(), NOTHING) == Decision(mark, "cells")


def test_a_column_of_whole_numbers_helps_to_decide():
    # 3.512 patients cannot be a fraction, so the point groups thousands and the comma is decimal
    decided = decide_decimal({"amount": ["1.234"], "patients": ["3.512"]}, frozenset({"patients"}), NOTHING)

    assert decided == Decision(",", "cells")


def test_a_file_whose_numbers_fit_both_readings_is_undecided_and_names_the_setting():
    decided = decide_decimal({"amount": ["1.234", "12"], "years": ["3"]}, frozenset(), NOTHING)

    assert isinstance(decided, Undecided)
    assert 'reading: decimal: "," or "."' in decided.advice
    assert {name: mask.tolist() for name, mask in decided.cells.items()} == {"amount": [True, False]}


def test_both_marks_as_decimal_in_one_file_are_undecided():
    decided = decide_decimal({"a": ["1.5"], "b": ["1,5", "2"]}, frozenset(), NOTHING)

    assert isinstance(decided, Undecided)
    assert decided.cells["b"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("settings", "mark", "value"),
    [
        (ReadingSettings(decimal=","), ",", 1234.0),
        (ReadingSettings(decimal="."), ".", 1.234),
        (ReadingSettings(thousands="."), ",", 1234.0),
        (ReadingSettings(thousands="none"), ".", 1.234),
        (ReadingSettings(thousands=" "), ".", 1.234),
    ],
)
def test_settings_decide_what_cells_leave_open(settings, mark, value):
    decided = decide_decimal({"amount": ["1.234"]}, frozenset(), settings)

    assert decided.form == mark
    assert numbers(["1.234"], mark, settings, whole=False)[0].tolist() == [value]


def test_a_setting_does_not_overrule_cells_that_decide():
    # one region's files may come from several systems; the setting is for the file that leaves it open
    assert decide_decimal({"fte": ["1.25"]}, frozenset(), ReadingSettings(decimal=",")) == Decision(".", "cells")
    assert decide_date_order({"on": ["2023-02-01"]}, ReadingSettings(date_order="day_first")) == Decision(
        "iso", "cells"
    )


def test_nothing_to_decide_is_said_so():
    assert decide_decimal({"amount": ["12", None, 3.5]}, frozenset(), NOTHING) == Decision(".", "not needed")
    assert decide_date_order({"on": [None]}, NOTHING) == Decision("iso", "not needed")


@pytest.mark.parametrize("wrong", [{"decimal": ";"}, {"date_order": "mdy"}, {"decimal": ",", "thousands": ","}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(CommandError):
        ReadingSettings(**wrong)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        (["13-02-2023", "01-02-2023"], "day_first"),
        (["13-02-2023"], "day_first"),
        (["13-02-2023", "02-02-2023"], "day_first"),
        (["2023-02-13"], "iso"),
        (["02-02-2023"], "day_first"),  # day and month may change places without harm
    ],
)
def test_dates_that_fit_one_reading_decide_the_order(written, form):
    assert decide_date_order({"on": written}, NOTHING) == Decision(form, "cells")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (["01-02-2023", "02-02-2023"], "day first or month first"),
        (["02-13-2023"], "must not be written month first"),
        (["2023-02-01", "13-02-2023"], "must be written one way"),
    ],
)
def test_dates_that_could_be_read_two_ways_are_undecided(written, words):
    decided = decide_date_order({"on": written}, NOTHING)

    assert isinstance(decided, Undecided)
    assert words in decided.rule


def test_a_setting_decides_the_order_of_dates():
    assert decide_date_order({"on": ["01-02-2023"]}, ReadingSettings(date_order="day_first")).form == "day_first"


def test_cells_of_a_spreadsheet_are_taken_as_they_are():
    stamp = datetime.datetime(2023, 2, 1, 0, 0)

    assert dates([stamp, stamp.date(), None], "day_first")[0][:2].tolist() == [stamp.date(), stamp.date()]
    assert numbers([1234, 1.5, None, True, stamp], ",", NOTHING, whole=False)[0][:2].tolist() == [1234.0, 1.5]
    # true/false and dates are no numbers
    refused = numbers([True, stamp], ".", NOTHING, whole=False)[1][0]
    assert refused.levels.tolist() == [True, True]


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f", "'"])
def test_gaps_between_thousands_are_read(blank):
    found, refusals = numbers([f"1{blank}234{blank}567,5"], ",", NOTHING, whole=False)

    assert found.tolist() == [1234567.5]
    assert not any(refusal.levels.any() for refusal in refusals)


def test_a_thousands_mark_other_than_the_declared_one_is_refused():
    found, refusals = numbers(["1 234"], ",", ReadingSettings(decimal=",", thousands="."), whole=False)

    assert np.isnan(found[0])
    assert refusals[0].levels.tolist() == [True]
