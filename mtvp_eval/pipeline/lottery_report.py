"""What a report shows of the draw: frames by round, block, covariate and outcome, never by practice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtvp_eval.clock import quarter_label
from mtvp_eval.design.record import Finding
from mtvp_eval.pipeline.draw import DrawEvidence
from mtvp_eval.pipeline.replay_tests import ReplayTests

if TYPE_CHECKING:
    import pandas as pd

KINDS = {
    "the cap of": "cap_broken",
    "larger than one round's cap": "oversize_started",
    "started before applying": "started_early",
    "started after withdrawing": "started_withdrawn",
    "started ahead of": "queue_jumped",
    "undersubscribed: all start": "observational",
    "undersubscribed, yet": "left_out",
    "the declared reading": "declared_impossible",
    "members of one unit": "drawn_apart",
    "recorded as needing no lottery": "recorded_free",
    "recorded as drawn": "recorded_drawn",
    "a block of one cohort": "one_cohort",
    "cohorts of one unit": "one_unit",
    "units whose chance": "rare",
    "applied after the last round": "late",
    "applications or withdrawals reacted": "reacted",
}
"""How the sentence of a finding begins -> the name by which a report finds the words in its own language."""


def lottery_frames(draw: DrawEvidence | None, tests: ReplayTests | None) -> Mapping[str, pd.DataFrame]:
    """Return the frames of `report.tables.lottery`; none where no round of a draw was recorded."""
    import pandas as pd

    if draw is None:
        return {}

    def frame(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> pd.DataFrame:
        return pd.DataFrame(rows, columns=list(columns))

    def quarter(number: int) -> str:
        return quarter_label(draw.first_round + number - 1) if number else "all"

    def row(finding: Finding, standing: str) -> tuple[object, ...]:
        return quarter(finding.round), kind(finding), standing, finding.units

    found = {
        "draw_record": frame(
            ("round", "finding", "standing", "units"),
            [row(f, "flagged") for f in draw.findings] + [row(f, "note") for f in draw.notes],
        ),
        "draw_readings": frame(
            ("rollover", "misfit", "declared"),
            [(str(r), str(m), (r, m) == (draw.rule.rollover, draw.rule.misfit)) for r, m in draw.check.compatible],
        ),
        "draw_rounds": frame(
            ("round", "basis", "started", "filled", "expected", "p_value"),
            [
                (
                    quarter(s.round), "lottery" if s.lottery else "observational", s.started,
                    round(s.started_patients / s.cap, 2) if s.cap else 0.0,
                    round(s.expected_patients / s.cap, 2) if s.cap else 0.0, s.p_value,
                )
                for s in draw.sizes
            ],
        ),
        "identification": frame(
            ("block", "priority", "event_time", "identified_by", "practices", "practices_comparing"),
            [
                (
                    quarter(r.applied_round), r.priority, r.event_time,
                    {"lottery": "lottery", "parallel trends": "trends"}.get(str(r.identified_by), "none"),
                    r.practices, r.practices_comparing,
                )
                for r in draw.identification
            ],
        ),
        "applicants": frame(
            ("covariate", "difference"), [(a.name, a.difference) for a in draw.applicants]
        ),
    }  # fmt: skip
    if draw.balance is not None:
        b = draw.balance
        rows: list[tuple[object, ...]] = list(
            zip(b.names, b.difference.tolist(), b.expected.tolist(), b.p_value.tolist(), strict=True)
        )
        rows.append(("jointly", None, None, b.joint_p))
        found["draw_balance"] = frame(("covariate", "difference", "expected", "p_value"), rows)
    if tests is not None:
        found["replay_tests"] = tests.frame
    if tests is not None and tests.rounds is not None:
        own = tests.rounds["round"].map(lambda r: quarter(int(r)) if str(r).isdigit() else str(r))
        found["round_tests"] = tests.rounds.assign(round=own)
    return found


def kind(finding: Finding) -> str:
    """Return the fixed name of a finding.

    >>> kind(Finding(2, 1, "started before applying"))
    'started_early'
    """
    return next(name for start, name in KINDS.items() if finding.what.startswith(start))
