"""Exact chances: subset recursion, enumeration and replay must agree; chances that are 0 or 1 compare nobody."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from mtvp_eval.design.draw import draw_cohorts
from mtvp_eval.design.probabilities import entry_probabilities, exact_probabilities, first_round_probabilities
from mtvp_eval.design.rules import Applications, Cap, DrawRule, FinalRound, Misfit, Oversize, Rollover
from mtvp_eval.errors import DesignError

SIZE = np.array([1700, 2493, 3847, 3876, 4077, 4361, 4918, 5128])


def rule(rollover: str, misfit: str, **kwargs: object) -> DrawRule:
    return DrawRule(Rollover(rollover), Misfit(misfit), "test", date(2023, 2, 24), **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("misfit", list(Misfit))
@pytest.mark.parametrize("rollover", list(Rollover))
@pytest.mark.parametrize("extra", [{}, {"cap": Cap.CUMULATIVE}, {"final_round": FinalRound.CAPPED}])
def test_exact_chances_agree_with_replay(rollover: Rollover, misfit: Misfit, extra: dict[str, object]) -> None:
    withdrawn = np.array([99, 99, 2, 99, 99, 99, 3, 99])
    applications = Applications(
        SIZE, np.array([1, 1, 1, 1, 2, 1, 2, 3]), 30400, withdrawn, priority=np.array([0, 0, 1, 0, 0, 1, 0, 0])
    )
    reading = rule(rollover, misfit, **extra)
    exact = exact_probabilities(applications, reading).probability
    draws = 20_000
    cohorts = draw_cohorts(applications, reading, np.random.default_rng(3), draws)
    share = np.stack([(cohorts == number).mean(axis=0) for number in range(5)], axis=1)
    error = np.sqrt(exact * (1 - exact) / draws)
    # 40 numbers in 48 settings, so 5 standard errors; where the chance is 0 or 1 the replay must say so exactly.
    assert (abs(share - exact) <= 5 * error + 1e-12).all()
    assert exact.sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_subset_recursion_equals_enumeration_and_reaches_twenty() -> None:
    applications = Applications(SIZE, np.ones(8), 30400)
    queue = exact_probabilities(applications, rule("queue", "skip")).probability
    # sums of at most 40,320 doubles
    assert first_round_probabilities(applications, rule("queue", "skip")) == pytest.approx(queue[:, 1], abs=1e-12)
    rng = np.random.default_rng(4)
    size = rng.integers(1500, 9000, 20)
    many = Applications(size, np.ones(20), int(size.sum()))
    exact = first_round_probabilities(many, rule("queue", "skip"))
    replay = entry_probabilities(many, rule("queue", "skip"), rng, 20_000)
    assert replay.draws == 20_000
    assert (abs(replay.probability[:, 1] - exact) < 4.5 * replay.std_error[:, 1]).all()  # 20 numbers
    assert replay.std_error.max() < 0.0036


def test_oversize_policies_have_their_exact_chances() -> None:
    big = Applications(np.array([3000, 500, 500, 500, 500, 1000]), np.ones(6), region_total=6000)
    outside = exact_probabilities(big, rule("redraw", "skip", oversize=Oversize.OUTSIDE)).probability
    assert outside[0].tolist() == [0, 1, 0, 0, 0]
    assert first_round_probabilities(big, rule("redraw", "skip", oversize=Oversize.OUTSIDE))[0] == 1
    waits = exact_probabilities(big, rule("redraw", "close", oversize=Oversize.WAITS)).probability
    assert waits[0].tolist() == pytest.approx([0, 0, 0, 0, 1])
    alone = exact_probabilities(big, rule("queue", "skip", oversize=Oversize.ALONE)).probability
    assert alone[0, 1] == pytest.approx(1 / 6)  # first of six


def test_comparisons_need_two_open_chances() -> None:
    # Two late applicants: they cannot start in round 1, so only the six of round 1 compare in it.
    applications = Applications(SIZE, np.array([1] * 6 + [2] * 2), 30400)
    p = exact_probabilities(applications, rule("redraw", "skip"))
    assert p.compares(cohort=1, after=1).tolist() == [True] * 6 + [False] * 2
    assert p.compares(cohort=2, after=2)[6:].all()
    undersubscribed = Applications(SIZE, np.ones(8), 4 * 30400)
    everyone = exact_probabilities(undersubscribed, rule("redraw", "skip"))
    assert not everyone.compares(cohort=1, after=1).any()


def test_too_many_applicants_for_an_exact_answer_are_refused() -> None:
    many = Applications(np.full(21, 100), np.ones(21), 2100)
    with pytest.raises(DesignError, match="out of reach"):
        exact_probabilities(many, rule("queue", "skip"))
    with pytest.raises(DesignError, match="at most 20"):
        first_round_probabilities(many, rule("queue", "skip"))
    with pytest.raises(DesignError, match="misfit=skip"):
        first_round_probabilities(Applications(SIZE, np.ones(8), 30400), rule("queue", "close"))
