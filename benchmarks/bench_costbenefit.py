"""Time joint draws and acceptability at full size; run: python benchmarks/bench_costbenefit.py."""

from __future__ import annotations

import resource
import time

import numpy as np

from mtvp_eval.costbenefit.decision import acceptability
from mtvp_eval.costbenefit.flows import FlowModel
from mtvp_eval.costbenefit.joint_draws import InputDraws, evaluate

DRAWS, LINES, YEARS, PARTIES, EFFECTS = 10_000, 50, 10, 12, 20


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def joint() -> None:
    """10,000 draws x 50 lines x 10 years x 12 parties, every share and price drawn: under 1 s and 1 GiB."""
    rng = np.random.default_rng(1)
    flows = FlowModel(
        weight=rng.normal(size=(LINES, YEARS, EFFECTS + 1)),
        persistence=rng.random((LINES, YEARS)),
        cashable=rng.random((LINES, YEARS)),
        avoidable=rng.random((LINES, YEARS)),
        paid=rng.random((LINES, YEARS)),
        unfilled=rng.random((LINES, YEARS)),
        price_payer=rng.random((LINES, YEARS)),
        price_resource=rng.random((LINES, YEARS)),
        payer=rng.integers(0, PARTIES, LINES),
        receiver=rng.integers(0, PARTIES, LINES),
        n_parties=PARTIES,
    )
    theta = rng.normal(size=(DRAWS, EFFECTS))
    price, scale = rng.random((DRAWS, LINES)), rng.random((DRAWS, 3, YEARS))
    cash, avoid = rng.random((2, DRAWS, LINES, YEARS))
    group = rng.integers(0, 3, LINES)
    drawn = InputDraws(price, scale, group, cash, avoid)
    took = seconds(lambda: evaluate(flows, theta, drawn))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"- joint draws: {took:.2f} s (limit 1 s), peak {peak:.2f} GiB (limit 1 GiB)")


def grid() -> None:
    """CEAC and EVPI of 10,000 draws x 4 options on 500 thresholds: at least 20 times a loop over thresholds."""
    rng = np.random.default_rng(2)
    effects, costs = rng.normal(size=(DRAWS, 4)), 2e4 * rng.normal(size=(DRAWS, 4))
    thresholds = np.linspace(0.0, 80_000.0, 500)

    def loop() -> None:
        for k in thresholds:
            nb = k * effects - costs
            np.bincount(nb.argmax(axis=1), minlength=4) / DRAWS
            nb.max(axis=1).mean() - nb.mean(axis=0).max()

    once = min(seconds(lambda: acceptability(effects, costs, thresholds)) for _ in range(3))
    looped = seconds(loop)
    print(f"- acceptability: {once:.4f} s, loop {looped:.3f} s: {looped / once:.0f} times faster (limit 20)")


if __name__ == "__main__":
    joint()
    grid()
