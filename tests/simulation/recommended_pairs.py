"""Every estimator with every interval that docs/inference.md recommends for it, as functions of a made region."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri, stdtrit

from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.errors import EstimationError
from mtvp_eval.estimands.aggregate import event_study, overall, overall_event
from mtvp_eval.estimands.estimand import Estimand, Population, Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.counts import Scale
from mtvp_eval.estimators.dcdh import dcdh
from mtvp_eval.estimators.etwfe import etwfe
from mtvp_eval.estimators.etwfe_poisson import etwfe_poisson
from mtvp_eval.estimators.imputation import imputation
from mtvp_eval.estimators.local_projections import local_projections
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.lottery_default import lottery_default
from mtvp_eval.estimators.lottery_efficient import lottery_efficient
from mtvp_eval.estimators.lottery_weighted import lottery_weighted
from mtvp_eval.estimators.poisson_fe import poisson_fe
from mtvp_eval.estimators.registry import published
from mtvp_eval.estimators.replicates import Replicates
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.estimators.stacked import stacked
from mtvp_eval.estimators.stepped_wedge import stepped_wedge
from mtvp_eval.estimators.stepped_wedge_gee import stepped_wedge_gee
from mtvp_eval.estimators.sun_abraham import sun_abraham
from mtvp_eval.estimators.twfe import twfe
from mtvp_eval.estimators.two_stage import two_stage
from mtvp_eval.inference.cluster_robust import Kind, cluster_robust, two_way_rows
from mtvp_eval.inference.contrasts import drawn_plan
from mtvp_eval.inference.recentring import replayed_estimator
from mtvp_eval.inference.score_bootstrap import score_bootstrap, sides
from mtvp_eval.inference.wild_bootstrap import wild_cluster_bootstrap
from tests.simulation.made_regions import FIRST, ROUNDS, Region

DRAWS = 499
HC2 = "HC2 by cohort, Satterthwaite t"
NORMAL = "normal"
WILD = "wild score bootstrap"
AUTHORS = "the authors' own"
TWFE = "Two-way fixed effects"
NOT_ADVISED = (
    "Starts and stops (dCDH), total",
    "Imputation, list size",
    "Two-stage, list size",
    "Extended two-way regression, list size",
    "Local projections, mean over event times, list size",
    "Stepped wedge, mixed model",
    "Efficient (Roth-Sant'Anna), share estimated",
    "Extended Poisson regression",
    "Weighted by chances of entry, per patient",
)
"""How estimators begin whose interval covers too little in small regions: docs/inference.md says what else to use."""


def advised(pair: tuple[str, str]) -> bool:
    """Whether docs/inference.md advises this interval for this estimator in a region of 12 to 40 practices."""
    estimator, interval = pair
    if interval == WILD and "list size" in estimator:  # covariates use up what few practices know
        return False
    return interval not in (NORMAL, AUTHORS) and not estimator.startswith(NOT_ADVISED)


@dataclass(frozen=True)
class Interval:
    """One interval in one region; what it should hold follows from estimand, population and sampling."""

    estimator: str
    interval: str
    low: float
    high: float
    estimand: Estimand | None = None
    population: Population = Population.TREATED
    sampling: str = "superpopulation"
    constant: float = 1.0

    @property
    def pair(self) -> tuple[str, str]:
        """Name of the pair."""
        return self.estimator, self.interval


def read(name: str, effects: EffectEstimates, estimand: Estimand | None, interval: str = "", **more) -> Interval:
    """Return the first entry's interval, the same that ``to_frame`` shows."""
    df, centre = float(effects.df()[0]), float(effects.estimate[0])
    half = (stdtrit(df, 0.975) if np.isfinite(df) else ndtri(0.975)) * float(effects.std_error()[0])
    sampling, population = effects.sampling, effects.index[0].population
    interval = interval or (HC2 if effects.correction == "hc2" else NORMAL)
    return Interval(name, interval, centre - half, centre + half, estimand, population, sampling, **more)


def each(*pairs: Callable[[], Iterator[Interval]]) -> Iterator[Interval]:
    """Yield what every pair gives; one that refuses this region has no interval in it."""
    for pair in pairs:
        try:
            yield from pair()
        except EstimationError:
            continue


def cohort_means(region: Region, rng: np.random.Generator) -> Iterator[Interval]:
    """Callaway-Sant'Anna in both weightings, with and without the covariate, by three intervals."""
    panel, design = region.panel, region.design

    def one(weighting: Weighting, covariates: tuple[str, ...] = (), way: str = "") -> Iterator[Interval]:
        target = overall(design, weighting)
        name = f"Callaway-Sant'Anna, per {weighting}" + (f", list size, {way}" if way else "")
        cells = callaway_santanna(
            panel, design, "y", weighting=weighting, cells=target.cells, covariates=covariates,
            method="reg" if way == "regression" else "dr",
        )  # fmt: skip
        effects = aggregate(cells, design, [target])
        if not way:
            yield read(name, effects.with_correction("none"), target, NORMAL)
        yield read(name, effects, target)
        boot = score_bootstrap(effects, *sides(design, target.cells), rng, draws=DRAWS)
        yield Interval(name, WILD, boot.low[0], boot.high[0], target, sampling=effects.sampling)

    for weighting in Weighting:
        yield from each(lambda w=weighting: one(w))
        yield from each(
            lambda w=weighting: one(w, ("log_list_size",), "doubly robust"),
            lambda w=weighting: one(w, ("log_list_size",), "regression"),
        )


def regressions(region: Region, covariates: tuple[str, ...] = ()) -> Iterator[Interval]:
    """The saturated regressions, the stack, local projections, starts and stops."""
    panel, design = region.panel, region.design
    target, more = overall(design), ", list size" if covariates else ""

    def averaged(name: str, method: Callable[..., EffectEstimates]) -> Iterator[Interval]:
        yield read(name + more, aggregate(method(panel, design, "y", covariates=covariates), design, [target]), target)

    def by_horizon() -> Iterator[Interval]:
        found = local_projections(panel, design, "y", covariates=covariates).select(estimand="overall_event")
        yield read(f"Local projections, mean over event times{more}", found, overall_event(design))

    def first_quarter() -> Iterator[Interval]:
        at_entry = next(e for e in event_study(design) if e.event_time == 0)
        yield read("Stack, first quarter", stacked(panel, design, "y", after=0).select(event_time=0), at_entry)

    def switched() -> Iterator[Interval]:
        yield read("Starts and stops (dCDH), total", dcdh(panel, design, "y").select(estimand="overall"), target)

    yield from each(
        lambda: averaged("Sun-Abraham", sun_abraham),
        lambda: averaged("Imputation", imputation),
        lambda: averaged("Two-stage", two_stage),
        lambda: averaged("Extended two-way regression", etwfe),
        by_horizon,
        *(() if covariates else (first_quarter, switched)),
    )


def two_way(region: Region, rng: np.random.Generator) -> Iterator[Interval]:
    """Two-way fixed effects, right only where the effect is one number."""
    panel, design = region.panel, region.design
    D = (panel.clock[None, :] >= panel.entry[:, None]).astype(float)
    rows = two_way_rows(panel.outcomes["y"], D[:, :, None], np.arange(len(D)))

    def robust(name: str, kind: Kind) -> Iterator[Interval]:
        yield Interval(TWFE, name, *cluster_robust(rows, kind).interval()[0])

    def wild() -> Iterator[Interval]:
        test = wild_cluster_bootstrap(rows, D.ravel() == 1, rng, null=1.0, draws=DRAWS)
        inside = test.p_value > 0.05  # the test inverted at the truth alone, which is all that coverage asks
        yield Interval(TWFE, "wild cluster bootstrap (31)", *((0.0, 2.0) if inside else (2.0, 3.0)))

    yield from each(
        lambda: iter([read(TWFE, twfe(panel, design, "y"), None)]),
        lambda: robust("CR1, t", Kind.CR1),
        lambda: robust("CR2, Satterthwaite t", Kind.CR2),
        lambda: robust("CV3, t", Kind.CV3),
        wild,
    )


def counts(region: Region) -> Iterator[Interval]:
    """Poisson methods with list size as exposure; the one with unit effects is right only where the effect is one."""
    panel, design, ratio = region.panel, region.design, region.rate_ratio
    methods = [
        ("Extended Poisson regression", etwfe_poisson),
        ("Extended Poisson regression, list size", etwfe_poisson),
    ]
    if region.drawn is None:
        methods.append(("Poisson with unit effects", poisson_fe))

    def rate(name: str, method: Callable[..., EffectEstimates], scale: Scale, truth: float) -> Iterator[Interval]:
        more = {"covariates": ("log_list_size",)} if name.endswith("list size") else {}
        found = method(panel, design, "count", exposure="patients", scale=scale, **more).select(estimand="overall")
        yield read(f"{name}, {scale} scale", found, None, constant=truth)

    for name, method in methods:
        for scale, truth in ((Scale.LOG, float(np.log(ratio))), (Scale.RATIO, ratio - 1)):
            yield from each(lambda n=name, m=method, s=scale, t=truth: rate(n, m, s, t))


def by_lottery(region: Region) -> Iterator[Interval]:
    """What the draw itself identifies: means, the default with and without recentring, the efficient estimator."""
    panel, drawn = region.panel, LotteryDesign.one_block(region.design)

    def means(weighting: Weighting) -> Iterator[Interval]:
        target = overall(drawn, weighting)
        found = lottery(panel, drawn, "y", weighting=weighting, cells=target.cells)
        yield read(f"Lottery means, per {weighting}", aggregate(found, drawn, [target]), target)

    def default(weighting: Weighting) -> Iterator[Interval]:
        target = overall(drawn, weighting)
        found = lottery_default(panel, drawn, "y", [target])
        row = read(f"Lottery default, per {weighting}", found.effects, target)
        yield row
        if region.drawn is not None and weighting is Weighting.PRACTICE:
            shift = replayed_bias(region, target, found.effects.estimate, found.beta[0])
            name = f"{row.estimator}, recentred by replay"
            yield replace(row, estimator=name, low=row.low - shift, high=row.high - shift)

    def weighted(weighting: Weighting) -> Iterator[Interval]:
        target = overall(drawn, weighting)
        chances = replace(drawn, entry_probability=entry_chances(region))
        found = lottery_weighted(panel, chances, "y", weighting=weighting, cells=target.cells)
        name = f"Weighted by chances of entry, per {weighting}"
        yield read(name, aggregate(found, chances, [target]), target)

    def efficient(beta: float | None) -> Iterator[Interval]:
        target = overall(drawn)
        name = "Efficient (Roth-Sant'Anna), " + ("share estimated" if beta is None else "share fixed at 1")
        yield read(name, lottery_efficient(panel, drawn, "y", [target], beta=beta).effects, target)

    for weighting in Weighting:
        yield from each(lambda w=weighting: means(w), lambda w=weighting: default(w))
        if region.drawn is not None:
            yield from each(lambda w=weighting: weighted(w))
    yield from each(lambda: efficient(None), lambda: efficient(1.0))


def entry_chances(region: Region) -> np.ndarray:
    """Return (n, T + 1) the replayed chance of each entry; the last cohort enters after the last period."""
    cohorts = region.drawn.replay(np.random.default_rng(1), 1_999)
    n, T = len(region.panel.weight), region.panel.n_periods
    chance = np.zeros((n, T + 1))
    for h in range(1, ROUNDS + 2):
        chance[:, FIRST + h - 1] = (cohorts == h).mean(axis=0)
    return chance


def replayed_bias(region: Region, target: Estimand, estimate: np.ndarray, beta: np.ndarray) -> float:
    """Return what replays of the draw show of an estimate once the effect is taken out."""
    panel = region.panel
    exposed = (panel.clock[None] >= panel.entry[:, None]).astype(float)
    log_size = np.log(panel.weight)

    def numbers(y, z):
        return np.stack([
            y[:, t] - beta[0] * y[:, g - 1] - beta[1] * y[:, FIRST - 8 : FIRST].mean(axis=1) - beta[2] * z
            for g, t in target.cells
        ])[None]  # fmt: skip

    found = replayed_estimator(
        [region.drawn], numbers(panel.outcomes["y"], log_size), estimate, numbers(exposed, 0 * log_size),
        drawn_plan(target, FIRST, region.drawn.cohort), np.random.default_rng(1), 199,
    )  # fmt: skip
    return float(found.bias[0])


def wedge(region: Region) -> Iterator[Interval]:
    """Stepped wedge by time since entry over three quarters: mixed model and estimating equations.

    Neither says of whom an effect that differs between practices is the mean; both are held to that of all of them.
    """
    panel, design, truth = region.panel, region.design, float(region.effect[:, :3].mean())

    def model(name: str, method: Callable[..., Replicates], interval: str) -> Iterator[Interval]:
        row = method(panel, design, "y", window=(0, 2)).to_frame()
        row = row[row.estimand == "overall"].iloc[0]
        yield Interval(name, interval, row.ci_low, row.ci_high, constant=truth)

    yield from each(
        lambda: model("Stepped wedge, mixed model", stepped_wedge, "Kenward-Roger t"),
        lambda: model("Stepped wedge, estimating equations", stepped_wedge_gee, "Mancl-DeRouen, t"),
    )


def authors_own(region: Region) -> Iterator[Interval]:
    """What ``mtvp estimate`` prints from fifty units on, the variance of each method's own code, and the default."""
    panel, design = region.panel, region.design
    target = overall(design)
    for name, key, method in (
        ("Callaway-Sant'Anna, per practice", "callaway_santanna", callaway_santanna),
        ("Sun-Abraham", "sun_abraham", sun_abraham),
        ("Imputation", "imputation", imputation),
        ("Two-stage", "two_stage", two_stage),
        ("Extended two-way regression", "etwfe", etwfe),
    ):
        effects = aggregate(method(panel, design, "y"), design, [target])
        yield read(name, published(key, effects), target, AUTHORS)
        yield read(name, effects, target)
