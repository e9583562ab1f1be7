"""Pooling published results: the numbers by hand, what does not fit refused at once, and the page's words."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

from mtvp_eval.cli import main
from mtvp_eval.errors import CommandError, DataError
from mtvp_eval.pipeline.pool import pooled_inputs
from mtvp_eval.report.pooled_page import PooledPage

ROOT = Path(__file__).resolve().parents[3]
UNIT = "per 1,000 registered patients per quarter"
EFFECTS = {"east": (-3.0, 1.0, 20.0, 10), "north": (0.5, 0.8, 12.0, 8), "west": (-1.0, 1.5, 9.0, 30)}


def number(table, row, column, value, interval=None, unit=""):
    return {"id": f"{table}/{row}/{column}", "value": value, "unit": unit, "interval": interval, "tolerance": 1e-8}


def content(region, effect, **changes):
    estimate, error, df, practices = effect
    half = float(t.ppf(0.975, df) * error)
    numbers = []
    for table, row in (("pooling", "consults_per_1000"), ("heterogeneity", "consults_per_1000.deprivation")):
        numbers += [
            number(table, row, "estimate", estimate, [estimate - half, estimate + half], UNIT),
            number(table, row, "std_error", error), number(table, row, "df", df),
        ]  # fmt: skip
    numbers.append(number("pooling", "consults_per_1000", "practices", practices))
    return {"region": region, "simulated": True, "level": 0.95, "numbers": numbers, "priced": None} | changes


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("MTVP_PROJECT", str(tmp_path))
    for region, effect in EFFECTS.items():
        put(tmp_path, region, content(region, effect))
    return tmp_path


def question(region, **changes):
    text = (ROOT / "reports" / "example" / "evaluation.yaml").read_text(encoding="utf-8")
    text = text.replace("region: example", f"region: {region}")
    lines = [line for line in text.splitlines() if "moderators:" not in line]
    at = next(i for i, line in enumerate(lines) if "event_first" in line)
    lines.insert(at, f"  moderators: [{changes.pop('moderators', 'deprivation')}]")
    text = "\n".join(lines) + "\n"
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def put(root, region, results=None, **changes):
    folder = root / "reports" / region
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.yaml").write_text(question(region, **changes), encoding="utf-8")
    if results is not None:
        (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")


def test_means_are_those_computed_by_hand(project):
    row = pooled_inputs("west, north, east").frames["pooled"].iloc[0]
    theta, s, df, w = (np.array(x) for x in zip(*(EFFECTS[r] for r in ("east", "north", "west")), strict=True))
    share = w / w.sum()
    part = (share * s) ** 2
    nu = part.sum() ** 2 / (part**2 / df).sum()
    assert row["regions"] == 3
    assert row["fixed"] == pytest.approx(share @ theta, rel=1e-12)
    assert row["fixed_error"] == pytest.approx(np.sqrt(part.sum()), rel=1e-12)
    assert row["fixed_high"] - row["fixed"] == pytest.approx(t.ppf(0.975, nu) * np.sqrt(part.sum()), rel=1e-9)
    tau2 = row["between"] ** 2
    v = 1 / (s**2 + tau2)
    mean = (v * theta).sum() / v.sum()
    assert (v * (theta - mean) ** 2).sum() == pytest.approx(2, rel=1e-9)  # Paule and Mandel, k - 1
    assert row["random"] == pytest.approx(mean, rel=1e-9)
    half = t.ppf(0.975, 1) * np.sqrt(tau2 + 1 / v.sum())
    assert row["prediction_high"] - row["random"] == pytest.approx(half, rel=1e-9)


def test_slopes_pool_like_effects_and_regions_stand_by_name(project):
    inputs = pooled_inputs(("west", "east", "north"))
    slopes, pooled = inputs.frames["slopes"].iloc[0], inputs.frames["pooled"].iloc[0]
    assert slopes["moderator"] == "deprivation"
    assert slopes["random"] == pytest.approx(pooled["random"], rel=1e-12)  # same errors; weights do not enter
    assert inputs.frames["regions"]["region"].tolist() == ["east", "north", "west"]
    assert inputs.names == ("east", "north", "west")


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_page_speaks_of_three_and_of_two_regions(project, language):
    three, two = (PooledPage(pooled_inputs(names), language) for names in ("east, north, west", "east, west"))
    for page in (three, two):
        assert page.answer().lines
        assert "{" not in "".join((*page.answer().lines, *page.limits().lines, *page.standing().lines))
        assert "<svg" not in repr(page.figure())
        assert len(page.primary_table("regions").frame) == len(page.inputs.names)
    assert "prediction" in repr(three.table("pooled").columns)
    assert any("3" in line or "drie" in line for line in two.answer().lines[1:3])
    assert {n.id for n in two.table("pooled").numbers()} < {n.id for n in three.table("pooled").numbers()}


def test_an_effect_of_one_region_is_listed_and_not_pooled(project):
    only = content("east", EFFECTS["east"])
    only["numbers"] += [
        number("pooling", "cost_gp", "estimate", 4.0, [1.0, 7.0], "euro"),
        number("pooling", "cost_gp", "std_error", 1.0), number("pooling", "cost_gp", "df", 9.0),
        number("pooling", "cost_gp", "practices", 10),
    ]  # fmt: skip
    put(project, "east", only)
    inputs = pooled_inputs("east, north")
    assert inputs.frames["pooled"]["outcome"].tolist() == ["consults_per_1000"]
    assert inputs.frames["not_brought"].to_numpy().tolist() == [["north", "cost_gp"]]
    own = inputs.frames["regions"].set_index("outcome").loc["cost_gp"]
    assert own["own"] == 4.0
    assert np.isnan(own["shrunken"])


@pytest.mark.parametrize(
    ("names", "said"),
    [("east", "two at least"), ("", "two at least"), ("east, east, north", "Named more than once: east"),
     ("east, nowhere, north", "nowhere"), ("east, ../north", "letters, digits")],
)  # fmt: skip
def test_names_that_do_not_fit(project, names, said):
    with pytest.raises(CommandError, match=said):
        pooled_inputs(names)


def test_every_region_without_results_is_named_at_once(project):
    put(project, "fresh")
    put(project, "stale", content("stale", EFFECTS["east"], numbers=[]))
    with pytest.raises(CommandError) as caught:
        pooled_inputs("east, fresh, nowhere, stale")
    said = str(caught.value)
    assert "`mtvp evaluate fresh` writes it" in said
    assert "nowhere" in said
    assert "no effect to pool" in said


def test_questions_that_differ_are_refused_with_each_difference(project):
    put(project, "other", content("other", EFFECTS["east"], simulated=False), moderators="urbanicity",
        **{"primary: consults_per_1000": "primary: new_registrations_per_1000"})  # fmt: skip
    with pytest.raises(CommandError) as caught:
        pooled_inputs("east, other, west")
    said = str(caught.value)
    for what in ("primary outcome", "moderators", "simulated"):
        assert what in said
    assert "(east, west)" in said


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ("{", "no readable file"),
        ("[]", "holds no numbers"),
        (json.dumps(content("east", (1.0, 0.0, 5.0, 3))), "positive"),
        (json.dumps(content("east", (1.0, 1.0, 5.0, 0))), "weight"),
        (json.dumps(content("north", EFFECTS["east"])), "north"),
        (json.dumps(content("east", EFFECTS["east"], level=0.9)), "level 0.9"),
    ],
)
def test_results_that_are_none(project, results, said):
    (project / "reports" / "east" / "results.json").write_text(results, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        pooled_inputs("east, north")


def test_wrong_commands_end_with_their_codes(project, capsys):
    assert main(["pool"]) == 2
    assert main(["pool", "east"]) == 2
    assert main(["verify", "pooled"]) == 2
    assert "mtvp pool REGION" in capsys.readouterr().err
    (project / "reports" / "east" / "results.json").write_text("{", encoding="utf-8")
    assert main(["pool", "east", "north"]) == 1
    assert not (project / "reports" / "pooled").exists()


def test_regions_whose_effect_is_not_recentred_are_named(project):
    for region, known in (("east", 1.0), ("west", 0.0)):  # north was made by a version that did not say
        told = content(region, EFFECTS[region])
        told["numbers"].append(number("pooling", "consults_per_1000", "recentred", known))
        put(project, region, told)
    inputs = pooled_inputs("west, north, east")
    assert "Not recentred, because the draw could not be replayed: west." in str(PooledPage(inputs, "en").answer())
    assert "Niet gecentreerd" in str(PooledPage(inputs, "nl").answer())
    without = pooled_inputs("north, east")
    assert "Not recentred" not in str(PooledPage(without, "en").answer())
