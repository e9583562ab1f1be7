"""Common shares through results.json: as in one panel of all practices, and said where regions keep their own."""

import numpy as np
import pytest
from scipy.stats import t

from mtvp_eval.errors import DataError
from mtvp_eval.estimands.aggregate import overall
from mtvp_eval.estimators.lottery_default import CONTRASTS, lottery_default
from mtvp_eval.pipeline.pool import pooled_inputs
from mtvp_eval.report.pooled_page import PooledPage
from mtvp_eval.report.results import DIGITS
from tests.unit.inference.test_shared_shares import drawn, not_replayed, practices, together
from tests.unit.pipeline.test_pool import UNIT, content, number, project, put  # noqa: F401

OUTCOME = "consults_per_1000"
REGIONS = {  # cohorts in proportion, so that practices weigh as the quarters of those who won do
    "east": practices("e", ((20, 20, 20, 20),), 1),
    "north": practices("n", ((30, 30, 30, 30),), 2),
}


def own(region):
    """What the region publishes as its effect, with its own shares."""
    panel, block = region
    design = drawn(panel, block)
    found = lottery_default(panel, design, "y", [overall(design)]).effects
    return float(found.estimate[0]), float(found.std_error()[0]), float(found.df()[0]), panel.n_units


def with_contrasts(name, region, contrasts, outcome=OUTCOME):
    made = content(name, own(region))
    columns = {
        "estimate": contrasts.estimate, "replayed_outcome": contrasts.replayed_outcome,
        "replayed_exposure": contrasts.replayed_exposure,
        **{f"covariance_{c}": contrasts.covariance[:, i] for i, c in enumerate(CONTRASTS)},
    }  # fmt: skip
    for column, values in columns.items():
        for contrast, value in zip(CONTRASTS, values.tolist(), strict=True):
            made["numbers"].append(number("pooling_contrasts", f"{outcome}.{contrast}", column, value))
    return made


@pytest.fixture
def two(project):  # noqa: F811
    for name, region in REGIONS.items():
        put(project, name, with_contrasts(name, region, not_replayed(*region)))
    return project


# Results are written in ten digits; a variance is some times smaller than the covariances it is made of.
@pytest.mark.parametrize(("digits", "within"), [(17, 1e-10), (DIGITS, 1e-8)])
def test_two_regions_pooled_are_the_default_on_one_panel(two, digits, within):
    for name, region in REGIONS.items():
        made = with_contrasts(name, region, not_replayed(*region))
        for entry in made["numbers"]:
            entry["value"] = float(f"{entry['value']:.{digits}g}")
        put(two, name, made)
    inputs = pooled_inputs("east, north")
    joint, block = together(*REGIONS.values())
    design = drawn(joint, block)
    whole = lottery_default(joint, design, "y", [overall(design)])
    taken = inputs.frames["shares"].iloc[0]
    assert taken["kind"] == "common"
    assert taken["practices"] == 200
    assert taken[list(CONTRASTS[1:])].to_numpy(float) == pytest.approx(whole.beta[0], abs=within)
    row = inputs.frames["pooled"].iloc[0]
    assert row["fixed"] == pytest.approx(whole.effects.estimate[0], abs=within)
    assert row["fixed_error"] == pytest.approx(whole.effects.std_error()[0], abs=within)


def test_the_interval_of_a_region_is_that_of_its_effect_with_common_shares(two):
    inputs = pooled_inputs("east, north")
    taken = inputs.frames["shares"].iloc[0][list(CONTRASTS[1:])].to_numpy(float)
    rows = inputs.frames["regions"].set_index("region")
    for name, region in REGIONS.items():
        panel, block = region
        design = drawn(panel, block)
        found = lottery_default(panel, design, "y", [overall(design)], beta=taken[None]).effects
        half = t.ppf(0.975, own(region)[2]) * found.std_error()[0]
        assert rows.loc[name, "own"] == pytest.approx(found.estimate[0], abs=1e-10)
        assert rows.loc[name, "own_high"] - rows.loc[name, "own"] == pytest.approx(half, abs=1e-10)


def test_without_contrasts_a_region_keeps_its_own_shares_and_the_page_names_it(two):
    alone = pooled_inputs("east, north").frames["regions"].set_index("region").loc["east", "own"]
    inputs = pooled_inputs("east, north, west")
    taken, rows = inputs.frames["shares"].iloc[0], inputs.frames["regions"].set_index("region")
    assert (taken["kind"], taken["apart"]) == ("mixed", "west")
    assert rows.loc["west", "own"] == -1.0
    assert rows.loc["east", "own"] == alone
    for language in ("en", "nl"):
        page = PooledPage(inputs, language)
        assert any(line.endswith("west.") for line in page.answer().lines)
        assert "west" in repr(page.table("pooled_shares"))


def test_with_few_practices_regions_keep_their_own_shares_and_the_page_says_why(two):
    inputs = pooled_inputs("east, west")
    taken, rows = inputs.frames["shares"].iloc[0], inputs.frames["regions"].set_index("region")
    assert taken["kind"] == "own"
    assert np.isnan(taken[list(CONTRASTS[1:])].to_numpy(float)).all()
    assert rows.loc["east", "own"] == own(REGIONS["east"])[0]
    for language in ("en", "nl"):
        said = [line for line in PooledPage(inputs, language).answer().lines if "120" in line]
        assert len(said) == 1
        assert " 80 " in said[0]


def test_the_page_says_that_shares_are_common(two):
    lines = PooledPage(pooled_inputs("east, north"), "en").answer().lines
    assert any("shares common to all regions" in line for line in lines)


@pytest.mark.parametrize(
    ("column", "value"),
    [("covariance_last", 1e9), ("covariance_later", -1.0), ("estimate", float("inf")), ("replayed_outcome", None)],
)
def test_contrasts_that_are_none_are_refused(two, column, value):
    region = REGIONS["east"]
    made = with_contrasts("east", region, not_replayed(*region))
    name = f"pooling_contrasts/{OUTCOME}.later/{column}"
    for entry in made["numbers"]:
        if entry["id"] == name:
            entry["value"] = value
    put(two, "east", made)
    with pytest.raises(DataError, match="pooling_contrasts/consults_per_1000"):
        pooled_inputs("east, north")


def test_a_contrast_left_out_is_refused(two):
    region = REGIONS["east"]
    made = with_contrasts("east", region, not_replayed(*region))
    made["numbers"] = [e for e in made["numbers"] if ".log_size/" not in e["id"]]
    put(two, "east", made)
    with pytest.raises(DataError, match="log_size"):
        pooled_inputs("east, north")
