"""Methods of the registry in a region: any that averages cells can be the headline, any at all can stand beside it."""

from dataclasses import replace

import numpy as np
import pytest

from mtvp_eval.errors import CommandError
from mtvp_eval.estimators.method import Averages
from mtvp_eval.estimators.registry import METHODS
from mtvp_eval.pipeline.effects import Effects, estimate_effects
from mtvp_eval.pipeline.evaluate import Evaluation, run_evaluation
from mtvp_eval.pipeline.insured import Counted
from mtvp_eval.pipeline.methods import ALWAYS
from mtvp_eval.pipeline.money import price_effects
from mtvp_eval.pipeline.regions import simulate
from mtvp_eval.pipeline.reporting import report_inputs
from mtvp_eval.report.page import Page

HEADLINES = [name for name, method in METHODS.items() if isinstance(method.gives, Averages)]
SLOW = ("stepped_wedge", "synthetic_did", "synthetic_control")  # seconds an outcome
OTHERS = [name for name in METHODS if name not in (*HEADLINES, *SLOW)]
OUTCOMES = ("consults_per_1000", "referrals_per_1000", "cost_gp")


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTVP_PROJECT", str(tmp_path_factory.mktemp("project")))
        simulate("small", None)
        return run_evaluation("small")


def question(region: Evaluation, estimator: str, *beside: str, comparison: str = "") -> Evaluation:
    """The region with another question, about three outcomes."""
    choices = replace(region.config.estimation, estimator=estimator, sensitivity=beside)
    dictionary = replace(region.dictionary, outcomes={name: region.dictionary.outcomes[name] for name in OUTCOMES})
    drawn = region.drawn
    if comparison:
        drawn = replace(drawn, staggered=replace(drawn.staggered, comparison=comparison))
    return replace(
        region, config=replace(region.config, estimation=choices), dictionary=dictionary, drawn=drawn, replay=None
    )


def answer(asked: Evaluation) -> Effects:
    return estimate_effects(asked.panel, asked.drawn, asked.dictionary, asked.config, asked.draw)


@pytest.fixture(scope="module")
def everything(region: Evaluation) -> Effects:
    return answer(question(region, "callaway_santanna", *HEADLINES[1:], *OTHERS))


@pytest.mark.parametrize("name", HEADLINES)
def test_as_headline_it_gives_what_it_gave_beside_one(region: Evaluation, everything: Effects, name: str) -> None:
    asked = question(region, name)
    effects = answer(asked)
    key = ["outcome", "weighting"]
    own = effects.frame.query("estimand == 'overall'").set_index(key)["estimate"]
    first = effects.robustness.query("method == @name").set_index(key)["estimate"]
    assert len(own) == 2 * len(OUTCOMES)
    assert first.to_dict() == own.to_dict()
    if name != "lottery_default":  # recentred as headline only
        shown = everything.robustness.query("method == @name").set_index(key)["estimate"]
        assert own.to_dict() == pytest.approx(shown.loc[own.index].to_dict(), rel=1e-9)
    whose = Counted(asked.panel, asked.drawn)
    money = price_effects(asked.config, asked.linked, None, whose, effects, region.dictionary.outcomes)
    assert money.net_benefit is not None
    assert money.net_benefit.effects.outcomes() == ("cost_gp",)
    inputs = report_inputs(replace(asked, effects=effects, money=money))
    assert inputs.headline_covariates == (() if "covariates" in METHODS[name].refuses else ("log_list_size",))
    page = Page(inputs, "nl")
    for part in (page.outcome_table("robustness"), page.figure("robustness"), page.sentences("reading")):
        assert "term." not in repr(part)


def test_a_row_for_every_method_outcome_and_weighting(everything: Effects) -> None:
    frame = everything.robustness
    rows = frame.groupby("method").size()
    assert set(rows.index) == {*ALWAYS, *HEADLINES, *OTHERS}
    assert (rows == 2 * len(OUTCOMES)).all()
    empty = frame[frame["estimate"].isna()]
    assert (empty["note"].str.len() > 20).all(), "a method that refuses says why"


def test_a_method_that_refuses_has_a_row_with_its_reason(region: Evaluation) -> None:
    asked = question(region, "callaway_santanna", "lottery_efficient")
    y = dict(asked.panel.outcomes)
    y["cost_gp"] = np.where(np.arange(y["cost_gp"].size).reshape(y["cost_gp"].shape) % 97, y["cost_gp"], np.nan)
    frame = answer(replace(asked, panel=replace(asked.panel, outcomes=y))).robustness
    rows = frame[(frame["method"] == "lottery_efficient") & (frame["outcome"] == "cost_gp")]
    assert rows["estimate"].isna().all()
    assert rows["note"].str.contains("needs every period").all()


def test_a_rate_by_counts_is_in_its_own_unit_and_near_the_linear_one(everything: Effects) -> None:
    frame = everything.robustness.set_index(["method", "outcome", "weighting"])
    for outcome in OUTCOMES:
        for weighting in ("practice", "patient"):
            linear, ratio = (frame.loc[(m, outcome, weighting)] for m in ("etwfe", "etwfe_poisson"))
            assert abs(ratio["estimate"] - linear["estimate"]) < linear["std_error"]
            assert ratio["std_error"] == pytest.approx(linear["std_error"], rel=0.5)
            assert ratio["unit"] == ""


def test_a_total_is_the_sum_of_its_cells(region: Evaluation) -> None:
    """Euro of a year = a fourth of patients times effect, summed over its cells."""
    asked = question(region, "imputation")
    effects = answer(asked)
    cells = effects.money_cells[0]
    by_cell = {
        (k.cohort, k.period): v
        for k, v in zip(effects.joint.index, effects.joint.estimate, strict=True)
        if k.outcome == "cost_gp" and k.estimand == "att_gt" and k.weighting == "patient"
    }
    patients = dict(zip(cells, asked.design.cell_size(cells, by_size=True), strict=True))
    assert effects.money.estimate[0] == pytest.approx(sum(patients[c] / 4 * by_cell[c] for c in cells), rel=1e-9)
    assert np.isfinite(effects.money.std_error()).all()


def test_a_headline_that_cannot_compare_as_asked_is_refused_at_once(region: Evaluation) -> None:
    with pytest.raises(CommandError, match="imputation cannot compare with the never-enrolled only") as error:
        answer(question(region, "imputation", comparison="never_enrolled"))
    assert error.value.exit_code == 2
