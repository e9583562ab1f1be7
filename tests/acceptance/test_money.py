"""Money through the command line: live ledger, one insurer's claims, declared extrapolations, refused ledgers."""

import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml

from mtvp_eval.cli import main
from mtvp_eval.costbenefit.parties import Perspective
from mtvp_eval.pipeline.evaluate import run_evaluation
from mtvp_eval.pipeline.money import prices_known_on
from mtvp_eval.pipeline.reporting import report_inputs
from mtvp_eval.report.catalogue import all_tables, report_table
from mtvp_eval.report.page import Page
from mtvp_eval.report.results import LIVE_LEDGER, workbook
from tests.unit.costbenefit.test_ledger_sheet import Recalculated

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED_DIGITS = 1e-8  # the workbook keeps ten digits of every number; sums of some dozen of them lose two
UZOVI = "3311"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "data_dictionary", root / "data_dictionary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTVP_PROJECT", str(root))
        assert main(["simulate", "small"]) == 0
    return root


@pytest.fixture
def project(simulated, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(simulated, root)
    monkeypatch.setenv("MTVP_PROJECT", str(root))
    return root


def ask(project, **changes):
    """Change the section cost_benefit of the question."""
    path = project / "reports" / "small" / "evaluation.yaml"
    question = yaml.safe_load(path.read_text(encoding="utf-8"))
    question["cost_benefit"].update(changes)
    path.write_text(yaml.safe_dump(question), encoding="utf-8")


def refused(capsys, *arguments):
    code = main(list(arguments))
    return code, capsys.readouterr().err


def claims_of_one_insurer(project, share=0.4, drop=0):
    costs = project / "raw" / "small" / "costs.csv"
    frame = pd.read_csv(costs, sep=";", dtype=str, keep_default_na=False)
    frame.assign(insurer=UZOVI).to_csv(costs, sep=";", index=False)
    practices = pd.read_csv(project / "raw" / "small" / "practices.csv", sep=";", dtype=str)["practice_id"]
    rows = pd.DataFrame({"practice_id": practices, "insurer": UZOVI, "insured_share": str(share)})
    rows.iloc[drop:].to_csv(project / "raw" / "small" / "insurers.csv", sep=";", index=False)


def test_the_live_ledger_recalculates_to_the_published_numbers(project):
    inputs = report_inputs(run_evaluation("small"))
    content = workbook(all_tables(inputs, "en"), inputs.money.result)
    assert content == workbook(all_tables(inputs, "en"), inputs.money.result)
    path = project / "tables.xlsx"
    path.write_bytes(content)
    sheet = openpyxl.load_workbook(path)[LIVE_LEDGER]
    values, rows = Recalculated(sheet), {sheet.cell(r, 1).value: f"B{r}" for r in range(12, 0, -1)}
    published = inputs.money.perspectives.set_index("perspective")["total"]
    assert values[rows["insurer"]] == pytest.approx(published["insurer"], rel=PUBLISHED_DIGITS)
    assert values[rows["society"]] == pytest.approx(published["society"], rel=PUBLISHED_DIGITS)
    even = inputs.money.break_even.iloc[0]
    assert values[rows["paid tariff per patient-year"]] == pytest.approx(even["paid"], rel=PUBLISHED_DIGITS)
    assert values[rows["break-even tariff per patient-year"]] == pytest.approx(even["break_even"], rel=PUBLISHED_DIGITS)
    fee = next(r for r in range(1, sheet.max_row) if sheet.cell(r, 1).value == "fee")
    sheet.cell(fee, 2).value *= 2  # the fee doubles: the insurer loses what it paid once more
    paid = even["paid"] * inputs.money.patient_years
    assert Recalculated(sheet)[rows["insurer"]] == pytest.approx(published["insurer"] - paid, rel=PUBLISHED_DIGITS)


def test_a_cohort_of_one_practice_leaves_the_effects_and_takes_the_euros_away(project):
    raw = project / "raw" / "small"
    enrolled, drawn = (
        pd.read_csv(raw / name, sep=";", dtype=str, keep_default_na=False)
        for name in ("enrolment.csv", "lottery_rounds.csv")
    )
    moved = enrolled.loc[enrolled["enrolled_quarter"] == "2023Q3", "practice_id"].iloc[1:]
    enrolled.loc[enrolled["practice_id"].isin(moved), "enrolled_quarter"] = "2023Q2"
    drawn = drawn[~(drawn["practice_id"].isin(moved) & (drawn["lottery_round"] > "2023Q2"))]
    drawn.loc[drawn["practice_id"].isin(moved), "drawn"] = "yes"
    enrolled.to_csv(raw / "enrolment.csv", sep=";", index=False)
    drawn.to_csv(raw / "lottery_rounds.csv", sep=";", index=False)
    found = run_evaluation("small")
    assert np.isfinite(found.effects.frame["estimate"]).any()
    assert found.money.net_benefit is None
    assert found.money.refused is not None
    assert dict(found.money.refused.without_error)["cost_gp"].startswith("cohort of one unit")
    inputs = report_inputs(found)
    assert inputs.money is None
    assert "there is no standard error of Cost of GP care" in str(Page(inputs, "en").sentences("decision"))


def test_a_fee_hidden_in_the_cost_of_general_practice_takes_away_the_euros(project, capsys):
    path = project / "raw" / "small" / "costs.csv"
    costs = pd.read_csv(path, sep=";", dtype=str, keep_default_na=False)
    costs[costs["sector"] != "mtvp_fee"].to_csv(path, sep=";", index=False)
    found = run_evaluation("small")
    assert found.money.net_benefit is None
    assert "cannot be told apart" in str(Page(report_inputs(found), "en").sentences("decision"))
    code, message = refused(capsys, "money", "small", "--known-on", "2024-01-01")
    assert (code, "cannot be told apart" in message) == (2, True), message


def test_claims_of_one_insurer_count_its_own_insured_only(project):
    everyone = run_evaluation("small").money.net_benefit
    claims_of_one_insurer(project, share=0.4)
    ask(project, insured_of=UZOVI)
    own = run_evaluation("small").money.net_benefit
    assert own.effects.claims_of == UZOVI
    assert own.patient_years() == pytest.approx(0.4 * everyone.patient_years(), rel=1e-12)
    whole, part = (r.total(Perspective.INSURER).mean for r in (everyone, own))
    assert part == pytest.approx(0.4 * whole, rel=1e-9)  # the same share everywhere changes no effect per patient


@pytest.mark.parametrize(
    ("insured_of", "drop", "said"),
    [
        ("all", 0, "claims of insurer 3311 only"),
        ("1234", 0, "claims of insurer 3311 only"),
        (UZOVI, 3, "practices have no insured share between 0 and 1. Complete insurers.csv"),
    ],
)
def test_claims_of_one_insurer_are_never_multiplied_by_others(project, capsys, insured_of, drop, said):
    claims_of_one_insurer(project, drop=drop)
    ask(project, insured_of=insured_of)
    code, message = refused(capsys, "evaluate", "small")
    assert code == 1
    assert said in message


def test_a_declared_extrapolation_stands_apart_and_leaves_the_headline(project, capsys):
    before = report_inputs(run_evaluation("small"))
    later = {"two": {"patient_years": [90_000, 90_000], "persistence": {"geometric": 0.2}}}
    ask(project, extrapolations=later)
    code, message = refused(capsys, "evaluate", "small")
    assert code == 1
    assert "inputs.mtvp_fee.2024" in message  # no figure was published: it is asked for, never guessed
    amount = {"price_year": 2024, "evidence": "assumed", "source": "test"}
    years = lambda value: {year: {"value": value, **amount} for year in (2023, 2024, 2025)}  # noqa: E731
    ask(
        project,
        inputs={
            "mtvp_fee": {2024: {"value": 3.0, **amount}},
            "practice_outlay": years(10.0),
            "regional_organisation_fee": years(1.4),
        },
        capacity={"patients_per_fte": 2095, "cost_per_fte": 120000, "consults": 4.5, "hours": 1400, "source": "test"},
        baseline_total_cost={"value": 3200, "price_year": 2023, "evidence": "published", "source": "test"},
        spread={"price": {"practice_outlay": 0.25}, "cashable": {"hospital_cost": 0.1}},
    )
    # 2025's fee is in euros of 2025, for which no index level is published
    ask_levels = {"cpi": {2025: {"value": 110.0, "source": "test", "evidence": "assumed"}}}
    path = project / "reports" / "small" / "evaluation.yaml"
    inputs = yaml.safe_load(path.read_text(encoding="utf-8"))["cost_benefit"]["inputs"]
    ask(project, inputs={**inputs, **ask_levels})
    made = report_inputs(run_evaluation("small"))
    shown = report_table("extrapolations", made, "en").frame.set_index("part")["insurer"]
    assert shown["both"] == pytest.approx(shown["observed"] + shown["extrapolated"])
    headline = made.money.perspectives.set_index("perspective")["total"]
    assert headline["insurer"] == pytest.approx(shown["observed"])
    assert made.money.patient_years == pytest.approx(before.money.patient_years)
    assert made.money.not_computed == ()
    assert made.money.page.saving["baseline"].iloc[0] == 3200
    assert "declared" in set(made.money.page.tornado["origin"])


def test_every_share_that_a_ledger_may_declare_reaches_the_report(project):
    path = project / "data_dictionary" / "ledgers" / "mtvp.yaml"
    ledger = yaml.safe_load(path.read_text(encoding="utf-8"))
    lines = {line["id"]: line for line in ledger["lines"]}
    later = {2025: {"value": 3.23, "price_year": 2024, "source": "offer", "evidence": "assumed"}}
    lines["fee"].update(uptake=0.9, price_payer={2023: {"item": "mtvp_fee"}, **later})
    lines["practice_outlay"].update(uptake=0.8, spread={"price": 0.25}, price_resource={"share_of_payer": 0.7})
    stated = {"price_year": 2024, "source": "test", "evidence": "assumed"}
    lines["regional_organisation"].update(
        uptake=0.8, evidence="assumed", price_payer={"value": 1.5, **stated}, price_resource={"value": 1.2, **stated}
    )
    lines["gp_cost"].update(cashable=0.6, backfill=0.2, persistence={"half_life": 3}, spread={"cashable": 0})
    lines["hospital_cost"]["spread"].update(lag=[0.5, 0.5])
    path.write_text(yaml.safe_dump(ledger), encoding="utf-8")
    amount = {"price_year": 2024, "evidence": "assumed", "source": "test"}
    ask(
        project,
        extrapolations={"later": {"patient_years": [90_000, 90_000], "persistence": {"geometric": 0.2}}},
        spread={"decay": {"mean": 0.2, "sd": 0.1}, "uptake": 0.1},
        inputs={
            "practice_outlay": {year: {"value": 3.0, **amount} for year in (2023, 2024, 2025)},
            "mtvp_fee": {2024: {"value": 3.0, **amount}},
            "cpi": {2025: {"value": 110.0, "source": "test", "evidence": "assumed"}},
        },
    )  # fmt: skip
    made = report_inputs(run_evaluation("small"))
    known = made.money.assumptions.set_index("item")
    declared = {
        "line fee.uptake": ("contract", False, True), "line practice_outlay.uptake": ("assumed", False, True),
        "line practice_outlay.resource": ("assumed", False, True), "line gp_cost.cashable": ("assumed", False, True),
        "line gp_cost.backfill": ("assumed", False, True), "line hospital_cost.cashable": ("assumed", True, True),
        "line fee.price_payer.2025": ("assumed", False, False),
        "line regional_organisation.price_payer": ("assumed", False, True),
        "line regional_organisation.price_resource": ("assumed", False, True),
        "inputs.cpi.2025": ("assumed", False, False),
        "persistence.later": ("assumed", True, False), "line gp_cost.persistence.later": ("assumed", False, False),
    }  # fmt: skip
    for item, expected in declared.items():
        assert tuple(known.loc[item, ["evidence", "varied", "observed"]]) == expected
    page = made.money.page
    assert set(page.spread.itertuples(index=False, name=None)) >= {
        ("price", "practice_outlay", 0.25, "ledger", True), ("cashable", "hospital_cost", 0.15, "ledger", True),
        ("decay", "all_effects", 0.1, "question", False), ("uptake", "patients", 0.1, "question", False),
    }  # fmt: skip
    assert "gp_cost" not in set(page.spread["line"])  # declared to be exactly known
    lag = page.spread[page.spread["kind"] == "lag"]
    assert lag["observed"].tolist() == [False]  # the only observed year is the first
    assert {"price", "cashable", "avoidable"} >= set(page.measure_next["kind"]) - {"all", "data", "effect"}
    widest = set(zip(page.tornado["input"], page.tornado["name"], strict=True))
    assert {("uptake", "regional_organisation"), ("backfill", "gp_cost")} <= widest
    for language in ("nl", "en"):
        shown = " ".join(repr(table) for table in all_tables(made, language))
        assert not [word for word in ("gp_cost", "practice_outlay", ".later", "backfill") if f" {word}" in shown]


def test_the_placebo_year_lies_before_the_first_start_and_prices_effects_only(project):
    evaluation = run_evaluation("small")
    beside = evaluation.money.beside
    first, last = beside.placebo_window
    assert last < int(evaluation.design.cohorts[0])
    assert (int(evaluation.design.cohorts[0]) - first) % 4 == 0  # the same seasons
    assert all(line.effect is not None for line in beside.placebo.ledger.lines)


BAD_LINES = {
    "without payer": lambda lines: lines[1].pop("payer"),
    "unknown effect": lambda lines: lines[4].update(quantity_source="effect:cost_hospitl"),
    "one overlap group": lambda lines: lines[5].update(overlap_group="hospital"),
    "without price year": lambda lines: lines[1].update(
        price_payer={"value": 10.0, "source": "test", "evidence": "assumed"}
    ),
    "mixed currencies": lambda lines: lines[2].update(
        price_payer={"value": 1, "price_year": 2023, "currency": "USD", "source": "test", "evidence": "assumed"}
    ),
}


def spoilt(project, *faults):
    path = project / "data_dictionary" / "ledgers" / "mtvp.yaml"
    ledger = yaml.safe_load(path.read_text(encoding="utf-8"))
    for fault in faults:
        BAD_LINES[fault](ledger["lines"])
    path.write_text(yaml.safe_dump(ledger), encoding="utf-8")


def test_a_bad_ledger_is_refused_with_every_error(project, capsys):
    spoilt(project, "without price year", "one overlap group", "mixed currencies", "unknown effect")
    path = project / "data_dictionary" / "ledgers" / "mtvp.yaml"
    ledger = yaml.safe_load(path.read_text(encoding="utf-8"))
    ledger["lines"][3].pop("payer")
    path.write_text(yaml.safe_dump(ledger), encoding="utf-8")
    code, message = refused(capsys, "evaluate", "small")
    assert code == 1
    for part in (
        "line gp_cost: has no payer",
        "line practice_outlay.price_payer: has no price_year",
        "line regional_organisation.price_payer.currency: must be EUR",
        "lines hospital_cost, pharmacy_cost: measure the same euros (overlap group hospital)",
        "line hospital_cost: unknown effect id cost_hospitl; did you mean cost_hospital?",
    ):
        assert part in message
    assert not (project / "reports" / "small" / "results.json").exists()


def test_a_ledger_line_on_an_effect_that_no_outcome_has_is_refused(project, capsys):
    spoilt(project, "unknown effect")
    code, message = refused(capsys, "evaluate", "small")
    assert code == 1
    assert "cost_hospitl" in message
    assert "did you mean cost_hospital?" in message


def test_results_hold_every_table_of_money(project):
    assert main(["evaluate", "small"]) == 0
    results = json.loads((project / "reports" / "small" / "results.json").read_text(encoding="utf-8"))
    tables = {n["id"].split("/")[0] for n in results["numbers"]}
    assert tables >= {
        "stranded",
        "tornado",
        "contract",
        "measure_next",
        "saving",
        "placebo_year",
        "scenarios",
        "consequences",
    }


def test_prices_known_on_another_day_are_shown_beside_those_known_now(project, capsys):
    assert main(["money", "small", "--known-on", "2023-03-01"]) == 0
    table = capsys.readouterr().out
    assert "prices known on 2023-03-01" in table
    assert "prices known now" in table
    assert "of the effects alone" in table
    path = project / "data_dictionary" / "prices" / "tariffs.csv"
    old = next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("mtvp_fee,2.88"))
    new = old.replace("2.88", "3.00").replace("2023-02-28,", "2024-06-01,")  # raised afterwards, for the same year
    path.write_text(path.read_text(encoding="utf-8") + new + "\n", encoding="utf-8")
    result = run_evaluation("small").money
    changed = prices_known_on(result, date(2023, 3, 1)).query("perspective == 'insurer'")
    extra = 4 * (3.00 - 2.88) * 107.3 / 103.8 * result.net_benefit.patient_years()
    assert changed["minus_base"].iloc[-1] == pytest.approx(-extra, rel=1e-9)
    code, message = refused(capsys, "money", "small", "--known-on", "2020-01-01")
    assert code == 1
    assert "mtvp_fee" in message
