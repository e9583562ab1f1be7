"""Every text stands in both languages with the same blanks; numbers are written as each language writes them."""

import re

import pytest

from mtvp_eval.errors import CommandError
from mtvp_eval.report.labels import euro, interval, joined, number, texts


def blanks(template: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", template))


def test_both_languages_have_the_same_keys_and_blanks():
    nl, en = texts("nl"), texts("en")
    assert set(nl) == set(en)
    assert {key for key in nl if blanks(nl[key]) != blanks(en[key])} == set()


@pytest.mark.parametrize(
    ("value", "decimals", "nl", "en"),
    [
        (1234.5, 1, "1.234,5", "1,234.5"),
        (-1234567.0, 0, "−1.234.567", "−1,234,567"),
        (-0.04, 1, "0,0", "0.0"),  # a minus before a rounded zero would claim a direction
        (float("nan"), 1, "–", "–"),
        (999.995, 2, "1.000,00", "1,000.00"),
    ],
)
def test_numbers(value, decimals, nl, en):
    assert number(value, "nl", decimals) == nl
    assert number(value, "en", decimals) == en


def test_signed_euro_and_interval():
    assert number(2.0, "nl", 1, signed=True) == "+2,0"
    assert euro(-1234.5, "nl", 2) == "−€\N{NO-BREAK SPACE}1.234,50"
    assert interval(-1.5, 2.0, "nl", 1) == "−1,5 tot 2,0"
    assert interval(float("nan"), 2.0, "en", 1) == "–"
    assert joined(["a", "b", "c"], "en") == "a, b and c"


def test_another_language_is_refused():
    with pytest.raises(CommandError, match="nl or en"):
        texts("de")
