"""Tables and sentences on who took part: small counts stay back with their complement, every set has its words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.report.page import Page
from mtvp_eval.report.tables.uptake import COUNTED, _small
from mtvp_eval.report.uptake_sentences import SENTENCES
from tests.unit.report.made_region import made_inputs

OUTCOME, OTHER = "referrals_per_1000", "consults_per_1000"


def counts(*rows):
    return pd.DataFrame([(f"2023Q{i + 2}", *row) for i, row in enumerate(rows)], columns=["drawn", *COUNTED])


def frames(shape="interval", left=0, p_left=np.nan, **more):
    effects = pd.DataFrame(
        {
            "outcome": [OUTCOME, OTHER], "itt": [-8.0, np.nan], "itt_low": [-20.0, np.nan], "itt_high": [4.0, np.nan],
            "itt_exposure": [1.3, np.nan], "estimate": [-6.2, np.nan], "low": [-15.0, np.nan], "high": [3.0, np.nan],
            "shape": [shape, None], "note": ["", "No cell compares two units."],
        }
    )  # fmt: skip
    placebo = pd.DataFrame(
        {"outcome": [OUTCOME, OTHER], "event_time": [-1, -1], "estimate": [1.0, 3.0], "ci_low": [-2.0, 1.0],
         "ci_high": [4.0, 5.0], "note": ["", ""]}
    )  # fmt: skip
    bounds = pd.DataFrame(
        {"outcome": [OUTCOME], "left": [left], "left_drawn": [0.1], "left_waiting": [0.2], "lee_low": [-9.0],
         "lee_high": [-7.0], "lee_ci_low": [-20.0], "lee_ci_high": [5.0], "p_left": [p_left], "manski_low": [np.nan],
         "manski_high": [np.nan], "manski_ci_low": [np.nan], "manski_ci_high": [np.nan], "note": [""],
         "note_manski": ["no known range"]}
    )  # fmt: skip
    probe = pd.DataFrame(
        {
            "outcome": [OUTCOME],
            "slope": [-12.0],
            "p_value": [0.4],
            "mean_share": [0.44],
            "share_spread": [0.2],
            "note": [""],
            "grouping": ["care_group"],
        }
    )
    made = {
        "uptake_counts": counts((13, 13, 0, 0, 0, 0), (15, 14, 0, 0, 1, 0)), "uptake": effects,
        "announcement": placebo, "bounds": bounds, "interference": probe,
    }  # fmt: skip
    return made | more


def page(language="en", **more):
    return Page(replace(made_inputs(), participation=frames(**more)), language)


def test_one_that_never_started_cannot_be_worked_out():
    table = page().table("uptake_counts")
    shown = repr(table).splitlines()
    assert shown[2].split("  ") == ["2023Q2", "13", "13", "0", "0", "0", "0"]
    assert "15" not in shown[3]  # winners less those on time would give the one away
    assert "1 " not in shown[3].replace("14", "")
    assert "28" not in shown[4]
    assert {n.value for n in table.numbers()} <= {0.0, 13.0, 14.0, 27.0}


@pytest.mark.parametrize("seed", range(20))
def test_no_small_count_follows_from_what_is_shown(seed):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(3):
        on_time, early, late, never = rng.integers(0, 12), 0, rng.integers(0, 7), rng.integers(0, 7)
        rows.append([on_time + early + late + never, on_time, early, late, never, rng.integers(0, on_time + late + 1)])
    found = np.array([*rows, np.sum(rows, axis=0)], dtype=float)
    hidden = _small(found, 5)
    small = (found > 0) & (found < 5)
    assert hidden[small].all()
    for r in range(4):  # brute force: the parts of a round and its winners
        parts = [1, 2, 3, 4]
        if not hidden[r, 0]:
            assert hidden[r, parts].sum() != 1
    for k in range(6):  # and a count over the rounds with its sum
        if not hidden[3, k]:
            assert hidden[:3, k].sum() != 1 or not small[:3, k].any()


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("shape", ["interval", "outside", "everything"])
def test_every_shape_of_set_has_its_words(language, shape):
    lines = page(language, shape=shape).sentences("uptake").lines
    assert len(lines) == 2
    assert "6" in lines[1] or shape != "interval"
    assert "{" not in "".join(lines)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_each_part_that_is_not_there_is_said_in_one_line(language):
    bare = Page(made_inputs(), language)
    for name in SENTENCES:
        assert len(bare.sentences(name).lines) <= 1
    assert len(bare.sentences("uptake").lines) == 1
    assert len(bare.sentences("interference").lines) == 1  # what is not measured is always said
    assert len(bare.sentences("lineage_changes").lines) == 1


def test_sentences_count_without_giving_few_away():
    everybody = counts((13, 13, 0, 0, 0, 0))
    many = counts((20, 12, 0, 3, 5, 6))
    words = {
        "all": page(uptake_counts=everybody).sentences("uptake").lines[0],
        "few": page().sentences("uptake").lines[0],
        "some": page(uptake_counts=many).sentences("uptake").lines,
    }
    assert words["all"].startswith("All practices")
    assert words["few"].startswith("Fewer than 5")
    assert "Of 20 practices drawn, 8" in words["some"][0]
    assert words["some"][1].startswith("6 of those")
    assert page().sentences("bounds").lines[0].startswith("No practice")
    assert page(left=3).sentences("bounds").lines[0].startswith("Fewer than 5")
    assert page(left=7).sentences("bounds").lines[0].startswith("Up to 7")
    assert page(left=7, p_left=0.01).sentences("bounds").lines[1].startswith("Flagged: for 1 outcome")


def test_few_leavers_have_bounds_without_shares():
    few, many = page(left=3).table("bounds"), page(left=7).table("bounds")
    assert {n.id.split("/")[-1] for n in few.numbers()} == {"lee_low", "lee_high", "lee_ci_low", "lee_ci_high"}
    assert {"left_drawn", "left_waiting"} <= {n.id.split("/")[-1] for n in many.numbers()}
    assert "no known range" in repr(few)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_placebo_says_how_many_chance_would_give(language):
    said = page(language).sentences("announcement").lines[0]
    assert "1" in said
    assert "2" in said
    assert "0.1" in said.replace(",", ".")


def test_lineage_is_said_with_families_that_fell_between_rounds():
    inputs = made_inputs()
    lineage = pd.DataFrame({"step": ["drawn_apart"], "reason": ["r"], "units": [40], "lost": [1]})
    changes = pd.DataFrame({"kind": ["merger", "split"], "practices": [6, 2]})
    made = replace(inputs, lineage=lineage, participation=frames(changes=changes))
    lines = Page(made, "en").sentences("lineage_changes").lines
    assert lines[0].startswith("8 practices merged")
    assert "enter the bounds as leavers" in lines[1]
    few = replace(made, participation=frames(changes=changes.assign(practices=[1, 1])))
    assert Page(few, "en").sentences("lineage_changes").lines[0].startswith("Fewer than 5")


@pytest.mark.parametrize("language", ["en", "nl"])
def test_a_region_without_a_recorded_round_has_a_line_and_no_table(language):
    nobody = pd.DataFrame([])
    refused = pd.DataFrame({"outcome": [OUTCOME], "note": ["The draw separates nobody at or after a start."]})
    shown = page(language, uptake_counts=nobody, announcement=refused)
    assert len(shown.sentences("uptake").lines) == 1
    assert len(shown.sentences("announcement").lines) == 1
    assert "[uptake_counts]" not in repr(shown.table("uptake_counts"))
    assert np.isnan(shown.table("announcement").frame["estimate"].iloc[0])


@pytest.mark.parametrize(("language", "words"), [("en", "its neighbourhood"), ("nl", "haar wijk")])
def test_the_probe_names_the_group_by_which_it_was_declared(language, words):
    probe = frames()["interference"].assign(grouping="neighbourhood")
    made = page(language, interference=probe)
    assert words in " ".join(made.sentences("interference").lines)
    assert words in made.table("interference").note
