"""evaluation.yaml: strict, complete, every problem at once."""

from pathlib import Path

import pytest
import yaml

from mtvp_eval.config import EvaluationConfig, config_path
from mtvp_eval.errors import CommandError

EXAMPLE = Path(__file__).resolve().parents[2] / "reports" / "example" / "evaluation.yaml"


def written(tmp_path: Path, change) -> Path:
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    change(content)
    path = tmp_path / "example" / "evaluation.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_the_example_is_read():
    config = EvaluationConfig.read(EXAMPLE)
    assert config.draw.rollover == "queue"
    assert config.estimation.covariates == ("log_list_size",)
    assert config.disclosure.min_count == 10


def test_the_draw_has_no_default_and_all_problems_are_listed(tmp_path):
    def change(content):
        del content["draw"]["rollover"]
        content["draw"]["misfits"] = "skip"
        content["estimation"]["estimator"] = "calaway_santanna"
        content["estimation"]["event_first"] = 2
        content["outcomes"]["secondary"].append("consults_per_1000")

    with pytest.raises(CommandError) as refused:
        EvaluationConfig.read(written(tmp_path, change))
    text = str(refused.value)
    for part in (
        "rollover is required (one of queue, redraw, class, permanent_number)",
        "unknown key misfits; did you mean misfit?",
        "did you mean callaway_santanna?",
        "event_first must be negative",
        "also stands among the secondary",
    ):
        assert part in text


def test_a_file_in_the_wrong_folder_is_refused(tmp_path):
    path = written(tmp_path, lambda content: content.update(region="elsewhere"))
    with pytest.raises(CommandError, match="lies in the folder example"):
        EvaluationConfig.read(path)


def test_without_money_there_is_no_cost_benefit(tmp_path):
    assert EvaluationConfig.read(written(tmp_path, lambda content: content.pop("cost_benefit"))).money is None


@pytest.mark.parametrize("region", ["", "../x", "a/b", "a b"])
def test_a_region_is_a_plain_name(tmp_path, region):
    with pytest.raises(CommandError, match="letters, digits"):
        config_path(tmp_path, region)


@pytest.mark.parametrize("name", ["twfe", "stacked", "etwfe_poisson", "synthetic_did", "stepped_wedge", "dcdh"])
def test_a_method_without_effects_by_cohort_is_no_headline_but_may_stand_beside_it(tmp_path, name):
    def change(content):
        content["estimation"] |= {"estimator": name, "sensitivity": []}

    with pytest.raises(CommandError, match=f"estimator {name} cannot be the headline: .*Name it under sensitivity"):
        EvaluationConfig.read(written(tmp_path, change))
    (tmp_path / "example" / "evaluation.yaml").unlink()
    (tmp_path / "example").rmdir()
    path = written(tmp_path, lambda content: content["estimation"].update(sensitivity=[name]))
    assert EvaluationConfig.read(path).estimation.sensitivity == (name,)


@pytest.mark.parametrize("name", ["sun_abraham", "imputation", "two_stage", "etwfe", "lottery", "lottery_efficient"])
def test_every_method_with_effects_by_cohort_may_be_the_headline(tmp_path, name):
    path = written(tmp_path, lambda content: content["estimation"].update(estimator=name))
    assert EvaluationConfig.read(path).estimation.estimator == name


def test_an_unknown_method_beside_the_headline_is_named(tmp_path):
    path = written(tmp_path, lambda content: content["estimation"].update(sensitivity=["imputatoin"]))
    with pytest.raises(CommandError, match="did you mean imputation"):
        EvaluationConfig.read(path)


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ({"planned": 4}, "planned needs taken"),
        ({"taken": 5, "planned": 4}, "this is look 5, but 4 were planned"),
        ({"taken": 0}, "taken must be at least 1"),
        ({"number": 2}, "unknown key number"),
    ],
)
def test_looks_must_fit_what_was_planned(tmp_path, looks, said):
    with pytest.raises(CommandError, match=said):
        EvaluationConfig.read(written(tmp_path, lambda content: content.update(looks=looks)))


def test_looks_that_are_not_declared_are_none(tmp_path):
    found = EvaluationConfig.read(written(tmp_path, lambda content: content.pop("looks"))).looks
    assert (found.taken, found.planned) == (None, None)
