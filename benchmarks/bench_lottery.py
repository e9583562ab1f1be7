"""Time draws and replays on one core; run: OPENBLAS_NUM_THREADS=1 python benchmarks/bench_lottery.py [RUNS].

Seconds are processor time of the least of RUNS runs (default 3), which other work on the machine disturbs less than the
clock on the wall. Lists are lognormal with mean 3,800, cut to 1,500 to 12,000; the cap is a quarter of the region.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date

import numpy as np

from mtvp_eval.design.draw import replay_cohorts
from mtvp_eval.design.probabilities import exact_probabilities
from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Oversize, Rollover
from mtvp_eval.inference.contrasts import cell_changes, event_study
from mtvp_eval.inference.randomization import randomization_test
from mtvp_eval.inference.replay import DrawnRegion, replay_statistics

DRAWS, OUTCOMES, LEADS, ROUNDS = 10_000, 6, 7, 3


def applicants(practices: int, seed: int) -> Applications:
    """One region in which everybody applied at once."""
    z = np.random.default_rng(seed).standard_normal(practices)
    size = np.clip(3800 * np.exp(0.5 * z - 0.125), 1500, 12000).astype(np.int64)
    return Applications(size, np.ones(practices, dtype=np.int64), int(size.sum()))


def rule(rollover: Rollover, misfit: Misfit) -> DrawRule:
    return DrawRule(rollover, misfit, "benchmark", date(2023, 2, 24), oversize=Oversize.OUTSIDE)


def draws(regions: list[Applications], declared: DrawRule) -> Callable[[], object]:
    def go() -> None:
        for region in regions:
            replay_cohorts(region, declared, np.random.default_rng(1), DRAWS)

    return go


def replays(regions: list[Applications], quarters: int) -> Callable[[], object]:
    """Test six outcomes at every horizon, seven leads and three quarters from the start on, and their average."""
    rng = np.random.default_rng(2)
    declared = rule(Rollover.QUEUE, Misfit.SKIP)
    plan, event_time = event_study(ROUNDS, LEADS, overall=True)
    n = regions[0].n
    drawn = [
        DrawnRegion(a, declared, replay_cohorts(a, declared, rng, 1)[0].astype(np.int64), np.arange(n) + n * k)
        for k, a in enumerate(regions)
    ]
    y = rng.standard_normal((OUTCOMES, n * len(regions), quarters))
    numbers = np.stack([cell_changes(one, quarters - ROUNDS, plan.cohort, event_time) for one in y])
    return lambda: randomization_test(replay_statistics(drawn, numbers, plan, np.random.default_rng(3), DRAWS))


def work() -> Iterator[tuple[str, Callable[[], object], float]]:
    """Yield what is timed, how, and the limit in seconds."""
    one, forty = [applicants(120, 1)], [applicants(125, k) for k in range(40)]
    for rollover in (Rollover.QUEUE, Rollover.REDRAW):
        for misfit in (Misfit.SKIP, Misfit.CLOSE, Misfit.ADMIT):
            declared = rule(rollover, misfit)
            if rollover is Rollover.QUEUE:
                yield f"10,000 draws, 120 practices, {rollover} + {misfit}", draws(one, declared), 0.1
            limit = 1.0 if rollover is Rollover.QUEUE else 4.0
            yield f"10,000 draws, 40 x 125 practices, {rollover} + {misfit}", draws(forty, declared), limit
    yield "10,000 replays, six outcomes, 120 practices x 16 quarters", replays(one, 16), 1.0
    yield "10,000 replays, six outcomes, 40 x 125 practices x 28 quarters", replays(forty, 28), 8.0
    nine = applicants(9, 5)
    waits = DrawRule(Rollover.QUEUE, Misfit.SKIP, "benchmark", date(2023, 2, 24), oversize=Oversize.WAITS)
    yield "exact chances, all 362,880 orders of 9 practices", lambda: exact_probabilities(nine, waits), 2.0


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print("| work | seen, s | limit, s |\n|---|---|---|")
    for what, go, limit in work():
        seen = []
        for _ in range(runs):
            start = time.process_time()
            go()
            seen.append(time.process_time() - start)
        print(f"| {what} | {min(seen):.3f} | {limit:g} |", flush=True)
    print(f"\nnumpy {np.__version__}, one of {os.cpu_count()} processors; load {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
