"""From an evaluation to what a report shows: frames without any practice in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mtvp_eval.clock import NEVER, cohort_label, quarter_label
from mtvp_eval.config import EvaluationConfig, config_path
from mtvp_eval.costbenefit.checklist import fill_checklist
from mtvp_eval.data.panel import Panel
from mtvp_eval.estimands.estimand import Weighting
from mtvp_eval.pipeline.comparison import described_cells
from mtvp_eval.pipeline.evaluate import Evaluation, data_folder, origin, run_evaluation
from mtvp_eval.pipeline.handed import handed_over
from mtvp_eval.pipeline.intervals import look_level
from mtvp_eval.pipeline.lottery_report import lottery_frames
from mtvp_eval.pipeline.methods import headline
from mtvp_eval.pipeline.money_frames import money_inputs
from mtvp_eval.pipeline.power import region_detectable
from mtvp_eval.pipeline.replay_tests import beside
from mtvp_eval.progress import step
from mtvp_eval.project import project_root, resource
from mtvp_eval.report.inputs import OutcomeInfo, ReportInputs

if TYPE_CHECKING:
    import pandas as pd

PLACES = {
    "title": "title",
    "summary": "summary",
    "analysis_plan": "reading",
    "population": "lineage",
    "setting": "cohorts",
    "comparison": "estimability",
    "perspectives": "perspectives",
    "horizon": "limits",
    "discounting": "scenarios",
    "outcomes": "headline",
    "estimation": "reading",
    "valuation": "limits",
    "ledger": "ledger",
    "prices": "assumptions",
    "assumptions": "assumptions",
    "heterogeneity": "by_cohort",
    "who_pays_who_gains": "parties",
    "uncertainty": "spread",
    "inputs": "assumptions",
    "net_benefit": "perspectives",
    "sensitivity": "scenarios",
    "discussion": "limits",
}
"""Parts of the checklist for economic evaluations -> heading of the region report that answers them."""

_DECIMALS = {"cost": 2, "survey": 2, "ratio": 2, "value": 2}


def region_inputs(region: str) -> ReportInputs:
    """Evaluate a region and return everything a report of it shows.

    A notebook that `mtvp report` runs takes what the command computed from the same inputs (`handed_over`).

    Raises
    ------
    MtvpError
        Whatever `run_evaluation` refuses.
    """
    config = EvaluationConfig.read(config_path(project_root(), region))
    handed = handed_over(origin(config, data_folder(region)).to_dict(), ReportInputs)
    return report_inputs(run_evaluation(region)) if handed is None else handed


def report_inputs(evaluation: Evaluation) -> ReportInputs:
    """Return everything a report of one region shows."""
    config, linked = evaluation.config, evaluation.linked
    with step("asking what effects the draw could show"):
        detectable = region_detectable(linked, evaluation.dictionary, evaluation.programme, config)
    with step("describing costs and savings of every party"):
        money = money_inputs(evaluation)
    return ReportInputs(
        region=config.region,
        title={"nl": config.title, "en": config.title},
        simulated=config.simulated,
        primary_outcome=config.outcomes.primary,
        outcomes=_outcomes(evaluation),
        lineage=_account(evaluation),
        not_supplied=_frame(
            ("outcome", "reason"), [(row.outcome, row.reason) for row in linked.supply if not row.supplied]
        ),
        findings=_frame(("table", "finding", "rows"), [(f.table, f.kind, f.count) for f in linked.validation.findings]),
        missing=_missing(evaluation),
        known_breaks=_breaks(evaluation),
        cohorts=_cohorts(evaluation),
        estimability=_estimability(evaluation),
        trends=_trends(evaluation),
        effects=evaluation.effects.frame
        if evaluation.replay is None
        else beside(evaluation.effects.frame, evaluation.replay.frame),
        robustness=evaluation.effects.robustness,
        trend_sensitivity=evaluation.sensitivity.trends,
        multiplicity=evaluation.sensitivity.families,
        intervals=evaluation.intervals,
        pretrend_power=evaluation.sensitivity.pretrends,
        looks=(config.looks.taken, config.looks.planned),
        look_level=look_level(config),
        sensitivity_refused=evaluation.sensitivity.refused,
        few_clusters=evaluation.sensitivity.few,
        draw=_draw(evaluation),
        lottery=lottery_frames(evaluation.draw, evaluation.replay),
        participation=evaluation.participation,
        pooling=evaluation.pooling,
        money=money,
        no_money=evaluation.money.refused,
        headline_method=config.estimation.estimator,
        headline_covariates=headline(config.estimation, Weighting.PRACTICE, evaluation.drawn).choices.covariates,
        level=config.estimation.level,
        min_patients=config.disclosure.min_count,
        min_units=config.disclosure.min_group,
        manifest=evaluation.provenance.to_dict(),
        detectable=detectable,
        checklist=_checklist(evaluation),
    )


def _frame(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))


def _outcomes(evaluation: Evaluation) -> tuple[OutcomeInfo, ...]:
    panel, first = evaluation.panel, int(evaluation.design.cohorts[0])
    before = panel.clock < first
    infos = []
    for name, outcome in evaluation.dictionary.outcomes.items():
        values = panel.outcomes.get(name)
        level = None
        if values is not None and np.isfinite(values[:, before]).any():
            level = float(np.nanmean(values[:, before][:, -4:]))
        infos.append(OutcomeInfo.of(outcome, _DECIMALS[outcome.kind], level))
    return tuple(infos)


def _account(evaluation: Evaluation) -> pd.DataFrame:
    """Account of practices on the way to the comparison."""
    design = evaluation.design
    rows = [(row.step, row.reason, row.units, row.lost) for row in evaluation.everybody.lineage]
    rows.append(
        ("before", "enrolled from the first quarter supplied on: no pre-period", design.n_units, design.always_enrolled)
    )
    return _frame(("step", "reason", "units", "lost"), rows)


def _missing(evaluation: Evaluation) -> pd.DataFrame:
    """Share of missing values by outcome, cohort and event time."""
    panel = evaluation.everybody
    entry, rows = _entry(panel), []
    last = int(panel.clock[-1])
    for cohort in np.unique(np.where(entry > last, NEVER, entry)).tolist():
        members = (entry > last) if cohort == NEVER else (entry == cohort)
        for name, values in panel.outcomes.items():
            gaps, label, units = np.isnan(values[members]), cohort_label(cohort, last), int(members.sum())
            if cohort == NEVER:  # no event time: one share over all quarters
                rows.append((name, label, None, units, float(gaps.mean())))
                continue
            for t, share in zip(panel.clock.tolist(), gaps.mean(axis=0).tolist(), strict=True):
                rows.append((name, label, t - cohort, units, share))
    return _frame(("outcome", "cohort", "event_time", "units", "share"), rows)


def _breaks(evaluation: Evaluation) -> pd.DataFrame:
    by_name = {known.name: known for known in evaluation.dictionary.breaks}
    crossed: dict[str, list[str]] = {}
    for row in evaluation.linked.breaks:
        crossed.setdefault(row.name, []).append(row.outcome)
    rows = []
    for name, outcomes in crossed.items():
        known = by_name[name]
        last = "" if known.last is None else quarter_label(known.last)
        words = (known.what_en, known.what_nl, known.what_en)
        rows.append((name, quarter_label(known.first), last, ", ".join(outcomes), *words, known.source))
    columns = ("break", "first_period", "last_period", "outcomes", "what", "what_nl", "what_en", "source")
    return _frame(columns, rows)


def _entry(panel: Panel) -> np.ndarray[Any, np.dtype[np.int64]]:
    assert panel.entry is not None
    return panel.entry


def _cohorts(evaluation: Evaluation) -> pd.DataFrame:
    panel = evaluation.everybody
    entry, last = _entry(panel), int(panel.clock[-1])
    labels = np.array([cohort_label(int(g), last) for g in entry], dtype=object)
    rows = [
        (label, int((labels == label).sum()), float(panel.weight[labels == label].sum()))
        for label in sorted(set(labels))
    ]
    return _frame(("cohort", "units", "patients"), rows)


def _estimability(evaluation: Evaluation) -> pd.DataFrame:
    columns = (
        *("cohort", "period", "event_time", "practices", "patients", "practices_comparing", "patients_comparing"),
        *("identified_by", "reason"),
    )
    frame = _frame(columns, described_cells(evaluation.everybody, evaluation.drawn, evaluation.config.estimation))
    last = int(evaluation.everybody.clock[-1])
    return frame.assign(
        cohort=[cohort_label(int(g), last) for g in frame["cohort"]],
        period=[quarter_label(int(t)) for t in frame["period"]],
    )


def _trends(evaluation: Evaluation) -> pd.DataFrame:
    """Raw mean of every estimated outcome by cohort and quarter."""
    panel = evaluation.everybody
    entry, last, rows = _entry(panel), int(panel.clock[-1]), []
    for cohort in np.unique(np.where(entry > last, NEVER, entry)).tolist():
        members = (entry > last) if cohort == NEVER else (entry == cohort)
        patients = float(panel.weight[members].sum())
        for name in evaluation.effects.outcomes:
            values = panel.outcomes[name][members]
            seen = np.isfinite(values)
            count = seen.sum(axis=0)
            total = np.where(seen, values, 0.0).sum(axis=0)
            for t, n, s in zip(panel.periods, count.tolist(), total.tolist(), strict=True):
                rows.append((name, cohort_label(cohort, last), t, n, patients, s / n if n else np.nan))
    return _frame(("outcome", "cohort", "period", "units", "patients", "mean"), rows)


def _draw(evaluation: Evaluation) -> Mapping[str, str]:
    draw, programme = evaluation.config.draw, evaluation.programme
    return {
        "rollover": draw.rollover,
        "misfit": draw.misfit,
        "cap": f"{draw.cap}, {programme.cap_share:.0%} of {programme.cap_base.replace('_', ' ')}",
        "oversize": draw.oversize or "not declared",
        "document": draw.document,
        "dated": draw.dated,
    }


def _checklist(evaluation: Evaluation) -> pd.DataFrame:
    """Fill the checklist; without a net benefit nothing of money is reported."""
    path = resource("data_dictionary") / "checklists" / "cheers2022.yaml"
    return fill_checklist(path, PLACES if evaluation.money.net_benefit is not None else {})
