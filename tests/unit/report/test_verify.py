"""results.json, tables.xlsx, manifest.json are the same bytes every time; a changed number, input or file is named."""

import json
from dataclasses import replace

import numpy as np
import openpyxl
import pytest

from mtvp_eval.errors import CommandError, VerificationError
from mtvp_eval.report.results import results, write_manifest, write_results
from mtvp_eval.report.verify import verify
from tests.unit.report.made_region import made_inputs, made_money


@pytest.fixture
def published(tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    inputs = made_inputs()
    write_results(folder, inputs)
    write_manifest(folder, inputs.manifest, {"region_evaluation": {"region": "made"}}, ["results.json", "tables.xlsx"])
    return folder


def hash_again(folder):
    """As a forger would: the manifest fits the edited file."""
    write_manifest(folder, made_inputs().manifest, {}, ["results.json", "tables.xlsx"])


def edit(folder, change):
    path = folder / "results.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    hash_again(folder)


def test_the_same_inputs_give_the_same_bytes(published, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    write_results(again, made_inputs())
    for name in ("results.json", "tables.xlsx"):
        assert (again / name).read_bytes() == (published / name).read_bytes()


def test_an_unchanged_report_is_verified(published):
    assert "all within tolerance" in verify(published, made_inputs())


def test_one_edited_number_is_named_even_with_its_hash(published):
    def change(content):
        content["numbers"][0]["value"] *= 1.001
        content["numbers"][0]["tolerance"] = 1e9  # a published file cannot grant itself a wider tolerance

    edit(published, change)
    with pytest.raises(VerificationError) as found:
        verify(published, made_inputs())
    assert str(found.value).count("published") == 2  # the head line and one difference
    assert "headline/consults_per_1000.practice/estimate: published 9.40" in str(found.value)


def test_the_last_digits_of_another_processor_are_no_difference(published):
    def change(content):
        for number in content["numbers"]:
            number["value"] *= 1 + 1e-10

    edit(published, change)
    verify(published, made_inputs())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["numbers"].pop(), "published nothing"),
        (lambda c: c["numbers"].append(c["numbers"][0] | {"id": "x/y/z"}), "x/y/z: published"),
        (lambda c: c["numbers"][0]["interval"].__setitem__(0, -99.0), "(interval, low)"),
        (lambda c: c["numbers"][0].update(unit="euro"), "(unit)"),
        (lambda c: c["priced"]["covariance"][0].__setitem__(1, 11.0), "priced covariance/consults/hospital"),
        (lambda c: c["priced"]["estimate"].__setitem__(0, 9.5), "priced/consults"),
    ],
)
def test_every_kind_of_edit_is_named(published, change, said):
    edit(published, change)
    with pytest.raises(VerificationError) as found:
        verify(published, made_inputs())
    assert said in str(found.value)


def test_a_changed_input_is_named(published):
    with pytest.raises(VerificationError, match=r"inputs/activity\.csv: published ab12, recomputed ffff"):
        verify(published, made_inputs(manifest={"inputs": {"activity.csv": "ffff"}}))


def test_a_changed_file_is_named(published):
    with (published / "tables.xlsx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(VerificationError, match=r"file tables\.xlsx"):
        verify(published, made_inputs())


def test_no_report_is_a_wrong_command(tmp_path):
    with pytest.raises(CommandError, match="no published report"):
        verify(tmp_path, made_inputs())


def test_the_full_covariance_is_published():
    money = made_money()
    content = results(made_inputs(money=money))["priced"]
    assert np.allclose(content["covariance"], money.priced.covariance)
    assert results(made_inputs(money=replace(money, priced=None)))["priced"] is None


def test_every_table_is_a_sheet_with_ids_units_and_sources(published):
    book = openpyxl.load_workbook(published / "tables.xlsx")
    index = [row[0].value for row in book["index"].iter_rows(min_row=2)]
    assert index == book.sheetnames[1:]
    head = [cell.value for cell in book["headline"][1]]
    assert (head[0], head[-2:]) == ("id", ["unit", "source"])
    ids = {n["id"].rsplit("/", 1)[0] for n in results(made_inputs())["numbers"]}
    shown = {row[0].value for name in index for row in book[name].iter_rows(min_row=2)}
    assert ids <= shown
