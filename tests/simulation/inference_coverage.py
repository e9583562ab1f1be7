"""Coverage of 95 % intervals in regions of 12 to 40 practices; prints the table of docs/inference.md.

    python -m tests.simulation.inference_coverage

Practices: unequal lists (log-normal, 0.5), noise that falls with list size, AR(1) errors (0.5), levels that differ.
Entry is drawn: a third each in two rounds, a third waits. The effect is 1 a quarter for everybody, so that two-way
fixed effects estimate it as well. One replicate serves all methods.
"""

import sys

import numpy as np

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.inference.cluster_robust import Kind, cluster_robust, two_way_rows
from mtvp_eval.inference.score_bootstrap import score_bootstrap, sides
from mtvp_eval.inference.wild_bootstrap import wild_cluster_bootstrap

DRAWS = 499
PERIODS = np.arange(12)


def region(n, rng):
    """Panel of n practices with frozen list size as weight."""
    size = np.exp(7.7 + 0.5 * rng.normal(size=n))
    entry = rng.permutation(np.resize([6, 8, NEVER], n))
    noise = rng.normal(size=(n, len(PERIODS))) * np.sqrt(2200 / size)[:, None]
    for t in range(1, len(PERIODS)):
        noise[:, t] += 0.5 * noise[:, t - 1]
    y = 3 * rng.normal(size=(n, 1)) + noise + (PERIODS[None, :] >= entry[:, None])
    ids = np.arange(n).astype(object)
    return Panel(ids, tuple(map(str, PERIODS)), PERIODS, {"y": y}, weight=size, entry=entry)


def inside(low, high):
    return low <= 1.0 <= high


def one(n, rng):
    """Whether each method's interval holds the truth, in one region; a method that refuses is left out."""
    panel, found = region(n, rng), {}
    design = StaggeredDesign.from_panel(panel)
    for weighting in (Weighting.PRACTICE, Weighting.PATIENT):
        target = overall(design, weighting)
        cells = callaway_santanna(panel, design, "y", weighting=weighting, cells=target.cells)
        effects = aggregate(cells, design, [target])
        for name, correction in (("normal", "none"), ("HC2, Satterthwaite t", "hc2")):
            row = effects.with_correction(correction).to_frame()
            found[f"Callaway-Sant'Anna, per {weighting}", name] = inside(row.ci_low[0], row.ci_high[0])
        try:
            boot = score_bootstrap(effects, *sides(design, target.cells), rng, draws=DRAWS)
        except EstimationError:
            continue
        found[f"Callaway-Sant'Anna, per {weighting}", "wild score bootstrap"] = inside(boot.low[0], boot.high[0])
    D = (PERIODS[None, :] >= panel.entry[:, None]).astype(float)
    rows = two_way_rows(panel.outcomes["y"], D[:, :, None], np.arange(n))
    for name, kind in (("CR1, t", Kind.CR1), ("CR2, Satterthwaite t", Kind.CR2), ("CV3, t", Kind.CV3)):
        found["Two-way fixed effects", name] = inside(*cluster_robust(rows, kind).interval()[0])
    try:
        test = wild_cluster_bootstrap(rows, D.ravel() == 1, rng, null=1.0, draws=DRAWS)
        found["Two-way fixed effects", "wild cluster bootstrap (31)"] = test.p_value > 0.05
    except EstimationError:
        pass
    return found


def coverage(n, replicates, seed=20261123):
    """Share of regions of n practices in which each pair's interval holds the truth."""
    rng = np.random.default_rng([seed, n])
    results = [one(n, rng) for _ in range(replicates)]
    pairs = dict.fromkeys(pair for result in results for pair in result)
    return {pair: float(np.mean([r[pair] for r in results if pair in r])) for pair in pairs}


def table(sizes, replicates):
    """The coverage table in Markdown; the Monte Carlo error is that of a coverage of .95."""
    by_size = {n: coverage(n, replicates) for n in sizes}
    pairs = dict.fromkeys(pair for found in by_size.values() for pair in found)
    lines = [
        f"| estimator | interval | {' | '.join(f'{n} practices' for n in sizes)} |",
        "|---|---|" + "---|" * len(sizes),
    ]
    for pair in pairs:
        shown = [f"{by_size[n][pair]:.3f}" if pair in by_size[n] else "refused" for n in sizes]
        lines.append(f"| {pair[0]} | {pair[1]} | {' | '.join(shown)} |")
    error = np.sqrt(0.95 * 0.05 / replicates)
    return "\n".join([*lines, "", f"{replicates} regions a column; Monte Carlo error {error:.3f}."])


if __name__ == "__main__":
    sys.stdout.write(table((12, 20, 30, 40), int(sys.argv[1]) if len(sys.argv) > 1 else 800) + "\n")
