"""Time replays of the declared draw; run: python benchmarks/bench_replay.py."""

from __future__ import annotations

import time
from datetime import date

import numpy as np

from mtvp_eval.design.draw import replay_cohorts
from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
from mtvp_eval.inference.contrasts import cell_changes, event_study
from mtvp_eval.inference.randomization import randomization_test
from mtvp_eval.inference.replay import DrawnRegion, replay_statistics

DRAWS = 10_000


def best(work) -> float:
    """Return the least of three runs: what the machine needs when nothing else runs."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def regions(number: int, practices: int, rng: np.random.Generator) -> list[Applications]:
    made = []
    for _ in range(number):
        size = np.clip(3800 * np.exp(0.5 * rng.standard_normal(practices) - 0.125), 1500, 12000).astype(int)
        made.append(Applications(size, np.ones(practices), int(size.sum())))
    return made


def rule(rollover: Rollover) -> DrawRule:
    return DrawRule(rollover, Misfit.SKIP, "benchmark", date(2023, 2, 24))


def draws_only(number: int, practices: int, rollover: Rollover) -> float:
    rng = np.random.default_rng(1)
    parts = regions(number, practices, rng)
    return best(lambda: [replay_cohorts(part, rule(rollover), rng, DRAWS) for part in parts])


def six_outcomes(number: int, practices: int, periods: int) -> float:
    """Draw, estimate and studentise the event study (two leads, three lags) of six outcomes in every replay."""
    rng = np.random.default_rng(2)
    parts = regions(number, practices, rng)
    plan, event_time = event_study(3, leads=2)
    y = rng.standard_normal((6, number * practices, periods))
    numbers = np.stack([cell_changes(one, periods - 4, plan.cohort, event_time) for one in y])
    drawn = [
        DrawnRegion(
            part, rule(Rollover.QUEUE), replay_cohorts(part, rule(Rollover.QUEUE), rng, 1)[0].astype(int),
            np.arange(r * practices, (r + 1) * practices),
        )
        for r, part in enumerate(parts)
    ]  # fmt: skip
    return best(lambda: randomization_test(replay_statistics(drawn, numbers, plan, rng, DRAWS)))


def main() -> None:
    print("### Replays of the draw, 10,000 each\n\n| work | seen, s | limit, s |\n|---|---|---|")
    for title, seen, limit in (
        ("queue, 120 practices", draws_only(1, 120, Rollover.QUEUE), 0.1),
        ("queue, 40 regions of 125 practices", draws_only(40, 125, Rollover.QUEUE), 1),
        ("redraw, 40 regions of 125 practices", draws_only(40, 125, Rollover.REDRAW), 4),
        ("event study of six outcomes, 120 practices × 16 quarters", six_outcomes(1, 120, 16), 1),
        ("event study of six outcomes, 40 regions of 125 practices × 28 quarters", six_outcomes(40, 125, 28), 8),
    ):
        print(f"| {title} | {seen:.3g} | {limit}{'' if seen <= limit else ', missed'} |")
    print()


if __name__ == "__main__":
    main()
