"""Awkward data by every estimator: the right number with a plain warning, or a clear error; never a wrong number.

The cases are those on which other packages were tried (silent wrong numbers in every one of them). The test makes the
table docs/awkward_data.md: where the page is stale it writes it anew, and fails so that the change is looked at.
"""

import re
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.data.panel import Panel
from mtvp_eval.design.staggered import StaggeredDesign
from mtvp_eval.errors import MtvpError
from mtvp_eval.estimators import registry
from mtvp_eval.estimators.method import Choices
from mtvp_eval.estimators.registry import METHODS

TRIED = [name for name, m in METHODS.items() if "undrawn" not in m.refuses]
SYNTHETIC = ("synthetic_did", "synthetic_control")  # for projects of few units: two cohorts of two
PAGE = Path(__file__).resolve().parents[2] / "docs" / "awkward_data.md"
ALWAYS_SAID = ("Units already enrolled", "Variances:", "Quarters of one unit are taken as independent")
T, EFFECT, RATIO = 12, 0.5, -0.25
MANY, FEW = ((5, 40), (7, 40), (9, 40), (0, 40)), ((7, 2), (9, 2), (0, 40))
USUAL = re.compile(r"[1-9]\d* of \d+ units read as not enrolled\.")
QUARTERS = pd.period_range("2018Q1", periods=T, freq="Q")
NUMBER, WARNED, UNSURE, ERROR, NOT_ASKED, EITHER = "number", "warned", "no s.e.", "error", "–", "either"


@cache
def clean(cohorts=MANY) -> pd.DataFrame:
    """Practices by 12 quarters, entry 0 = never, by cohort and its size; effect 0.5, or a quarter fewer events."""
    rng = np.random.default_rng(7)
    start = np.repeat(*np.array(cohorts).T)
    n = len(start)
    unit, t = np.repeat(np.arange(n), T), np.tile(np.arange(1, T + 1), n)
    on = (start[unit] > 0) & (t >= start[unit])
    x = rng.normal(size=n)
    level = rng.normal(size=n)
    y = level[unit] + 0.1 * np.sin(t) + 0.15 * rng.normal(size=n * T) + EFFECT * on
    rate = np.exp(4 + 0.3 * level[unit] + 0.1 * np.sin(t)) * np.where(on, 1 + RATIO, 1.0)
    return pd.DataFrame({"gp": unit, "t": t, "start": start[unit], "y": y, "events": rng.poisson(rate), "x": x[unit]})


def table_for(name):
    return clean(FEW if name in SYNTHETIC else MANY).copy()


def first(d):
    """The first cohort's entry."""
    return d.start[d.start > 0].min()


def lose(d, share, column=None):
    """Rows, or cells of a column, taken away at random."""
    gone = np.random.default_rng(1).random(len(d)) < share
    return d[~gone] if column is None else d.assign(**{c: d[c].astype(float).mask(gone) for c in column})


def one_cell(d, value):
    where = np.arange(len(d)) == 100
    return d.assign(y=d.y.mask(where, value), events=d.events.astype(float).mask(where, value))


def code(d, waiting):
    return d.assign(start=d.start.astype(float).replace(0.0, waiting))


def quarters(d, waiting, dates):
    t = QUARTERS[d.t - 1]
    start = pd.Series([QUARTERS[s - 1] if s else waiting for s in d.start], index=d.index, dtype="period[Q-DEC]")
    if dates:
        return d.assign(t=t.to_timestamp(), start=start.dt.to_timestamp())
    return d.assign(t=pd.Series(t, index=d.index), start=start)


def year_quarter(d):
    number = np.array([10 * q.year + q.quarter for q in QUARTERS])
    return d.assign(t=number[d.t - 1], start=np.where(d.start > 0, number[d.start - 1], 0))


@dataclass(frozen=True)
class Case:
    """What is done to the clean table; what must come of it; whether the estimate must not move at all."""

    make: object
    expect: str
    same: bool = False
    covariate: bool = False
    scale: float = 1.0


CASES = {
    "missing outcomes (1 %)": Case(lambda d: lose(d, 0.01, ("y", "events")), WARNED),
    "missing covariate (5 units)": Case(lambda d: d.assign(x=d.x.mask(d.gp % 32 == 0)), WARNED, covariate=True),
    "one infinite outcome": Case(lambda d: one_cell(d, np.inf), ERROR),
    "5 % of rows absent": Case(lambda d: lose(d, 0.05), WARNED),
    "two rows for one unit and quarter": Case(lambda d: pd.concat([d, d.iloc[[5]].assign(y=9.0)]), ERROR),
    "a cohort of one unit": Case(lambda d: d[(d.start != first(d)) | (d.gp == 0)], WARNED),
    "first cohort enrolled from the first quarter": Case(
        lambda d: d.assign(start=d.start.replace(first(d), 1)), WARNED
    ),
    "all enrolled at once, nobody waiting": Case(lambda d: d.assign(start=7), ERROR),
    "nobody waiting at the end": Case(lambda d: d[d.start > 0], WARNED),
    "nobody waiting, and some always enrolled": Case(
        lambda d: d[d.start > 0].assign(start=lambda f: f.start.mask(f.gp < 10, 1)), WARNED
    ),
    "text identifiers": Case(lambda d: d.assign(gp=[f"gp {i}" for i in d.gp]), NUMBER, same=True),
    "category identifiers": Case(lambda d: d.assign(gp=pd.Categorical(d.gp)), NUMBER, same=True),
    "pandas quarters, NaT = waiting": Case(lambda d: quarters(d, pd.NaT, dates=False), NUMBER, same=True),
    "dates as quarters, NaT = waiting": Case(lambda d: quarters(d, pd.NaT, dates=True), NUMBER, same=True),
    "codes such as 20181": Case(year_quarter, ERROR),
    "waiting = a date after the panel": Case(lambda d: code(d, T + 3.0), NUMBER, same=True),
    "waiting = infinity": Case(lambda d: code(d, np.inf), NUMBER, same=True),
    "waiting = empty": Case(lambda d: code(d, np.nan), NUMBER, same=True),
    "entry changes within a unit": Case(lambda d: d.assign(start=d.start.mask((d.gp == 3) & (d.t > 6), 8)), ERROR),
    "constant covariate": Case(lambda d: d.assign(x=2.0), ERROR, covariate=True),
    "covariate that separates": Case(lambda d: d.assign(x=(d.start > 0) * 1.0), EITHER, covariate=True),
    "outcome times 1e-9": Case(lambda d: d.assign(y=1e-9 * d.y, events=1e-9 * d.events), NUMBER, same=True, scale=1e-9),
    "outcome times 1e9": Case(lambda d: d.assign(y=1e9 * d.y, events=1e9 * d.events), NUMBER, same=True, scale=1e9),
    "true-false outcome": Case(lambda d: d.assign(y=d.y > 0.3, events=d.events > 50), NUMBER),
    "rows in any order": Case(lambda d: d.sample(frac=1, random_state=0), NUMBER, same=True),
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """Verdict, what was said, estimate and its error of the method's overall effect."""

    verdict: str
    said: str
    estimate: float = np.nan
    error: float = np.nan
    reason: str | None = None


def may_refuse(case, name):
    """Cases in which a method refuses for a reason of its own, where others give a number."""
    if name in SYNTHETIC:
        return case.startswith(("missing outcomes", "5 %", "nobody waiting"))  # complete paths, and donors, are needed
    return case.startswith(("missing outcomes", "5 %")) and "gaps" in METHODS[name].refuses


def estimate(name, frame, covariates=()):
    """Read the frame and estimate; everything said on the way."""
    outcome = "events" if METHODS[name].counts else "y"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            panel = Panel.from_frame(frame, "gp", "t", "start", outcome, baseline=covariates)
            design = StaggeredDesign.from_panel(panel)
            found = registry.run(
                name, panel, design, outcome, ["overall"],
                Choices(covariates=covariates, options={"placebos": 10} if name in SYNTHETIC else {}),
            )  # fmt: skip
        except MtvpError as error:
            return Result(ERROR, str(error))
    said = [str(w.message) for w in caught] + [note for note in found.notes if not note.startswith(ALWAYS_SAID)]
    said = [text for text in said if not USUAL.fullmatch(text)]
    error, reason = float(found.std_error()[0]), found.no_error[0]
    verdict = UNSURE if np.isnan(error) and reason else WARNED if said else NUMBER
    return Result(verdict, " ".join([*said, *([reason] if reason else [])]), float(found.estimate[0]), error, reason)


@cache
def result(case, name):
    one = CASES[case]
    if one.covariate and "covariates" in METHODS[name].refuses:
        return Result(NOT_ASKED, "")
    return estimate(name, one.make(table_for(name)), ("x",) if one.covariate else ())


@cache
def undisturbed(name):
    return estimate(name, table_for(name))


@pytest.mark.parametrize("name", TRIED)
def test_clean_data_give_the_truth_without_a_word(name):
    found = undisturbed(name)
    assert found.verdict == NUMBER
    truth = RATIO if METHODS[name].counts else EFFECT
    # four standard errors: fails for one method in 16,000 by chance
    assert abs(found.estimate - truth) < 4 * found.error < (0.5 if name in SYNTHETIC else 0.15)


@pytest.mark.parametrize("name", TRIED)
@pytest.mark.parametrize("case", CASES)
def test_the_right_number_or_a_clear_error(case, name):
    one, found, plain = CASES[case], result(case, name), undisturbed(name)
    if found.verdict == NOT_ASKED:
        return
    if found.verdict == ERROR:
        assert one.expect in (ERROR, EITHER) or may_refuse(case, name), found.said
        assert len(found.said) > 40, "an error says what is wrong and what to do"
        assert found.said.rstrip().endswith("."), found.said
        return
    assert one.expect != ERROR, f"{found.estimate} was given without a word"
    assert one.expect != WARNED or found.verdict in (WARNED, UNSURE), "a changed comparison is said"
    truth, scale = (RATIO, 1.0) if METHODS[name].counts else (EFFECT, one.scale)
    if case == "true-false outcome":
        as_numbers = estimate(name, one.make(table_for(name)).astype({"y": float, "events": float}))
        assert found.estimate == pytest.approx(as_numbers.estimate, rel=1e-12)
        return
    if one.same:
        # 1e-7: sums in another order, and covariances scaled by 1e18
        assert found.estimate == pytest.approx(scale * plain.estimate, rel=1e-7)
        assert found.error == pytest.approx(scale * plain.error, rel=1e-6)
        return
    allowed = plain.error if np.isnan(found.error) else max(found.error, plain.error)
    assert abs(found.estimate - truth) < 4 * allowed
    if np.isnan(found.error):
        assert found.reason, "an estimate without an error says why"
    else:
        assert found.error > 0.5 * plain.error, "an error near zero is a wrong error"


@pytest.mark.parametrize("name", [m for m in TRIED if "att_gt" in METHODS[m].estimands])
def test_cells_of_a_cohort_of_one_have_no_error_and_say_why(name):
    frame = CASES["a cohort of one unit"].make(clean().copy())
    outcome = "events" if METHODS[name].counts else "y"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        panel = Panel.from_frame(frame, "gp", "t", "start", outcome)
    found = registry.run(name, panel, StaggeredDesign.from_panel(panel), outcome, ["att_gt"], Choices())
    for key, error, reason in zip(found.index, found.std_error(), found.no_error, strict=True):
        if key.cohort == 5:
            assert np.isnan(error)
            assert "one unit" in reason
        else:
            assert error > 0.01 or "one" in (reason or "")


def shortened(text, most=300):
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " …"


def page():
    """The table of the docs: verdict of every case and estimator, and what was said."""
    head = [
        "# Awkward data",
        "",
        "What every estimator makes of data that are easily read wrongly: 160 practices by 12 quarters, disturbed in",
        "one way at a time. *number*: the right estimate, nothing to say. *warned*: the right estimate, with a plain",
        "sentence on what was left out or compared otherwise. *no s.e.*: the right estimate and the reason why it has",
        "no standard error. *error*: refused, with the reason. –: the method takes no covariates. Synthetic methods,",
        "which are for few units, are tried on two cohorts of two practices beside 40 that wait. Made and checked by",
        "`tests/acceptance/test_awkward_data.py`.",
        "",
        "| case | " + " | ".join(TRIED) + " |",
        "|---|" + "---|" * len(TRIED),
    ]
    rows = [f"| {case} | " + " | ".join(result(case, m).verdict for m in TRIED) + " |" for case in CASES]
    texts = ["", "## What is said", "", "By `callaway_santanna`, where it says anything.", ""]
    texts += [
        f"- **{case}** — " + shortened(result(case, "callaway_santanna").said)
        for case in CASES
        if result(case, "callaway_santanna").said
    ]
    return "\n".join([*head, *rows, *texts, ""])


def test_the_table_in_the_docs_is_fresh():
    made = page()
    stored = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    if made != stored:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(made, encoding="utf-8")
    assert made == stored, "docs/awkward_data.md was stale and has been written anew: read the change and commit it"
