"""ReportInputs: the frames a report needs, and what is said when one is not there."""

import pytest

from mtvp_eval.errors import DataError
from tests.unit.report.made_region import made_inputs


def test_all_lacking_columns_are_named_at_once():
    inputs = made_inputs()
    with pytest.raises(DataError, match=r"cohorts: patients; effects: std_error, df"):
        made_inputs(
            cohorts=inputs.cohorts.drop(columns="patients"), effects=inputs.effects.drop(columns=["std_error", "df"])
        )


def test_an_outcome_without_a_title_is_refused():
    with pytest.raises(DataError, match="no title for outcome access_days"):
        made_inputs(primary_outcome="access_days")
