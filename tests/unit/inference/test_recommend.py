"""The thresholds below which the default changes."""

import pytest

from mtvp_eval.inference.recommend import Interval, recommended


@pytest.mark.parametrize(
    ("treated", "comparison", "more", "expected"),
    [
        (4, 30, {}, Interval.RANDOMIZATION),
        (30, 4, {}, Interval.RANDOMIZATION),
        (4, 30, {"drawn": False}, Interval.SATTERTHWAITE),
        (5, 5, {}, Interval.SATTERTHWAITE),
        (8, 8, {"regression": True}, Interval.CR2),
        (8, 8, {"crossed": True}, Interval.CR1),
    ],
)
def test_the_default_by_clusters(treated, comparison, more, expected):
    asked = {"drawn": True, "crossed": False, "regression": False} | more
    found = recommended(treated, comparison, **asked)
    assert found.interval == expected
    assert str(min(treated, comparison)) in found.reason
