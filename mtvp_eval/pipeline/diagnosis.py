"""How the question of a simulated region behaves over many simulations: its headline analysis and two beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtvp_eval.config import EstimationChoices, EvaluationConfig, config_path
from mtvp_eval.data.link import Linked
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.errors import CommandError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimands.estimand import Estimand, Weighting
from mtvp_eval.estimators.aggregation import aggregate
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.results import EffectEstimates
from mtvp_eval.pipeline import methods
from mtvp_eval.pipeline.comparison import analysis_panel, compared, lottery_design
from mtvp_eval.planning.diagnose import Analysis, Prepare, Question, diagnose_region
from mtvp_eval.progress import counted
from mtvp_eval.project import embedded_question, project_root, resource
from mtvp_eval.simulate.settings import read_region

if TYPE_CHECKING:
    import pandas as pd


def diagnose(region: str, runs: int = 500, first_seed: int = 1) -> Iterator[str]:
    """Say how the planned analysis of an embedded region behaves: bias, error, coverage and power, with their errors.

    Raises
    ------
    CommandError
        If no such region is embedded, or it has no question, or fewer than two runs are asked for.
    """
    frame = diagnosed(region, runs, first_seed)
    for row in frame.to_dict("records"):
        yield (
            f"{row['outcome']} ({row['weighting']}), {row['analysis']}: "
            f"bias {row['bias']:.3g} ± {row['bias_error']:.2g}, "
            f"rmse {row['rmse']:.3g} ± {row['rmse_error']:.2g}, coverage {row['coverage']:.3f} ± "
            f"{row['coverage_error']:.3f}, power {row['power']:.3f} ± {row['power_error']:.3f}, reported error "
            f"{row['error_ratio']:.2f} ± {row['error_ratio_error']:.2f} of the true one "
            f"({row['runs']:.0f} runs, {row['failed']:.0f} without an estimate; true effect {row['truth']:.3g})."
        )


def diagnosed(region: str, runs: int, first_seed: int = 1) -> pd.DataFrame:
    """Return the same as a table (`planning.diagnose.diagnose_region`), for the primary and secondary outcomes.

    Raises ``CommandError`` as `diagnose` does.
    """
    if runs < 2:
        raise CommandError(f"A diagnosis of {runs} runs has no Monte Carlo error; ask for two at least, better 500.")
    own = config_path(project_root(), region)
    path = own if own.is_file() else embedded_question(region)
    settings = read_region(resource("data_dictionary") / "regions.yaml", region)
    if path is None:
        raise CommandError(
            f"Region {region} has no question to diagnose: reports/{region}/evaluation.yaml is not there."
        )
    config = EvaluationConfig.read(path)
    dictionary = load_dictionary(resource("data_dictionary"))
    programme = load_programme(resource("data_dictionary"), config.programme)
    outcomes = [o for o in (config.outcomes.primary, *config.outcomes.secondary) if o in settings.supplied]
    question = Question(
        _prepare(config.estimation), analyses(config.estimation), outcomes, level=config.estimation.level
    )
    seeds = counted(range(first_seed, first_seed + runs), f"simulated regions like {region}")
    return diagnose_region(settings, question, dictionary, programme, seeds)


def analyses(choices: EstimationChoices) -> dict[str, Analysis]:
    """Return the question's headline, Callaway-Sant'Anna with and without covariates, and cohort means of the draw.

    A headline of the lottery's default is diagnosed before recentring. The truth of cohort means is that of starting:
    where winners do not start, their estimate is one of winning, and smaller.

    Raises
    ------
    CommandError
        If the headline gives no average over cohorts and quarters, of which alone a simulated region knows the truth.
    """
    if not methods.can_be_priced(choices.estimator):
        raise CommandError(
            f"The headline {choices.estimator} gives no average over cohorts and quarters, and a simulated region "
            "knows the truth of no other. Diagnose a question with another headline."
        )
    names = dict.fromkeys((choices.estimator, "callaway_santanna", "callaway_santanna_unadjusted", "lottery"))
    return {name: _lottery if name == "lottery" else _average(name, choices) for name in names}


def _prepare(choices: EstimationChoices) -> Prepare:
    def prepare(linked: Linked) -> tuple[Panel, LotteryDesign]:
        panel, design = compared(analysis_panel(linked, choices), choices)
        return panel, lottery_design(linked, design)

    return prepare


def _average(name: str, choices: EstimationChoices) -> Analysis:
    def estimate(
        panel: Panel, drawn: LotteryDesign, outcome: str, weighting: Weighting
    ) -> tuple[EffectEstimates, Estimand]:
        made = methods.asked(name, choices, weighting, drawn)
        cells, _ = made.supported(panel, drawn, outcome)
        estimand = overall(made.design(drawn), weighting, within=[cell for cell in cells if cell[1] >= cell[0]])
        return made.estimate(panel, drawn, outcome, [estimand]), estimand

    return estimate


def _lottery(
    panel: Panel, drawn: LotteryDesign, outcome: str, weighting: Weighting
) -> tuple[EffectEstimates, Estimand]:
    cells = tuple(c for c in drawn.identified_cells() if c[1] >= c[0])
    single = lottery(panel, drawn, outcome, weighting=weighting, cells=cells)
    kept = [c for c, reason in zip(cells, single.no_error, strict=True) if reason is None]
    estimand = overall(drawn, weighting, within=kept)
    return aggregate(single, drawn, [estimand]), estimand
