"""run_evaluation: extracts -> panel -> design -> effects -> euros, on one screen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mtvp_eval.config import EvaluationConfig, config_path
from mtvp_eval.data.extracts import read_extracts
from mtvp_eval.data.link import LinkChoices, Linked, link
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import Comparison, StaggeredDesign
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.dictionary.schema import Dictionary, Programme
from mtvp_eval.errors import CommandError
from mtvp_eval.pipeline.brought import brought
from mtvp_eval.pipeline.comparison import analysis_panel, compared, lottery_design
from mtvp_eval.pipeline.draw import DrawEvidence, draw_evidence
from mtvp_eval.pipeline.effects import Effects, estimate_effects
from mtvp_eval.pipeline.insured import counted
from mtvp_eval.pipeline.intervals import interval_choices, with_replayed
from mtvp_eval.pipeline.money import Money, price_effects
from mtvp_eval.pipeline.participation import participation
from mtvp_eval.pipeline.replay_tests import ReplayTests, replay_tests
from mtvp_eval.pipeline.sensitivity import Sensitivity, sensitivity
from mtvp_eval.progress import step
from mtvp_eval.project import project_root, resource
from mtvp_eval.provenance import Provenance, named_files, provenance
from mtvp_eval.settings import nearest

if TYPE_CHECKING:
    import pandas as pd

DATA_VARIABLE = "MTVP_DATA"
"""Environment variable that names the folder of the extracts where it is not raw/REGION; kernels inherit it."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A record of one evaluation: question, linked data, design, effects, euros, and what it all follows from.

    `everybody` are the practices compared, over all quarters supplied; `panel` is cut to the estimated quarters. `draw`
    is what the record shows of the draw, and `replay` its tests; None where no round was recorded. `participation`
    holds the frames on uptake, leavers, lineage and interference, `pooling` those on differences between practices
    and on what the region brings to a pooled estimate. `intervals` says which interval each average effect has and why.
    """

    config: EvaluationConfig
    dictionary: Dictionary
    programme: Programme
    linked: Linked
    everybody: Panel
    panel: Panel
    design: StaggeredDesign
    drawn: LotteryDesign
    draw: DrawEvidence | None
    effects: Effects
    replay: ReplayTests | None
    money: Money
    sensitivity: Sensitivity
    participation: Mapping[str, pd.DataFrame]
    pooling: Mapping[str, pd.DataFrame]
    intervals: pd.DataFrame
    provenance: Provenance


def run_evaluation(region: str, data: Path | None = None) -> Evaluation:
    """Evaluate one region from its extracts in `data` (default raw/REGION under the project).

    Raises
    ------
    CommandError
        If the region has no question or no extracts, or the question names what the dictionary does not hold.
    DataError
        If the extracts break rules, or leave nobody to compare.
    DesignError
        If the declared draw contradicts itself or cannot be carried out with these applications.
    EstimationError
        If no outcome can be estimated.
    """
    root = project_root()
    config = EvaluationConfig.read(config_path(root, region))
    folder = data_folder(region, data)
    dictionary = load_dictionary(resource("data_dictionary"))
    programme = load_programme(resource("data_dictionary"), config.programme)
    refuse_unknown_outcomes(config, dictionary)
    with step("reading and linking the extracts"):
        extracts = read_extracts(folder, dictionary, config.reading)
        run_out = config.money.run_out_quarters if config.money else 0
        linked = link(extracts, dictionary, programme, LinkChoices(config.estimation.window_first, run_out))
    everybody = analysis_panel(linked, config.estimation)
    panel, design = compared(everybody, config.estimation)
    with step("checking the draw"):
        draw = draw_evidence(
            config.draw, programme, linked.history, extracts.tables["practices"], extracts.tables["lottery_rounds"],
            config.estimation.seed, Comparison(config.estimation.comparison) is Comparison.NEVER_ENROLLED,
        )  # fmt: skip
    drawn = lottery_design(linked, design, draw)
    whose = counted(config.money, linked, extracts.tables.get("insurers"), panel, drawn)
    with step("estimating effects"):
        effects = estimate_effects(panel, drawn, dictionary, config, draw, whose)
    replay = None
    if draw is not None:
        with step("replaying the draw"):
            replay = replay_tests(linked.panel, drawn, draw, effects.outcomes, config)
    with step("asking who took part, left or merged"):
        took_part = participation(extracts, linked, programme, panel, drawn, effects.frame, config, draw)
    with step("asking what the region brings to many"):
        brings = brought(extracts, linked, panel, drawn, draw, effects.outcomes, config)
    with step("asking how far the conclusions carry"):
        carry = sensitivity(panel, design, effects.joint, config, dictionary.breaks)
        chosen = interval_choices(design, effects.joint, None if replay is None else replay.frame, config)
        effects = replace(effects, frame=with_replayed(effects.frame, chosen, config.estimation.estimator))
    with step("pricing effects"):
        money = price_effects(
            config, linked, extracts.tables.get("programme_costs"), whose, effects, dictionary.outcomes
        )
    return Evaluation(
        config, dictionary, programme, linked, everybody, panel, design, drawn, draw, effects, replay, money, carry,
        took_part, brings, chosen, origin(config, folder),
    )  # fmt: skip


def origin(config: EvaluationConfig, folder: Path) -> Provenance:
    """Return what the numbers of a region follow from: its extracts in `folder`, question, dictionary and seed."""
    region = config.region
    sources = {
        **named_files(folder, f"raw/{region}"),
        f"reports/{region}/evaluation.yaml": config_path(project_root(), region),
        **named_files(resource("data_dictionary"), "data_dictionary"),
    }
    return provenance(sources, config.estimation.seed)


def data_folder(region: str, data: Path | None = None) -> Path:
    """Return the folder of a region's extracts: `data`, else the one MTVP_DATA names, else raw/REGION.

    Raises
    ------
    CommandError
        If there is no such folder.
    """
    named = os.environ.get(DATA_VARIABLE)
    folder = data or (Path(named) if named else project_root() / "raw" / region)
    if not folder.is_dir():
        raise CommandError(
            f"There are no extracts of region {region}: raw/{region} is not there. `mtvp init {region}` makes empty "
            f"ones, `mtvp simulate {region}` simulates an embedded region, --data names another folder."
        )
    return folder


def refuse_unknown_outcomes(config: EvaluationConfig, dictionary: Dictionary) -> None:
    """Raise ``CommandError`` if the question names outcomes the dictionary does not hold, naming the nearest."""
    asked = (config.outcomes.primary, *config.outcomes.secondary)
    unknown = [f"{name} ({nearest(name, dictionary.outcomes)})" for name in asked if name not in dictionary.outcomes]
    if unknown:
        raise CommandError(
            f"evaluation.yaml asks for outcomes that data_dictionary/outcomes.yaml lacks: {', '.join(unknown)}."
        )
