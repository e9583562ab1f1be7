"""Settings that the tests vary: the embedded regions, and one in which everything is exact."""

from dataclasses import replace
from pathlib import Path

import pytest

from mtvp_eval.dictionary.load import load_dictionary
from mtvp_eval.simulate.settings import Bending, Shares, Uptake, read_region

DICTIONARY = Path(__file__).resolve().parents[3] / "data_dictionary"


@pytest.fixture(scope="session")
def dictionary():
    return load_dictionary(DICTIONARY)


@pytest.fixture(scope="session")
def example():
    return read_region(DICTIONARY / "regions.yaml", "example")


@pytest.fixture(scope="session")
def small():
    return read_region(DICTIONARY / "regions.yaml", "small")


@pytest.fixture(scope="session")
def plain(example):
    """The example region in which all apply at once, all winners start, and lists and deprivation bend nothing."""
    rounds = replace(example.rounds, application_shares=(1.0, 0.0, 0.0, 0.0))
    return replace(
        example,
        shares=Shares(0.0, 0.0, 0.0, 0.0),
        uptake=Uptake(0.0, 0.0, 0.0),
        bending=Bending(0.0, 0.0, 0.0, 0.0),
        rounds=rounds,
    )
