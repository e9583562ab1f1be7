"""One rule, three uses: what a rule draws it does not break, and it breaks on what it describes."""

import datetime

import numpy as np
import pytest

from mtvp_eval.dictionary.constraints import (
    AtLeast,
    AtMostColumn,
    Between,
    Dated,
    DiffersFrom,
    ExistsIn,
    Filled,
    Matches,
    NotBefore,
    OneOf,
    Quarters,
    WithinScale,
    missing,
)

TEXTS = np.array(["a", "b", None], dtype=object)
NUMBERS = np.array([1.0, 5.0, np.nan])
DAYS = np.array(["2020-01-01", "2030-01-01", "NaT"], dtype="datetime64[D]")

CASES = [
    (Filled(), NUMBERS, (), [False, False, True]),
    (AtLeast(5), NUMBERS, (), [True, False, False]),
    (AtLeast(5, open=True), NUMBERS, (), [True, True, False]),
    (Between(2, 4), NUMBERS, (), [True, True, False]),
    (Between(1, 5, open=True), NUMBERS, (), [True, False, False]),
    (Quarters(2, 5), NUMBERS, (), [True, False, False]),
    (Dated(datetime.date(2021, 1, 1), datetime.date(2031, 1, 1)), DAYS, (), [True, False, False]),
    (Matches("a+", "some a", "aa"), TEXTS, (), [False, True, False]),
    (OneOf(("b", "c"), "letters"), TEXTS, (), [True, False, False]),
    (ExistsIn("t", "c"), TEXTS, (np.array(["a", "z"], dtype=object),), [False, True, False]),
    (NotBefore("c"), NUMBERS, (np.array([2.0, 5.0, 1.0]),), [True, False, False]),
    (NotBefore("c", strictly=True), NUMBERS, (np.array([0.0, 5.0, 1.0]),), [False, True, False]),
    (AtMostColumn("c"), NUMBERS, (np.array([1.0, 4.0, 1.0]),), [False, True, False]),
    (DiffersFrom("c"), TEXTS, (np.array(["a", "a", None], dtype=object),), [True, False, False]),
    (WithinScale("c", {"x": (2, 9)}), NUMBERS, (np.array(["x", "x", "x"], dtype=object),), [True, False, False]),
]
IDS = [type(case[0]).__name__ for case in CASES]


@pytest.mark.parametrize(("rule", "values", "others", "broken"), CASES, ids=IDS)
def test_a_rule_marks_what_breaks_it(rule, values, others, broken):
    marked = rule.broken(values, *others)
    if not isinstance(rule, Filled):
        marked &= ~missing(values)  # validation asks only about what is recorded

    assert marked.tolist() == broken


@pytest.mark.parametrize(("rule", "values", "others", "broken"), CASES, ids=IDS)
def test_what_a_rule_draws_keeps_the_rule(rule, values, others, broken):
    rng = np.random.default_rng(1)
    wide = tuple(rng.choice(other[~missing(other)], 200) for other in others)
    drawn = rule.sample(rng, 200, *wide)

    assert len(drawn) == 200
    assert not rule.broken(drawn, *wide).any()


@pytest.mark.parametrize(("rule", "values", "others", "broken"), CASES, ids=IDS)
def test_a_rule_says_itself_and_names_the_columns_it_needs(rule, values, others, broken):
    assert rule.description.startswith("Must ")
    assert len(rule.needs) == len(others)
