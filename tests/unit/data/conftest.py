"""The project's own dictionary and a small region without faults."""

from pathlib import Path

import pytest

from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.dictionary.schema import Dictionary, Programme
from tests.unit.data.region import Rows, clean_region

FOLDER = Path(__file__).resolve().parents[3] / "data_dictionary"


@pytest.fixture(scope="session")
def dictionary() -> Dictionary:
    return load_dictionary(FOLDER)


@pytest.fixture(scope="session")
def programme() -> Programme:
    return load_programme(FOLDER, "mtvp")


@pytest.fixture
def region() -> dict[str, Rows]:
    return clean_region()
