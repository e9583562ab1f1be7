"""Any registered method replayed by fits: equal to the fast replays where it is linear, and adjusted over outcomes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.draw import draw_cohorts
from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
from mtvp_eval.errors import EstimationError
from mtvp_eval.inference.contrasts import cell_changes, event_study
from mtvp_eval.inference.randomization import randomization_test
from mtvp_eval.inference.refits import replay_method
from mtvp_eval.inference.replay import DrawnRegion, replay_statistics

RULE = DrawRule(Rollover.QUEUE, Misfit.SKIP, "test", date(2023, 2, 24))
FIRST, CLOCK = 9, np.arange(4, 13)


def region() -> DrawnRegion:
    rng = np.random.default_rng(4)
    size = rng.integers(1500, 6000, 30)
    applications = Applications(size, np.ones(30), int(size.sum()))
    return DrawnRegion(applications, RULE, draw_cohorts(applications, RULE, rng)[0], np.arange(30))


def panel() -> Panel:
    y = np.cumsum(np.random.default_rng(5).standard_normal((2, 30, 9)), axis=2)
    return Panel(np.arange(30).astype(object), tuple(map(str, CLOCK)), CLOCK, {"y": y[0], "z": y[1]})


def test_a_linear_method_refitted_equals_its_fast_replays() -> None:
    one, p = region(), panel()
    plan, event_time = event_study(3, leads=0, overall=True)
    numbers = np.stack([cell_changes(y, 5, plan.cohort, event_time) for y in p.outcomes.values()])
    fast = replay_statistics([one], numbers, plan, np.random.default_rng(2), 25, precision=np.float64)
    slow = replay_method(p, one, FIRST, "lottery", ["y", "z"], ["overall"], np.random.default_rng(2), 25)
    assert slow.names == ("y/overall", "z/overall")
    assert slow.estimate[0] == pytest.approx(fast.estimate[:, -1], rel=1e-9)
    assert slow.replayed[:, 0] == pytest.approx(fast.replayed[:, :, -1], rel=1e-9, abs=1e-12)
    mine = randomization_test(slow)
    assert (mine.adjusted >= mine.p_value).all()


def test_a_regression_that_is_no_contrast_of_cohorts_is_replayed_too() -> None:
    seen = replay_method(panel(), region(), FIRST, "twfe", ["y"], ["overall"], np.random.default_rng(2), 19)
    test = randomization_test(seen)
    assert np.isfinite(seen.replayed).all()
    assert 1 / 20 <= test.p_value[0, 0] <= 1


def test_what_a_method_does_not_support_is_refused() -> None:
    with pytest.raises(EstimationError, match="does not estimate"):
        replay_method(panel(), region(), FIRST, "twfe", ["y"], ["calendar"], np.random.default_rng(2), 19)
