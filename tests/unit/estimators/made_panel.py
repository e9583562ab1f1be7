"""A small made panel: cohorts entering in periods 3 and 5 and a never-enrolled one, with a trend that bends with x."""

import numpy as np

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel


def made_panel(seed=1, missing=0.0, sizes=(12, 9, 15), T=7, effect=1.0):
    """Outcome y = unit + period + 0.3 x t + effect (1 + time since entry) + noise; `size` weights, five clusters."""
    rng = np.random.default_rng(seed)
    entry = np.repeat([3, 5, NEVER], sizes)
    n, clock = len(entry), np.arange(1, T + 1)
    x = rng.normal(size=n) + (entry == 3)
    since = clock - entry[:, None]
    y = rng.normal(size=(n, 1)) + np.sin(clock) + 0.3 * x[:, None] * clock + 0.5 * rng.normal(size=(n, T))
    y = y + np.where(since >= 0, effect * (1.0 + since), 0.0)
    if missing:
        y[rng.random((n, T)) < missing] = np.nan
    return Panel(
        np.array([f"u{i}" for i in range(n)], dtype=object), tuple(map(str, clock)), clock, {"y": y},
        weight=rng.uniform(1000, 4000, n), baseline={"x": x}, entry=entry,
    )  # fmt: skip
