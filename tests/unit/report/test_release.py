"""Nothing with a practice's identifier leaves, wherever it stands in a file."""

import base64

import openpyxl
import pytest

from mtvp_eval.errors import DataError
from mtvp_eval.report.disclosure import assert_releasable

ID = "01012345"


def test_an_identifier_is_found_in_text_picture_and_workbook(tmp_path):
    (tmp_path / "a.html").write_text(f"<p>practice {ID}.</p>", encoding="utf-8")
    picture = base64.b64encode(f"<svg><text>{ID}</text></svg>".encode()).decode()
    (tmp_path / "b.html").write_text(f'<img src="data:image/svg+xml;base64,{picture}">', encoding="utf-8")
    book = openpyxl.Workbook()
    book.active["A1"] = ID
    book.save(tmp_path / "c.xlsx")
    for name in ("a.html", "b.html", "c.xlsx"):
        with pytest.raises(DataError, match=name) as refused:
            assert_releasable([tmp_path / name], [ID, "01099999"])
        assert ID not in str(refused.value)


def test_other_numbers_are_no_identifiers(tmp_path):
    (tmp_path / "a.json").write_text('{"value": 0.01012345, "hash": "ab01012345cd", "n": 101012345}', encoding="utf-8")
    assert_releasable([tmp_path / "a.json"], [ID])


def test_an_identifier_with_a_space_is_found(tmp_path):
    (tmp_path / "a.html").write_text("<p>Praktijk De Brink</p>", encoding="utf-8")
    with pytest.raises(DataError):
        assert_releasable([tmp_path / "a.html"], ["De Brink"])
