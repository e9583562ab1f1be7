"""Files stay short, are named for what they hold, and say nothing of one machine or one package index."""

import re

import pytest

from tests.architecture.tracked import ROOT, modules, tracked_files

LONGEST = 400
ATTIC = re.compile(
    r"^(utils?|helpers?|common|misc|stuff|attic|old|legacy|deprecated|backup|tmp|temp|scratch|untitled.*)$"
    r"|[_-](old|new|final|copy|backup|bak|tmp|v\d+)$",
    re.IGNORECASE,
)
# Written so that this file does not contain what it looks for.
ADDRESSES = re.compile(
    r"pypi[.]org|python[h]osted|pypi[.]python|anaconda[.]org|[j]frog|artifac[t]ory|dev[p]i"
    r"|(extra-)?index-url[ =]+\S*://|find-links[ =]+\S*/"
    r"|(?<![\w.~-])/(work|root|home/\w+|Users/\w+)/|file[:]///\w+/|[A-Z]:\\Users\\"
)


def attic_names(path: str) -> list[str]:
    """Return the parts of a path that say nothing about their content."""
    return [part for part in path.split("/") if ATTIC.search(part.split(".")[0] or part)]


def addresses(text: str) -> list[str]:
    """Return the places of one machine, and the package indexes, that a text names."""
    return [found.group(0) for found in ADDRESSES.finditer(text)]


def text_of(path: str) -> str:
    """Return a file's text; a picture or workbook has none."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("path", modules())
def test_module_is_short(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_names_say_what_a_file_holds():
    assert [path for path in tracked_files() if attic_names(path)] == []


def test_files_name_no_index_and_no_place_on_one_machine():
    found = {path: addresses(text_of(path)) for path in tracked_files()}
    assert {path: places for path, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "path",
    [
        "mtvp_eval/utils.py",
        "mtvp_eval/data/helpers/x.py",
        "tests/common.py",
        "notebooks/region_old.ipynb",
        "docs/report_v2.md",
        "misc/x.csv",
        "Untitled1.ipynb",
    ],
)
def test_an_attic_name_is_found(path):
    assert len(attic_names(path)) == 1


@pytest.mark.parametrize(
    "path", ["mtvp_eval/report/tables/money.py", ".gitignore", "data_dictionary/codes/renewal.csv"]
)
def test_a_plain_name_passes(path):
    assert attic_names(path) == []


@pytest.mark.parametrize(
    "text",
    [
        "see https://" + "pypi" + ".org/project/x",
        "--extra-index-url=" + "https://mirror.example",
        "path = '/" + "home/jan/raw'",
        "open('/" + "work/raw')",
        "C:" + "\\Users\\Jan",
        "file" + ":///opt/x",
    ],
)
def test_an_address_is_found(text):
    assert len(addresses(text)) == 1


@pytest.mark.parametrize(
    "text", ["--no-emit-index-url", "https://example.org/work/", "#!/usr/bin/env bash", "net/work/x"]
)
def test_an_ordinary_text_passes(text):
    assert addresses(text) == []
