"""The intervals that docs/inference.md advises hold their level in small regions, and its tables say what was seen."""

from pathlib import Path

import numpy as np
import pytest

from tests.simulation.inference_coverage import BEGIN, END, coverage
from tests.simulation.recommended_pairs import NORMAL, advised

PAGE = Path(__file__).resolve().parents[2] / "docs" / "inference.md"
REGIONS = 150
MONTE_CARLO = np.sqrt(0.95 * 0.05 / REGIONS)


def rows_of_the_page():
    """Rows of the two tables of pairs: estimator, interval, coverage by size, holds, advised."""
    made = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in made.splitlines() if line.startswith("|")
    ]
    return [line for line in lines if line[-1] in ("yes", "no")]


def test_nothing_is_advised_that_does_not_hold_its_level():
    rows = rows_of_the_page()
    assert len(rows) > 70
    broken = [row[:2] for row in rows if row[-1] == "yes" and row[-2] == "no"]
    assert not broken


def test_the_page_is_of_the_pairs_that_are_simulated():
    named = {(row[0], row[1]) for row in rows_of_the_page()}
    assert {pair for pair in named if advised(pair)} == {
        (row[0], row[1]) for row in rows_of_the_page() if row[-1] == "yes"
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["equal", "capped"])
def test_advised_intervals_cover_in_a_region_of_twenty_practices(kind):
    """Four Monte Carlo errors below .95, for some forty pairs looked at together; the page has more regions.

    What is not advised lies lower: .85 to .89 the extended regression with a covariate, .84 the mixed model.
    """
    found = coverage(kind, 20, REGIONS)
    assert {pair for pair in found if advised(pair)} <= {(row[0], row[1]) for row in rows_of_the_page()}
    short = {}
    for pair, tally in found.items():
        low = 0.95 - 4 * np.sqrt(0.95 * 0.05 / tally.made)
        if advised(pair) and min(tally.shares) < low:
            short[pair] = tally.shares
    assert not short
    normal = [tally.shares[0] for pair, tally in found.items() if pair[1] == NORMAL]
    assert min(normal) < 0.95 - MONTE_CARLO
