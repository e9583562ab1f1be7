"""Municipal costs -> Panel: log(observed/expected) by sector, municipality and year."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import BoolArray, FloatArray, ObjectArray
from mtvp_eval.data.open_data.cbs import KeyFigures
from mtvp_eval.data.open_data.codes import GP_SECTORS
from mtvp_eval.data.open_data.municipal import MunicipalCosts, unexplained_jumps
from mtvp_eval.data.open_data.projects import Exposure
from mtvp_eval.data.open_data.standardise import DirectRates, direct, indirect
from mtvp_eval.data.panel import LineageRow, Panel

AGED_65 = 13
BASELINE = (
    *("log_insured", "share_65", "level_total"),
    *("log_address_density", "hospital_distance_km", "non_western_share", "assistance_share", "ses_woa"),
    *("assistance_middle", "assistance_high", "ses_middle", "ses_high"),
)
"""Baseline values a panel may carry; those after `level_total` need the CBS figures, `ses_` also table 85163NED.

`_middle` and `_high` mark the second and third third of municipalities by social assistance or by SES-WOA: strata.
"""


@dataclass(frozen=True, slots=True)
class PanelChoices:
    """What the panel holds, declared before outcomes are read.

    `weight_year` freezes insured years (the weights) and the age-sex distribution of direct standardisation;
    `jump_limit` is the largest yearly change of insured years, beyond the national one, that counts as people moving.
    `payment_limit` is the largest yearly change of log consultation cost that counts as use: beyond it practices moved
    to another form of payment (a fixed sum in another column), and the unit cannot compare in the GP columns.
    `direct` takes the log of the directly standardised rate instead of log(observed/expected).
    """

    sectors: tuple[str, ...]
    first_year: int
    last_year: int
    weight_year: int
    jump_limit: float
    payment_limit: float
    direct: bool = False


@dataclass(frozen=True, slots=True)
class SectorOutcomes:
    """By sector, each (n, T) and NaN where not published: log(observed/expected), observed euro, expected euro."""

    log_ratio: Mapping[str, FloatArray]
    observed: Mapping[str, FloatArray]
    expected: Mapping[str, FloatArray]


def standardised_outcomes(costs: MunicipalCosts, sectors: Iterable[str], reference: BoolArray) -> SectorOutcomes:
    """Standardise each sector indirectly, year by year, with the rates of the `reference` units (n,)."""
    log_ratio: dict[str, FloatArray] = {}
    observed: dict[str, FloatArray] = {}
    expected: dict[str, FloatArray] = {}
    insured = np.swapaxes(costs.insured, 0, 1)
    for sector in sorted(sectors):
        cost = np.swapaxes(costs.cost[sector], 0, 1)
        shown = ~np.isnan(cost).all(axis=(1, 2))
        s = indirect(cost[shown], insured[shown], reference)
        for target, values in ((log_ratio, s.log_ratio), (observed, s.observed), (expected, s.expected)):
            full = np.full(cost.shape[:2], np.nan)
            full[shown] = values
            target[sector] = full.T
    return SectorOutcomes(log_ratio, observed, expected)


def direct_rates(costs: MunicipalCosts, sector: str, weight_year: int) -> DirectRates:
    """Return euro per insured year at the age-sex distribution of `weight_year`, (n, T); NaN where not published."""
    standard = np.nansum(costs.insured[:, costs.years.index(weight_year)], axis=0)
    cost, insured = np.swapaxes(costs.cost[sector], 0, 1), np.swapaxes(costs.insured, 0, 1)
    shown = ~np.isnan(cost).all(axis=(1, 2))
    d = direct(cost[shown], insured[shown], standard / standard.sum())
    parts = []
    for values in (d.rate, d.low, d.high):
        full = np.full(cost.shape[:2], np.nan)
        full[shown] = values
        parts.append(full.T)
    return DirectRates(*parts)


def municipal_panel(
    costs: MunicipalCosts, exposed: Exposure, choices: PanelChoices, figures: KeyFigures | None = None
) -> Panel:
    """Return the panel of exposed and comparison municipalities, with an account of who was left out.

    Outcomes are log(observed/expected) by sector; expected cost comes from the never-exposed municipalities' rates of
    the year. Weights are insured years of `weight_year`. Baseline values: log insured years, share of 65 and over, the
    mean log ratio of total cost before `weight_year`, and (with `figures`) address density, distance to a hospital and
    share of non-western background. Clusters are COROP regions with `figures`, else the municipalities themselves.
    """
    years = tuple(year for year in costs.years if choices.first_year <= year <= choices.last_year)
    window = [costs.years.index(year) for year in years]
    sectors = {*choices.sectors, "total_comparable", "gp_consult"}
    log_ratio = standardised_outcomes(costs, sectors, exposed.never).log_ratio
    outcomes = log_ratio
    if choices.direct:
        outcomes = {s: np.log(direct_rates(costs, s, choices.weight_year).rate) for s in choices.sectors}
    at = costs.years.index(choices.weight_year)
    level = log_ratio["total_comparable"][:, : at + 1].mean(axis=1)
    baseline: dict[str, FloatArray] = {
        "log_insured": np.log(costs.insured_years[:, at]),
        "share_65": costs.share_aged(AGED_65)[:, at],
        "level_total": level,
    }
    cluster: ObjectArray = costs.unit_ids
    if figures is not None:
        mine = figures.of(costs.unit_ids.tolist())
        baseline |= _covariates(mine.values)
        cluster = mine.region["corop"]
    panel = Panel(
        unit_ids=costs.unit_ids,
        periods=tuple(str(year) for year in years),
        clock=np.array(years, dtype=np.int64),
        outcomes={sector: outcomes[sector][:, window] for sector in choices.sectors},
        weight=costs.insured_years[:, at],
        cluster=cluster,
        baseline=baseline,
        entry=exposed.entry,
    )
    jump = unexplained_jumps(costs.insured_years[:, window], choices.jump_limit) > 0
    left_out = jump & (exposed.project == "")
    panel = _without_changed_payment(panel, log_ratio["gp_consult"][:, window], exposed.project, choices.payment_limit)
    panel = panel.restrict(
        ~exposed.doubtful, "possibly exposed", "may have been reached by a project: neither exposed nor comparison"
    )
    return panel.restrict(
        ~left_out[~exposed.doubtful],
        "unexplained jump",
        f"insured years change by more than {choices.jump_limit:.0%} in one year without a change of division",
    )


def _without_changed_payment(panel: Panel, consult: FloatArray, project: ObjectArray, limit: float) -> Panel:
    """Blank the GP columns of comparison units whose consultations left the claims; say so in the account."""
    changed = (np.abs(np.diff(consult, axis=1)).max(axis=1) > limit) & (project == "")
    columns = [name for name in panel.outcomes if name in GP_SECTORS]
    outcomes = {
        name: np.where(changed[:, None], np.nan, y) if name in columns else y for name, y in panel.outcomes.items()
    }
    row = LineageRow(
        "form of payment",
        f"{int(changed.sum())} comparison municipalities kept, but not for {', '.join(columns) or 'any outcome'}: "
        "their consultations moved to another form of payment",
        panel.n_units,
        0,
    )
    return replace(panel, outcomes=outcomes, lineage=(*panel.lineage, row))


def _covariates(values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    return {
        "log_address_density": np.log(values["address_density"]),
        "hospital_distance_km": values["hospital_distance_km"],
        **{name: values[name] for name in ("non_western_share", "assistance_share", "ses_woa")},
        **_thirds("assistance", values["assistance_share"]),
        **_thirds("ses", values["ses_woa"]),
    }


def _thirds(name: str, value: FloatArray) -> dict[str, FloatArray]:
    """Mark the second and the third third of units; NaN where the value is."""
    known = ~np.isnan(value)
    if not known.any():
        return {f"{name}_{third}": value for third in ("middle", "high")}
    low, high = np.quantile(value[known], [1 / 3, 2 / 3])
    middle, top = (value > low) & (value <= high), value > high
    return {
        f"{name}_{third}": np.where(known, part.astype(np.float64), np.nan)
        for third, part in (("middle", middle), ("high", top))
    }
