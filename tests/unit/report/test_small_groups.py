"""A cohort of three practices is withheld with its complement, in counts and in every effect that would show it."""

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.pipeline.pooling_contrasts import COHORTS as COUNTED
from mtvp_eval.pipeline.pooling_contrasts import CONTRASTED
from mtvp_eval.report.small_groups import betrays_few, shown_effects, withheld_cohorts
from mtvp_eval.report.tables.brought import pooling_contrasts
from tests.unit.report.made_region import COHORTS, made_estimability, made_inputs


def region_with(**units: int):
    sizes = {**{c: n for c, (n, _) in COHORTS.items()}, **{c.replace("q", "20"): n for c, n in units.items()}}
    inputs = made_inputs()
    cohorts = inputs.cohorts.assign(units=[sizes[c] for c in inputs.cohorts["cohort"]])
    cells = made_estimability()
    cells["practices"] = [sizes[c] for c in cells["cohort"]]
    comparing = [
        sum(n for c, n in sizes.items() if c != "never" and c > period and c != cohort)
        for cohort, period in zip(cells["cohort"], cells["period"], strict=True)
    ]
    return made_inputs(cohorts=cohorts, estimability=cells.assign(practices_comparing=comparing))


def test_nothing_is_withheld_without_need():
    inputs = made_inputs()
    assert withheld_cohorts(inputs) == frozenset()
    assert not shown_effects(inputs)["withheld"].any()


def test_a_small_cohort_takes_the_smallest_other_with_it():
    # 2023Q4 has 3; the smallest other cohort is that of the 7 practices never enrolled.
    hidden = withheld_cohorts(region_with(q23Q4=3))
    assert "2023Q4" in hidden
    assert len(hidden) >= 2


def test_no_effect_of_the_small_cohort_follows_from_the_others():
    inputs = region_with(q23Q3=3)
    effects = shown_effects(inputs)
    hidden = withheld_cohorts(inputs)
    one = effects[(effects["outcome"] == "cost_hospital") & (effects["weighting"] == "practice")]
    assert one.loc[one["cohort"] == "2023Q3", "withheld"].all()
    assert one.loc[one["withheld"], "estimate"].isna().all()
    assert not one.loc[one["estimand"] == "overall", "withheld"].any()
    # By hand: in every event time and quarter still shown, withheld cohorts are absent or at least two.
    cells = one[one["estimand"] == "att_gt"]
    for by, estimand in (("event_time", "event_study"), ("period", "calendar")):
        for _, row in one[(one["estimand"] == estimand) & ~one["withheld"]].iterrows():
            if by == "event_time" and row[by] < 0:
                continue
            inside = cells[cells[by] == row[by]]
            assert inside["withheld"].sum() != 1, (estimand, row[by], hidden)


def test_a_lower_threshold_shows_a_cohort_of_one():
    inputs = region_with(q23Q3=1)
    from dataclasses import replace

    open_data = replace(inputs, min_units=1, min_patients=1)
    assert not shown_effects(open_data)["withheld"].any()


@pytest.mark.parametrize("small", ["q23Q2", "q23Q3", "q23Q4"])
def test_numbers_withheld_are_gone(small):
    effects = shown_effects(region_with(**{small: 2}))
    gone = effects[effects["withheld"]]
    assert len(gone)
    assert np.isnan(gone[["estimate", "ci_low", "band_high", "df"]].to_numpy(float)).all()


def brings(inputs, fewest=9, **counted):
    """The region with contrasts of one outcome; `counted` (members, analysed, alike) of cohorts 2023Q2 and so on."""
    from dataclasses import replace

    rows = [("cost_hospital", cohort, *of) for cohort, of in counted.items()]
    numbers = [0.5] * (len(CONTRASTED) - 4)
    contrasts = [("cost_hospital", name, *numbers, 30, fewest) for name in ("later", "last", "before", "log_size")]
    frames = {"pooling_contrasts": (CONTRASTED, contrasts), "pooling_cohorts": (COUNTED, rows)}
    made = {name: pd.DataFrame(rows, columns=list(columns)) for name, (columns, rows) in frames.items()}
    return replace(inputs, pooling=made)


def contrasts_shown(inputs):
    shown = pooling_contrasts(inputs, "en")
    left = {n.id.split("/")[0] for n in shown.numbers()}
    assert left in ({"pooling_contrasts"}, set())
    assert betrays_few(inputs).all() == betrays_few(inputs).any()
    return bool(left)


@pytest.mark.parametrize(
    ("counted", "shown"),
    [
        ({"2023Q2": (14, 14, 14), "2023Q3": (12, 12, 12), "2024Q1": (16, 16, 16)}, True),  # nothing but shown means
        ({"2023Q2": (14, 13, 13), "2023Q3": (12, 12, 12), "2024Q1": (16, 16, 16)}, False),  # one left out of a mean
        ({"2023Q2": (14, 14, 14), "2023Q3": (12, 12, 11), "2024Q1": (16, 16, 16)}, False),  # one started late
        ({"2023Q2": (14, 12, 12), "2023Q3": (12, 12, 10), "2024Q1": (16, 16, 16)}, False),  # four of them
        ({"2023Q2": (14, 12, 12), "2023Q3": (12, 12, 9), "2024Q1": (16, 16, 16)}, True),  # five
        ({"2023Q2": (14, 14, 14), "2023Q3": (12, 12, 12), "2024Q1": (16, 0, 0)}, True),  # a cohort that is not in them
    ],
)
def test_contrasts_stay_back_that_shown_means_would_solve_for_few_practices(counted, shown):
    assert contrasts_shown(brings(made_inputs(), **counted)) is shown


def test_members_of_a_withheld_cohort_are_not_known_from_its_mean():
    inputs = region_with(q23Q4=3)
    assert withheld_cohorts(inputs) == {"2023Q3", "2023Q4"}
    alike = {"2023Q2": (14, 14, 14), "2024Q1": (16, 16, 16), "2023Q4": (3, 0, 0)}
    assert not contrasts_shown(brings(inputs, **alike, **{"2023Q3": (12, 4, 4)}))
    assert contrasts_shown(brings(inputs, **alike, **{"2023Q3": (12, 12, 12)}))


def test_contrasts_stay_back_in_which_a_cohort_of_few_counts():
    alike = {"2023Q2": (14, 14, 14), "2023Q3": (12, 12, 12)}
    assert not contrasts_shown(brings(made_inputs(), fewest=4, **alike))
    assert contrasts_shown(brings(made_inputs(), fewest=5, **alike))
