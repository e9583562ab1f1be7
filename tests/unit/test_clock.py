"""Quarters: four accepted forms, one clock, and a hint for the form that is refused."""

import pytest

from mtvp_eval.clock import quarter, quarter_label


@pytest.mark.parametrize("text", ["2023Q2", "2023-Q2", "Q2 2023", "2e kwartaal 2023", " 2023q2 "])
def test_accepted_forms_are_one_quarter(text):
    assert quarter(text) == 4 * 2023 + 1
    assert quarter_label(quarter(text)) == "2023Q2"


def test_a_bare_code_is_refused_with_the_hint():
    with pytest.raises(ValueError, match="write quarters as 2023Q2"):
        quarter("20232")


@pytest.mark.parametrize("text", ["2023Q5", "2023", "kwartaal 2", "23Q1", ""])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="not a quarter"):
        quarter(text)
