"""`mtvp power REGION`: what this region can and cannot show, from its draw and its quarters before the first start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.arrays import FloatArray, IntArray
from mtvp_eval.clock import quarter_label
from mtvp_eval.config import EvaluationConfig, config_path
from mtvp_eval.data.extracts import read_extracts
from mtvp_eval.data.link import LinkChoices, Linked, link
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.dictionary.schema import Dictionary, Programme
from mtvp_eval.errors import DesignError, MtvpError
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.pipeline.evaluate import data_folder, refuse_unknown_outcomes
from mtvp_eval.pipeline.replayable import replayable_draw
from mtvp_eval.planning.power import PlannedDesign, PowerChoices, minimum_detectable
from mtvp_eval.planning.region_draw import RegionDraw
from mtvp_eval.project import project_root, resource
from mtvp_eval.report.inputs import OutcomeInfo
from mtvp_eval.report.power_page import PowerInputs, PowerPage

if TYPE_CHECKING:
    import pandas as pd

REPLAYS = 400
"""Replays a window; with eight windows the detectable effect has a Monte Carlo error of about 2 %."""

COLUMNS = (
    *("outcome", "weighting", "estimand", "event_time", "mde_immediate", "mde_ramp", "mde_formula", "std_error"),
    *("df", "level", "share", "share_ramp", "windows", "note"),
)


def power(region: str, data: Path | None = None, language: str = "en") -> Iterator[str]:
    """Say for each outcome what this region can and cannot show, then give the numbers as a table.

    Raises
    ------
    CommandError
        If the region has no question or no extracts.
    DataError
        If the extracts break rules, or leave nobody.
    DesignError
        If the draw cannot be replayed: nobody applied for a capped round, or the rule does not cover them.
    """
    page = PowerPage(power_inputs(region, data), language)
    yield from page.sentences().lines
    yield repr(page.table())


def power_inputs(region: str, data: Path | None = None) -> PowerInputs:
    """Return what the page on power shows; no outcome of the first start or later is read.

    Raises
    ------
    CommandError, DataError, DesignError
        As `power`.
    """
    root = project_root()
    config = EvaluationConfig.read(config_path(root, region))
    dictionary = load_dictionary(resource("data_dictionary"))
    programme = load_programme(resource("data_dictionary"), config.programme)
    refuse_unknown_outcomes(config, dictionary)
    extracts = read_extracts(data_folder(region, data), dictionary, config.reading)
    linked = link(extracts, dictionary, programme, LinkChoices(config.estimation.window_first))
    draw = replayable_draw(linked, programme, config)
    frame = detectable_effects(linked, draw, dictionary, config)
    asked = (config.outcomes.primary, *config.outcomes.secondary)
    known = [dictionary.outcomes[name] for name in dict.fromkeys([*asked, *frame["outcome"]])]
    return PowerInputs(
        region=region,
        simulated=config.simulated,
        outcomes=tuple(OutcomeInfo.of(outcome) for outcome in known),
        frame=frame[frame["outcome"].isin(asked)].reset_index(drop=True),
        level=config.estimation.level,
        choices=PowerChoices(config.estimation.level).power,
        ramp_quarters=PowerChoices().ramp_quarters,
        units=int((draw.unit[linked.rows] >= 0).sum()),
        first_period=quarter_label(draw.first_round),
        last_event_time=int(frame["event_time"].max()) if frame["event_time"].notna().any() else -1,
        asked_event_time=config.estimation.event_last,
    )


def region_detectable(
    linked: Linked, dictionary: Dictionary, programme: Programme, config: EvaluationConfig
) -> pd.DataFrame:
    """Return the detectable effect beside each estimate: outcome, weighting, estimand, event_time, mde_immediate, …

    An empty frame where the draw cannot be replayed: the report then has nothing to print.
    """
    try:
        draw = replayable_draw(linked, programme, config)
    except DesignError:
        return _empty()
    return detectable_effects(linked, draw, dictionary, config)


def detectable_effects(
    linked: Linked, draw: RegionDraw, dictionary: Dictionary, config: EvaluationConfig
) -> pd.DataFrame:
    """Return one row for each outcome, weighting and estimand: the event times of the lottery window and their mean.

    Columns: outcome, weighting, estimand, event_time, mde_immediate, mde_ramp (the full effect of a build-up),
    mde_formula, std_error, df, level (mean of the last four quarters before the first start), share and share_ramp (%
    of it), windows, note (why there is no number).
    """
    import pandas as pd

    chosen = config.estimation
    inside = np.flatnonzero(draw.unit[linked.rows] >= 0)
    rows = linked.rows[inside]
    if not len(rows):
        return _empty()
    before = linked.panel.clock < draw.first_round - chosen.anticipation
    clock = linked.panel.clock[before]
    cohorts = draw.replay(rows, np.random.default_rng(chosen.seed), REPLAYS)
    covariates = linked.panel.covariates(chosen.covariates)[inside]
    choices = PowerChoices(chosen.level)
    found: list[dict[str, Any]] = []
    for name, values in linked.panel.outcomes.items():
        y = values[inside][:, before]
        starts = _clean_starts(name, clock, draw.rule.capped_rounds, dictionary)
        for weighting in Weighting:
            weight = linked.panel.weight[inside] if weighting is Weighting.PATIENT else np.ones(len(inside))
            design = PlannedDesign(cohorts, draw.blocks(rows), weight, covariates, draw.rule.capped_rounds)
            level = _level(y, weight)
            try:
                seen = minimum_detectable(y, design, choices, starts)
            except MtvpError as error:
                found.append({"outcome": name, "weighting": str(weighting), "estimand": "overall", "note": str(error)})
                continue
            for k, label in enumerate(seen.names):
                found.append(
                    {
                        "outcome": name, "weighting": str(weighting),
                        "estimand": "overall" if label == "overall" else "event_study",
                        "event_time": None if label == "overall" else int(label),
                        "mde_immediate": seen.immediate[k], "mde_ramp": seen.ramp[k], "mde_formula": seen.formula[k],
                        "std_error": seen.std_error[k], "df": seen.df[k], "level": level,
                        "share": 100 * seen.immediate[k] / level, "share_ramp": 100 * seen.ramp[k] / level,
                        "windows": seen.windows, "note": "",
                    }
                )  # fmt: skip
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"event_time": "Int64"})


def _empty() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(COLUMNS)).astype({"event_time": "Int64"})


def _clean_starts(name: str, clock: IntArray, rounds: int, dictionary: Dictionary) -> list[int] | None:
    """Return the columns whose stretch crosses no known break of the outcome; all (None) where each crosses one."""
    clean = [
        column
        for column in range(1, len(clock) - rounds + 1)
        if not any(
            known.touches(name) and known.inside(int(clock[column - 1]), int(clock[column + rounds - 1]))
            for known in dictionary.breaks
        )
    ]
    return clean or None


def _level(y: FloatArray, weight: FloatArray) -> float:
    last = y[:, -4:]
    seen = np.isfinite(last)
    return float((np.where(seen, last, 0.0) * weight[:, None]).sum() / max((seen * weight[:, None]).sum(), 1e-300))
