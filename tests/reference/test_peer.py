"""Local projections and the stack, which have no recorded original, against the numbers of a peer on the made panel."""

import json
from pathlib import Path

import numpy as np
import pytest

from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.estimators.local_projections import local_projections
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.stacked import stacked
from tests.unit.estimators.made_panel import made_panel

STORED = Path(__file__).parent / "copies" / "reference" / "peer__long_differences.json"
VARIANTS = {v["label"]: v for v in json.loads(STORED.read_text(encoding="utf-8"))["variants"]}


def ours(effects: EffectEstimates, times: list[float]) -> tuple[np.ndarray, np.ndarray]:
    place = {k.event_time: j for j, k in enumerate(effects.index) if k.estimand == "event_study"}
    rows = [place[int(e)] for e in times]
    return effects.estimate[rows], effects.std_error()[rows]


@pytest.mark.parametrize("weights", ["equal", "variance"])
def test_local_projections_equal_the_peer(weights: str) -> None:
    """The peer multiplies by G/(G - 1) (N - 1)/(N - K); K is one for enrolment and one a date.

    Without reweighting it keeps the dates at which nobody enrolls: they settle their own effects and nothing else, but
    their rows and effects are counted.
    """
    v = VARIANTS[f"local_projections, {weights}"]
    panel = made_panel()
    effects = local_projections(panel, StaggeredDesign.from_panel(panel), "y", cohort_weights=weights)
    estimate, error = ours(effects.with_correction("none"), v["event_time"])
    assert estimate == pytest.approx(np.array(v["estimate"]), rel=1e-10)
    last, first = panel.clock[-1], panel.clock[0]
    for e, mine, theirs, N, G in zip(v["event_time"], error, v["std_error"], v["n_obs"], v["n_clusters"], strict=True):
        starts = (3, 5) if weights == "equal" else panel.clock[1:]
        dates = sum(first <= t + e <= last for t in starts)
        factor = G / (G - 1) * (N - 1) / (N - 1 - dates)
        assert mine * np.sqrt(factor) == pytest.approx(theirs, rel=1e-10), e


@pytest.mark.parametrize(
    ("label", "window", "comparison"),
    [
        ("stacked", (2, 1), Comparison.NOT_YET_ENROLLED),
        ("stacked, never", (2, 2), Comparison.NEVER_ENROLLED),
    ],
)
def test_the_stack_equals_the_peer(label: str, window: tuple[int, int], comparison: Comparison) -> None:
    v, panel = VARIANTS[label], made_panel()
    design = StaggeredDesign.from_panel(panel, comparison)
    effects = stacked(panel, design, "y", before=window[0], after=window[1]).with_correction("fixest")
    estimate, error = ours(effects, v["event_time"])
    assert estimate == pytest.approx(np.array(v["estimate"]), rel=1e-10)
    assert error == pytest.approx(np.array(v["std_error"]), rel=1e-10)
