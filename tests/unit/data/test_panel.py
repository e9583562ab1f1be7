"""Panel: refuses what is not a panel, keeps account of what is left out."""

import numpy as np
import pytest

from mtvp_eval.data.panel import Panel
from mtvp_eval.errors import DataError


def panel(**changes: object) -> Panel:
    arguments: dict[str, object] = {
        "unit_ids": np.array(["a", "b", "c"], dtype=object),
        "periods": ("2023Q1", "2023Q2"),
        "clock": np.array([8092, 8093]),
        "outcomes": {"consults": np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])},
        "weight": np.array([2000.0, 3000.0, 4000.0]),
        "baseline": {"deprivation": np.array([0.0, 1.0, 2.0])},
    }
    return Panel(**{**arguments, **changes})  # type: ignore[arg-type]


def test_all_problems_are_said_at_once():
    with pytest.raises(DataError) as refused:
        panel(
            unit_ids=np.array(["a", "a", "c"], dtype=object),
            clock=np.array([8093, 8092]),
            weight=np.array([1.0, 0.0, 2.0]),
            outcomes={"consults": np.ones((3, 3)), "referrals": np.array([[1.0, np.inf]] * 3)},
        )
    text = str(refused.value)
    for part in ("1 unit identifiers repeat", "strictly increasing", "positive", "shape (3, 3)", "3 infinite values"):
        assert part in text


def test_restrict_keeps_account_and_window_keeps_time():
    kept = panel().restrict(np.array([True, False, True]), "consent", "no monitoring consent")
    assert kept.unit_ids.tolist() == ["a", "c"]
    assert kept.weight.tolist() == [2000.0, 4000.0]
    assert (kept.lineage[0].units, kept.lineage[0].lost) == (2, 1)
    late = kept.window(8093, 8093)
    assert late.periods == ("2023Q2",)
    assert late.outcomes["consults"].tolist() == [[2.0], [6.0]]


def test_arrays_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        panel().outcomes["consults"][0, 0] = 9.0


def test_unknown_baseline_value_names_what_there_is():
    with pytest.raises(DataError, match="the panel has deprivation"):
        panel().covariates(["deprivatoin"])
    assert panel().covariates(["deprivation"]).shape == (3, 1)
    assert panel().covariates([]).shape == (3, 0)
