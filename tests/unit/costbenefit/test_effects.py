import numpy as np
import pytest

from mtvp_eval.costbenefit.effects import EffectKey, per_patient_year, totals
from mtvp_eval.errors import LedgerError


def test_a_diagonal_covariance_must_be_declared():
    arguments = (["a", "b"], ["visit", "visit"], [1.0, 2.0], np.eye(2))
    with pytest.raises(LedgerError, match="assumed_independent"):
        per_patient_year(*arguments)
    assert per_patient_year(*arguments, assumed_independent=True).assumed_independent


def test_every_problem_of_a_vector_is_said():
    keys = [EffectKey("a", "euro", None, 2023), EffectKey("a", "visit", None, 2023), EffectKey("b", "visit")]
    with pytest.raises(LedgerError) as error:
        totals(keys, [1, 2, 3], [[1, 2, 0], [2, 1, 0], [0, 0, 1]], df=0)
    for part in (
        "semi-definite",
        "degrees of freedom",
        "a is given twice",
        "a is in euro",
        "b is a total and has no calendar year",
    ):
        assert part in str(error.value)


def test_the_covariance_is_checked_in_correlation_units():
    # euros beside a rate: the rate's negative direction (correlation 1.5) is invisible next to a variance of 1e12
    v = [[1e12, 1e6 * 1e-4 * 1.5], [1e6 * 1e-4 * 1.5, 1e-8]]
    with pytest.raises(LedgerError, match="semi-definite"):
        per_patient_year(["a", "b"], ["euro", "visit"], [0, 0], v, price_years=[2023, None])


def test_a_missing_effect_is_refused_not_zeroed():
    with pytest.raises(LedgerError, match="not finite"):
        per_patient_year(["a"], ["visit"], [np.nan], [[1.0]])


def test_results_cannot_be_changed_by_accident():
    effects = per_patient_year(["a"], ["visit"], [1.0], [[1.0]])
    with pytest.raises(ValueError):
        effects.mean[0] = 2.0
