"""Interference in a simulated region: probed where care groups are known, and said why not where they are not."""

import numpy as np
import pytest

from mtvp_eval.pipeline.interference import region_interference
from mtvp_eval.planning.region_draw import region_draw
from tests.unit.planning.test_region_power import DECLARED, PROGRAMME, linked  # noqa: F401


def test_region(linked):  # noqa: F811
    draw = region_draw(linked.history, DECLARED, PROGRAMME)
    groups = np.array([f"group {i % 6}" for i in range(len(linked.history.practice_ids))], dtype=object)
    shown = region_interference(linked, draw, groups, ("consults_per_1000",), seed=1, replays=199)
    row = shown.iloc[0]
    assert row["note"] == ""
    assert row["p_value"] * 200 == pytest.approx(round(row["p_value"] * 200))
    assert 0 < row["mean_share"] < 1
    alone = region_interference(
        linked, draw, np.full(len(groups), None, dtype=object), ("consults_per_1000",), seed=1, replays=19
    )
    assert "cannot be probed" in alone.iloc[0]["note"]
