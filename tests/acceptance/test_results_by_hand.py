"""From raw extracts through the command line to results.json: the headline by brute force, the euros by hand."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mtvp_eval.cli import main

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED_DIGITS = 1e-9  # results.json keeps ten digits


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    """The example region evaluated without covariates, so that every effect is a difference of means of differences."""
    root = tmp_path_factory.mktemp("project")
    folder = root / "reports" / "example"
    folder.mkdir(parents=True)
    question = yaml.safe_load((ROOT / "reports" / "example" / "evaluation.yaml").read_text(encoding="utf-8"))
    question["estimation"]["covariates"] = []
    (folder / "evaluation.yaml").write_text(yaml.safe_dump(question), encoding="utf-8")
    shutil.copytree(ROOT / "data_dictionary", root / "data_dictionary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTVP_PROJECT", str(root))
        assert main(["simulate", "example"]) == 0
        assert main(["evaluate", "example"]) == 0
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    tables = {
        p.stem: pd.read_csv(p, sep=";", dtype={"practice_id": str}) for p in (root / "raw" / "example").glob("*.csv")
    }
    return question, tables, results


def published(results, identifier):
    return next(n for n in results["numbers"] if n["id"] == identifier)


def compared(tables):
    """Practices that are compared, with their first quarter (2999Q1 if none) and frozen list."""
    practices = tables["practices"]
    kept = practices[(practices["monitoring_consent"] == "yes") & (practices["kb_status"] == "none")]
    kept = kept[kept["practice_id"].isin(tables["applications"]["practice_id"])]
    start = tables["enrolment"].set_index("practice_id")["enrolled_quarter"]
    activity = tables["activity"]
    frozen = activity[activity["quarter"] == "2023Q1"].set_index("practice_id")["registered_patients"]
    return pd.DataFrame({"start": kept["practice_id"].map(start).fillna("2999Q1").to_numpy(),
                         "list": kept["practice_id"].map(frozen).to_numpy()}, index=kept["practice_id"])  # fmt: skip


def by_brute_force(wide, units, weight):
    """Cells (cohort, quarter) -> difference of mean changes since the quarter before the start, and weight."""
    quarters = list(wide.columns)
    cells = {}
    for cohort in sorted(set(units["start"]) - {"2999Q1"}):
        before = quarters[quarters.index(cohort) - 1]
        for quarter in quarters[quarters.index(cohort) :]:
            waiting = units["start"] > quarter
            if waiting.sum() < 5:
                break
            change = wide[quarter] - wide[before]
            mine = units["start"] == cohort
            effect = np.average(change[mine], weights=weight[mine]) - np.average(
                change[waiting], weights=weight[waiting]
            )
            cells[cohort, quarter] = (effect, weight[mine].sum())
    return cells


def test_the_headline_equals_brute_force_on_the_raw_files(region):
    _, tables, results = region
    units = compared(tables)
    activity = tables["activity"]
    activity["rate"] = 1000 * activity["consults"] / activity["registered_patients"]
    wide = activity.pivot(index="practice_id", columns="quarter", values="rate").loc[units.index]
    cells = by_brute_force(wide, units, pd.Series(1.0, index=units.index))
    assert len(cells) == 6  # a lottery over three quarters and an open round show six cells
    expected = np.average([e for e, _ in cells.values()], weights=[w for _, w in cells.values()])
    number = published(results, "headline/consults_per_1000.practice/estimate")
    assert number["value"] == pytest.approx(expected, rel=PUBLISHED_DIGITS, abs=1e-9)
    low, high = number["interval"]
    assert low < number["value"] < high


def test_the_euros_follow_by_hand_from_effects_fee_and_prices(region):
    question, tables, results = region
    units = compared(tables)
    costs = tables["costs"]
    patient_years, insurer = 0.0, 0.0
    to_2024 = 107.3 / 103.8  # consumer prices, 2022 = 100
    for name, sectors, cash in (
        ("cost_gp", ["gp_consult", "gp_chain", "gp_other"], 1.0),
        ("cost_hospital", ["hospital"], 0.5),  # the ledger's cashable share of the first two years
        ("cost_pharmacy", ["pharmacy"], 1.0),
    ):
        chosen = costs[costs["sector"].isin(sectors)]
        amount = chosen.groupby(["practice_id", "quarter"])["amount_eur"].sum()
        years = chosen.groupby(["practice_id", "quarter"])["insured_years"].first()
        wide = (amount / years).unstack().loc[units.index]
        cells = by_brute_force(wide, units, units["list"].astype(float))
        total = sum(effect * patients / 4 for effect, patients in cells.values())
        assert results["priced"]["estimate"][results["priced"]["names"].index(f"{name} 2023")] == pytest.approx(
            total, rel=1e-8  # sums of euros over fifty practices, in another order
        )  # fmt: skip
        insurer -= cash * total * to_2024
        patient_years = sum(patients / 4 for _, patients in cells.values())
    fee = 4 * 2.88
    organisation = question["cost_benefit"]["inputs"]["regional_organisation_fee"][2023]["value"]
    insurer -= (fee + organisation) * to_2024 * patient_years
    assert published(results, "perspectives/insurer/total")["value"] == pytest.approx(insurer, rel=1e-8)
    assert published(results, "budget/fee/2023")["value"] == pytest.approx(-fee * to_2024 * patient_years, rel=1e-8)
