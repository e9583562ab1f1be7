"""Settings files: every problem at once, each naming the nearest valid word."""

import datetime

import pytest

from mtvp_eval.errors import CommandError
from mtvp_eval.settings import Settings, load_yaml


def test_all_problems_are_found_together():
    settings = Settings(
        {"estimater": "x", "level": 2, "outcomes": ["a", 3], "draw": {"rolover": "queue"}, "seed": True}, "f.yaml"
    )
    settings.text("estimator")
    settings.number("level", 0.95, 0, 1)
    settings.texts("outcomes")
    settings.integer("seed", 1)
    settings.section("draw").text("rollover", choices=["queue", "redraw"])
    with pytest.raises(CommandError) as refused:
        settings.finish()
    text = str(refused.value)
    assert refused.value.exit_code == 2
    for part in (
        "7 problem(s)",
        "estimator is required",
        "level must lie between 0 and 1",
        "outcomes must hold texts only",
        "seed must be an integer, not bool",
        "unknown key estimater; did you mean estimator?",
        "f.yaml: draw: rollover is required (one of queue, redraw)",
        "f.yaml: draw: unknown key rolover; did you mean rollover?",
    ):
        assert part in text


def test_values_come_out_typed():
    settings = Settings({"a": "x", "b": 3, "c": ["p", "q"], "d": datetime.date(2023, 2, 24), "e": False}, "f.yaml")
    assert settings.text("a", choices=["x"]) == "x"
    assert settings.number("b") == 3.0
    assert settings.texts("c") == ("p", "q")
    assert settings.date("d").year == 2023
    assert settings.raw("e") is False
    assert settings.texts("absent", ()) == ()
    settings.finish()


@pytest.mark.parametrize(
    ("content", "said"),
    [("a: 1\na: 2\n", "twice"), ("- 1\n", "holds list"), ("a: [1\n", "line 2"), (None, "There is no file")],
)
def test_unusable_files_are_named(tmp_path, content, said):
    path = tmp_path / "evaluation.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match=said):
        load_yaml(path)
