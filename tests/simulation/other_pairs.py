"""What covers more than one number, or rests on more than practices: replays, regions, bands, families, trends."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import stdtrit

from mtvp_eval.clock import NEVER
from mtvp_eval.design.staggered import BasePeriod, StaggeredDesign
from mtvp_eval.estimands.aggregate import event_study, overall
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.inference.bands import multiplier_bootstrap, simultaneous_band
from mtvp_eval.inference.cluster_robust import deletion_covariance
from mtvp_eval.inference.contrasts import cell_changes
from mtvp_eval.inference.contrasts import event_study as contrasts
from mtvp_eval.inference.honest import relative_magnitudes, smoothness
from mtvp_eval.inference.honest_study import HonestStudy
from mtvp_eval.inference.multiplicity import benjamini_hochberg, p_values, romano_wolf
from mtvp_eval.inference.randomization import sharp_interval
from tests.simulation.made_regions import FIRST, RAMP, ROUNDS, Region, correlated, equal_region, panel_of
from tests.simulation.recommended_pairs import Interval

REPLAYED, REPLAY = "One effect that builds up, per practice", "replay of the draw, inverted"
SEED = 20261127
OUTCOMES = 5
Covered = dict[str, bool]


def replays(region: Region, rng: np.random.Generator) -> Iterator[Interval]:
    """The replayed test of one ramp, inverted; the truth is the mean full effect of all who were drawn."""
    plan, event_time = contrasts(ROUNDS, leads=0, overall=True)
    since = region.panel.clock[None] - region.panel.entry[:, None]
    exposed = np.where(since >= 0, RAMP[np.clip(since, 0, len(RAMP) - 1)], 0.0)
    y, d = (cell_changes(z, FIRST, plan.cohort, event_time) for z in (region.panel.outcomes["y"], exposed))
    found = sharp_interval([region.drawn], y, d, plan, rng, draws=399)
    yield Interval(REPLAYED, REPLAY, found.low[-1], found.high[-1], constant=float(region.effect[:, -1].mean()))


def regions_as_clusters(C: int, rng: np.random.Generator) -> Covered:
    """C clusters of four practices that enter at three times, with shocks in common; the effect is one."""
    n, T = 4 * C, 12
    cluster = np.repeat(np.arange(C), 4)
    entry = rng.permuted(np.tile([6, 8, 8, NEVER], (C, 1)), axis=1).ravel()
    shock = correlated(C, T, rng)[cluster] * rng.choice([0.5, 1.0], size=n)[:, None]
    y = 3 * rng.normal(size=(n, 1)) + shock + correlated(n, T, rng) + (np.arange(T)[None] >= entry[:, None])
    whole = panel_of(y, entry, np.ones(n), cluster.astype(object))

    def effect(keep: np.ndarray) -> EffectEstimates:
        panel = whole.restrict(keep, "clusters", "kept")
        design = StaggeredDesign.from_panel(panel)
        target = overall(design)
        return aggregate(callaway_santanna(panel, design, "y", cells=target.cells), design, [target])

    found = effect(np.ones(n, dtype=bool))
    row = found.to_frame().iloc[0]
    error = np.sqrt(deletion_covariance(found.estimate, lambda keep: effect(keep).estimate, cluster)[0, 0])
    half = stdtrit(C - 1, 0.975) * error
    return {
        "CR1, t on clusters less one": bool(row.ci_low <= 1 <= row.ci_high),
        "CR3 by leaving one cluster out, t": bool(abs(found.estimate[0] - 1) <= half),
    }


def bands(n: int, rng: np.random.Generator) -> Covered:
    """Bands over six event times from entry on, all at once."""
    region = equal_region(n, rng)
    design = region.design
    study = [e for e in event_study(design) if 0 <= (e.event_time or 0) <= 5]
    effects = aggregate(callaway_santanna(region.panel, design, "y"), design, study)
    found = {
        "Simultaneous band, six event times (sup-t)": simultaneous_band(effects, rng, draws=2_000),
        "Multiplier bootstrap band, as R did": multiplier_bootstrap(effects, rng, draws=1_000),
    }
    return {name: bool(((band.low <= 1) & (band.high >= 1)).all()) for name, band in found.items()}


def no_false_finding(n: int, rng: np.random.Generator) -> Covered:
    """Five outcomes that hang together and none of which is moved: no adjusted p-value at or below .05."""
    region = equal_region(n, rng)
    design, T = region.design, region.panel.n_periods
    common = correlated(n, T, rng)
    outcomes = {f"y{k}": common + correlated(n, T, rng) for k in range(OUTCOMES)}
    panel = panel_of(region.panel.outcomes["y"], region.panel.entry, region.panel.weight, **outcomes)
    target = overall(design)
    effects = EffectEstimates.stack(*(
        aggregate(callaway_santanna(panel, design, name, cells=target.cells), design, [target]) for name in outcomes
    ))  # fmt: skip
    return {
        "Romano-Wolf, five outcomes": bool((romano_wolf(effects, rng, draws=2_000) > 0.05).all()),
        "Benjamini-Hochberg, five outcomes": bool((benjamini_hochberg(p_values(effects)) > 0.05).all()),
        "five outcomes, not adjusted": bool((p_values(effects) > 0.05).all()),
    }


def if_trends_differ(n: int, rng: np.random.Generator) -> Covered:
    """Robust intervals of the first effect where trends part by a line: inside both restrictions."""
    region = equal_region(n, rng)
    slope = 0.1 * (region.panel.entry < NEVER)[:, None] * region.panel.clock
    panel = panel_of(region.panel.outcomes["y"] + slope, region.panel.entry, region.panel.weight)
    design, base = region.design, BasePeriod.UNIVERSAL
    cells = callaway_santanna(panel, design, "y", base_period=base)
    study = HonestStudy.of(aggregate(cells, design, event_study(design, base=base)), first=-4, last=1)
    post = np.eye(len(study.after))[0]
    (relative,) = relative_magnitudes(study, post, (1.0,), rng, draws=1_000)
    (smooth,) = smoothness(study, post, (0.0,))
    plain, error = study.combination(post)
    return {
        "Relative magnitudes, bound 1": bool(relative.low <= 1 <= relative.high),
        "Smoothness, M = 0": bool(smooth.low <= 1 <= smooth.high),
        "the same without allowance for trends": bool(abs(plain - 1) <= 1.96 * error),
    }


PARTS: tuple[tuple[str, Callable[[int, np.random.Generator], Covered], tuple[int, ...], int], ...] = (
    ("clusters", regions_as_clusters, (8, 12, 20, 40), 2),
    ("practices", bands, (12, 20, 40, 60), 1),
    ("practices", no_false_finding, (12, 20, 40, 60), 1),
    ("practices", if_trends_differ, (12, 20, 40, 60), 4),
)


def share(part: Callable[[int, np.random.Generator], Covered], n: int, regions: int) -> dict[str, float]:
    """Return how often each of a part's statements is right."""
    rng = np.random.default_rng([SEED, n])
    found = [part(n, rng) for _ in range(regions)]
    return {name: float(np.mean([f[name] for f in found])) for name in found[0]}


def table(regions: int) -> str:
    """Return the table of all parts; the slower ones are tried in fewer regions, as the last column says."""
    lines = ["| what | 12 (8) | 20 (12) | 40 (20) | 60 (40) | regions |", "|---|---|---|---|---|---|"]
    for unit, part, sizes, fewer in PARTS:
        found = [share(part, n, regions // fewer) for n in sizes]
        for name in found[0]:
            cells = [f"{f[name]:.3f}".lstrip("0") for f in found]
            lines.append(f"| {name}{', clusters' if unit == 'clusters' else ''} | {' | '.join(cells)} | "
                         f"{regions // fewer} |")  # fmt: skip
    lines += ["", "Practices, or clusters of four practices in brackets."]
    return "\n".join(lines)
