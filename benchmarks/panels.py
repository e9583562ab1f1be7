"""Simulated panels of three sizes, the same for every package: arrays on disk, so that no pandas version matters.

python benchmarks/panels.py     # write benchmarks/data/{small,medium,large}.npz
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True)
class Size:
    """Units, periods, cohorts that adopt inside the window, and start of the random numbers."""

    title: str
    units: int
    periods: int
    cohorts: int
    seed: int

    @property
    def regions(self) -> int:
        return max(10, self.units // 20)


SIZES = {
    "small": Size("200 × 16", 200, 16, 5, 41),
    "medium": Size("5,000 × 28", 5_000, 28, 6, 42),
    "large": Size("100,000 × 28", 100_000, 28, 6, 43),
}


def simulate(size: Size) -> dict[str, np.ndarray]:
    """Return columns unit, time, entry (0 = waiting at the end), y, x, region of a panel sorted by unit and time.

    Outcome: unit and period effects, a trend and a chance of early entry that both depend on x (so that x must be
    adjusted for), shocks shared within a region, AR(1) errors, and effects that grow with time since entry and differ
    between cohorts.
    """
    rng = np.random.default_rng(size.seed)
    n, T = size.units, size.periods
    period = np.arange(1, T + 1)
    starts = np.unique(np.linspace(5, T - 2, size.cohorts).round().astype(int))
    x = rng.standard_normal(n)
    # Ranked by a noisy index of x, cut into equal parts: the last part is never seen to enter.
    rank = np.argsort(np.argsort(0.6 * x + rng.logistic(size=n)))
    entry = np.append(starts, 0)[(len(starts) + 1) * rank // n]
    region = rng.integers(0, size.regions, n)
    error = rng.standard_normal((n, T))
    for t in range(1, T):
        error[:, t] = 0.5 * error[:, t - 1] + np.sqrt(0.75) * error[:, t]
    since = np.where(entry[:, None] > 0, period - entry[:, None], -1)
    effect = np.where(since >= 0, 0.4 + 0.1 * np.minimum(since, 6) - 0.01 * entry[:, None], 0.0)
    y = (
        rng.standard_normal((n, 1)) + 0.2 * rng.standard_normal(T) + 0.05 * period + 0.02 * x[:, None] * period
        + 0.2 * rng.standard_normal((size.regions, T))[region] + effect + error
    )  # fmt: skip
    wide = {"unit": np.arange(1, n + 1), "entry": entry, "x": x, "region": region}
    columns = {name: np.repeat(values, T) for name, values in wide.items()}
    return {**columns, "time": np.tile(period, n), "y": y.ravel()}


def write(name: str) -> Path:
    """Write one size, unless it is there already, and return its file."""
    path = DATA / f"{name}.npz"
    if not path.exists():
        DATA.mkdir(exist_ok=True)
        np.savez(path.with_suffix(".part.npz"), **simulate(SIZES[name]))
        path.with_suffix(".part.npz").rename(path)
    return path


if __name__ == "__main__":
    for each in SIZES:
        print(write(each))
