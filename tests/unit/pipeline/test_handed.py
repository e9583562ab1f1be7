"""What a command hands to the notebooks it runs: taken only for exactly the same origin, and gone afterwards."""

import os
from dataclasses import replace

from mtvp_eval.pipeline.handed import VARIABLE, handed_over, handed_to_kernels
from mtvp_eval.provenance import fingerprint
from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.open_data.inputs import OpenDataInputs
from mtvp_eval.report.results import results
from tests.unit.report.made_region import made_inputs

ORIGIN = {"version": "1", "seed": 1, "inputs": {"raw/made/costs.csv": "ab"}}


def test_the_answer_is_taken_only_for_the_same_origin():
    answer = replace(made_inputs(), manifest=ORIGIN)
    with handed_to_kernels(answer):
        found = handed_over(ORIGIN, ReportInputs)
        assert found is not None
        assert found is not answer
        assert results(found) == results(answer)
        assert handed_over({**ORIGIN, "seed": 2}, ReportInputs) is None
        assert handed_over(ORIGIN, OpenDataInputs) is None


def test_nothing_is_handed_outside_the_run(monkeypatch):
    monkeypatch.setenv(VARIABLE, "of an outer run")
    with handed_to_kernels(replace(made_inputs(), manifest=ORIGIN)):
        folder = os.environ[VARIABLE]
        assert os.path.isdir(folder)
    assert os.environ[VARIABLE] == "of an outer run"
    assert not os.path.exists(folder)
    monkeypatch.delenv(VARIABLE)
    assert handed_over(ORIGIN, ReportInputs) is None


def test_a_changed_package_is_another_origin(monkeypatch):
    before = fingerprint(ORIGIN)
    assert fingerprint({**ORIGIN, "version": "2"}) != before
    monkeypatch.setattr("mtvp_eval.provenance.sha256", lambda path: "changed")
    assert fingerprint(ORIGIN) != before
