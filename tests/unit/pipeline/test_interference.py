"""Interference in a simulated region: probed by the declared grouping, and said why not where it is not known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mtvp_eval.pipeline.evaluate import run_evaluation
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


def test_a_question_that_groups_by_neighbourhood_is_probed_by_it(simulated: Callable[[str], Path]) -> None:
    question = simulated("small")
    settings = yaml.safe_load(question.read_text(encoding="utf-8"))
    settings["estimation"] |= {"exposure_group": "neighbourhood", "sensitivity": []}
    question.write_text(yaml.safe_dump(settings), encoding="utf-8")
    extract = question.parents[2] / "raw" / "small" / "practices.csv"
    found = run_evaluation("small").participation["interference"]
    assert set(found["grouping"]) == {"neighbourhood"}
    assert (found["note"] == "").all()
    practices = pd.read_csv(extract, sep=";", dtype=str)
    practices.drop(columns="neighbourhood").to_csv(extract, sep=";", index=False)
    without = run_evaluation("small").participation["interference"]
    assert without["note"].str.contains("no neighbourhood").all()
