"""Coverage of 95 % intervals in small regions; writes the tables of docs/inference.md.

    python -m tests.simulation.inference_coverage [REGIONS] [--write docs/inference.md]

One region serves all pairs of estimator and interval. The capped draw has two truths: of the practices of the region
itself (the draw is random), and of regions made alike (the practices are random too).
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from tests.simulation import other_pairs, recommended_pairs
from tests.simulation.made_regions import Region, capped_region, equal_region
from tests.simulation.recommended_pairs import Interval, advised

SEED = 20261126
EQUAL, CAPPED, LARGE = (12, 20, 40), (20, 40), (60,)
FEW = 5
"""Regions in which the slow methods are tried: one in five."""
BEGIN, END = "<!-- coverage: made by tests/simulation/inference_coverage.py -->", "<!-- end of coverage -->"


@dataclass
class Tally:
    """Count how often a pair's interval held each truth, of how many, and how many regions it could have served."""

    held: list[int] = field(default_factory=lambda: [0, 0])
    made: int = 0
    asked: int = 0

    @property
    def shares(self) -> tuple[float, float]:
        """Coverage of the finite and of the expected truth."""
        return self.held[0] / self.made, self.held[1] / self.made


Tallies = dict[tuple[str, str], Tally]


def equal_pairs(region: Region, rng: np.random.Generator, slow: bool) -> Iterator[Interval]:
    """All pairs for equal chances and a constant effect."""
    yield from recommended_pairs.cohort_means(region, rng)
    yield from recommended_pairs.regressions(region)
    yield from recommended_pairs.regressions(region, ("log_list_size",))
    yield from recommended_pairs.by_lottery(region)
    yield from recommended_pairs.two_way(region, rng)
    yield from recommended_pairs.counts(region)
    if slow:
        yield from recommended_pairs.wedge(region)


def capped_pairs(region: Region, rng: np.random.Generator, slow: bool) -> Iterator[Interval]:
    """All pairs that allow effects to build up."""
    yield from recommended_pairs.cohort_means(region, rng)
    yield from recommended_pairs.regressions(region)
    yield from recommended_pairs.regressions(region, ("log_list_size",))
    yield from recommended_pairs.by_lottery(region)
    yield from recommended_pairs.counts(region)
    if slow:
        yield from other_pairs.replays(region, rng)
        yield from recommended_pairs.wedge(region)


def large_pairs(region: Region, rng: np.random.Generator, slow: bool) -> Iterator[Interval]:
    """What changes from fifty units on."""
    yield from recommended_pairs.authors_own(region)


MAKERS = {
    "equal": (equal_region, equal_pairs),
    "capped": (capped_region, capped_pairs),
    "large": (equal_region, large_pairs),
}


def coverage(kind: str, n: int, regions: int) -> Tallies:
    """Return the tally of every pair over so many regions of n practices."""
    make, pairs = MAKERS[kind]
    rng = np.random.default_rng([SEED, n])
    found: Tallies = {}
    for r in range(regions):
        region = make(n, rng)
        for row in pairs(region, rng, r % FEW == 0):
            tally = found.setdefault(row.pair, Tally())
            tally.made += 1
            for k, truth in enumerate(truths(region, row)):
                tally.held[k] += bool(row.low <= truth <= row.high)
    for pair, tally in found.items():
        tally.asked = len(range(0, regions, FEW)) if pair in SLOW else regions
    return found


SLOW = {
    ("Stepped wedge, mixed model", "Kenward-Roger t"),
    ("Stepped wedge, estimating equations", "Mancl-DeRouen, t"),
    (other_pairs.REPLAYED, other_pairs.REPLAY),
}


def truths(region: Region, row: Interval) -> tuple[float, float]:
    """Return what the interval should hold: for these practices, and for regions made alike."""
    if row.estimand is None or region.drawn is None:
        return row.constant, row.constant
    return (
        region.finite_truth(row.estimand, row.population),
        region.expected_truth(row.estimand, row.sampling),
    )


def verdict(tallies: list[Tally | None], truth: int) -> str:
    """Say whether coverage lies within two Monte Carlo errors of .95, or above it, at every size."""
    known = [t for t in tallies if t is not None and t.made >= 0.5 * t.asked]
    if not known:
        return "refused"
    gaps = [t.shares[truth] - 0.95 + 2 * np.sqrt(0.95 * 0.05 / t.made) for t in known]
    if min(gaps) >= 0:
        return "yes"
    return "nearly" if min(gaps) >= -0.02 else "no"


def shown(tally: Tally | None, both: bool) -> str:
    """Return one cell of a table: coverage, and in brackets the share of regions refused where it is not small."""
    if tally is None:
        return "refused"
    text = " / ".join(f"{share:.3f}".lstrip("0") for share in tally.shares[: 2 if both else 1])
    refused = 1 - tally.made / tally.asked
    return f"{text} ({refused:.0%} refused)" if refused > 0.02 else text


def table(by_size: dict[int, Tallies], both: bool) -> str:
    """Return a coverage table in Markdown, one row a pair."""
    pairs = dict.fromkeys(pair for found in by_size.values() for pair in found)
    head = ["estimator", "interval", *(f"{n} practices" for n in by_size), "holds", "advised"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for pair in pairs:
        row = [found.get(pair) for found in by_size.values()]
        cells = [shown(tally, both) for tally in row]
        lines.append(f"| {' | '.join([*pair, *cells, verdict(row, 0), 'yes' if advised(pair) else 'no'])} |")
    return "\n".join(lines)


def written(
    equal: dict[int, Tallies], capped: dict[int, Tallies], large: dict[int, Tallies], other: str, regions: int
) -> str:
    """Return the part of the page between the markers."""
    error, few = (np.sqrt(0.95 * 0.05 / r) for r in (regions, regions / FEW))
    return "\n\n".join([
        BEGIN,
        "### Equal chances, constant effect",
        table(equal, both=False),
        "### The programme's capped draw, effects that build up",
        "Coverage for the practices of the region / for regions made alike.",
        table(capped, both=True),
        "### From fifty units on: equal chances, the authors' own variances beside the default",
        table(large, both=False),
        f"{regions} regions a column, Monte Carlo error {error:.3f}; stepped wedge and replays {regions // FEW}, "
        f"{few:.3f}.",
        "### Clusters above the practice, several entries at once, sensitivity",
        other,
        END,
    ])  # fmt: skip


def main() -> None:
    """Run everything and print it, or put it between the markers of a page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("regions", nargs="?", type=int, default=800)
    asked.add_argument("--workers", type=int, default=1)
    asked.add_argument("--write", type=Path)
    options = asked.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        columns = {
            (kind, n): pool.submit(coverage, kind, n, options.regions)
            for kind, sizes in (("capped", CAPPED), ("equal", EQUAL), ("large", LARGE))
            for n in sizes
        }
        rest = pool.submit(partial(other_pairs.table, options.regions))
        equal = {n: columns["equal", n].result() for n in EQUAL}
        capped = {n: columns["capped", n].result() for n in CAPPED}
        large = {n: columns["large", n].result() for n in LARGE}
        text = written(equal, capped, large, rest.result(), options.regions)
    if options.write is None:
        sys.stdout.write(text + "\n")
        return
    page = options.write.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    options.write.write_text(before + text + after, encoding="utf-8")


if __name__ == "__main__":
    main()
