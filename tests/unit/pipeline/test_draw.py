"""The declared draw beside the record: what is built, what is flagged, what is refused."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.config import DrawChoices
from mtvp_eval.data.history import History
from mtvp_eval.design.draw import draw_cohorts
from mtvp_eval.design.rules import Applications, DrawRule, Misfit, Rollover
from mtvp_eval.dictionary.load import load_programme
from mtvp_eval.errors import DesignError
from mtvp_eval.pipeline.draw import UNDOCUMENTED, DrawEvidence, draw_evidence
from mtvp_eval.pipeline.lottery_report import KINDS, kind

PROGRAMME = load_programme(Path(__file__).resolve().parents[3] / "data_dictionary", "mtvp")
FIRST = PROGRAMME.first_round
CHOICES = DrawChoices("queue", "skip", "quarter", "waits", "regional plan", "2023-02-24")


def story(size: list[int], cohort: list[int], applied: list[int] | None = None, **more: Any) -> History:
    """Practices with list sizes, rounds drawn (0 = not), rounds of application (0 = never applied)."""
    n = len(size)
    ids = np.array([f"p{i}" for i in range(n)], dtype=object)
    rounds = np.array(applied or [1] * n)
    drawn = np.where(np.array(cohort) > 0, FIRST + np.array(cohort) - 1, NEVER)
    plain = History(
        practice_ids=ids, reference_list=np.array(size, dtype=float), status=np.full(n, "none", dtype=object),
        consent=np.ones(n, dtype=bool), unit=ids, priority=np.full(n, None, dtype=object),
        applied=np.where(rounds > 0, FIRST + rounds - 1, NEVER), withdrawn=np.full(n, NEVER),
        drawn=drawn, no_lottery=np.array(cohort) == 4,
        last_round=np.where(rounds > 0, np.minimum(drawn, FIRST + 3), NEVER),
        enrolled=drawn, ended=np.full(n, NEVER), announced=np.full(n, np.datetime64("NaT", "D"), dtype="datetime64[D]"),
        first_round=FIRST,
    )  # fmt: skip
    return replace(plain, **more)


def evidence(history: History, choices: DrawChoices = CHOICES, positions: Any = None) -> DrawEvidence:
    n = len(history.practice_ids)
    practices = SimpleNamespace(
        columns={
            "practice_id": history.practice_ids,
            "deprivation": np.linspace(-1, 1, n),
            "urbanicity": np.full(n, np.nan),
        }
    )
    rows = positions or {"practice_id": [], "lottery_round": [], "draw_position": []}
    rounds = SimpleNamespace(
        columns={name: np.array(v, dtype=object if name == "practice_id" else float) for name, v in rows.items()}
    )
    found = draw_evidence(choices, PROGRAMME, history, practices, rounds, seed=1)  # type: ignore[arg-type]
    assert found is not None
    return found


def kinds(found: DrawEvidence) -> set[str]:
    return {kind(f) for f in found.findings}


SIZES = [2000, 2500, 3000, 3500, 2200, 2800, 3100, 2900, 2400, 2600, 2700, 3300]


def fair(seed: int = 0, rollover: str = "queue", misfit: str = "skip") -> list[int]:
    rule = DrawRule(Rollover(rollover), Misfit(misfit), "test", date(2023, 2, 24))
    applications = Applications(np.array(SIZES), np.ones(12), sum(SIZES))
    return draw_cohorts(applications, rule, np.random.default_rng(seed))[0].tolist()


def test_a_fair_draw_has_nothing_flagged_and_everything_described() -> None:
    found = evidence(story(SIZES, fair()))
    assert found.findings == ()
    assert found.check.declared_holds
    assert found.readings == (found.rule,)
    assert found.rule.capped_rounds == 3  # open to all from the fourth quarter on
    assert found.region.applications.region_total == sum(SIZES)
    assert [row.started for row in found.sizes] == [fair().count(h) for h in (1, 2, 3)]
    assert found.balance is not None
    assert found.balance.names == ("log_list_size", "deprivation")  # urbanicity is not recorded
    assert {str(r.identified_by) for r in found.identification if r.event_time == 0} == {"lottery"}


def test_chances_of_entry_stand_on_the_clock_with_never_last() -> None:
    found = evidence(story([*SIZES, 5000], [*fair(), 0], [1] * 12 + [0]))
    clock = np.arange(FIRST - 2, FIRST + 2)
    chance = found.entry_probability(np.arange(13), clock)
    assert chance.shape == (13, 5)
    assert chance.sum(axis=1) == pytest.approx(np.ones(13))
    assert (chance[:, :2] == 0).all()
    assert chance[:12, 2] == pytest.approx(found.chances.probability[:, 1])
    assert chance[12].tolist() == [0, 0, 0, 0, 1]  # never applied


def test_practices_that_never_applied_count_under_the_cap() -> None:
    found = evidence(story([*SIZES, 5000], [*fair(), 0], [1] * 12 + [0]))
    assert found.region.applications.region_total == sum(SIZES) + 5000
    assert found.region.applications.n == 12


def test_practices_of_one_unit_of_assignment_are_one() -> None:
    cohort = fair()
    unit = np.array([f"p{i}" for i in range(12)], dtype=object)
    same = [i for i, c in enumerate(cohort) if c == 1][:2]
    unit[same] = "centre"
    found = evidence(story(SIZES, cohort, unit=unit))
    assert found.region.applications.n == 11
    assert found.member[same[0]] == found.member[same[1]]
    assert found.region.applications.list_size.max() == SIZES[same[0]] + SIZES[same[1]]
    other = next(i for i, c in enumerate(cohort) if c == 2)
    unit[other] = "centre"
    assert "drawn_apart" in kinds(evidence(story(SIZES, cohort, unit=unit), replace(CHOICES, oversize="alone")))


def test_a_round_beyond_the_cap_is_flagged() -> None:
    cohort = [1] * 6 + [2, 2, 3, 3, 4, 4]
    found = evidence(story(SIZES, cohort))
    assert {"cap_broken", "declared_impossible"} <= kinds(found)


def test_a_declaration_the_record_excludes_is_flagged_and_every_reading_left_is_replayed() -> None:
    over = sum(SIZES) / 4
    drawn = (fair(seed, "redraw", "admit") for seed in range(20))
    cohort = next(c for c in drawn if np.array(SIZES)[np.array(c) == 1].sum() > over)
    found = evidence(story(SIZES, cohort))
    assert "declared_impossible" in kinds(found)
    assert {rule.misfit for rule in found.readings} <= {Misfit.ADMIT, Misfit.NEAREST}
    assert len(found.readings) > 1


def test_an_undocumented_rule_is_replayed_in_every_reading_that_fits() -> None:
    found = evidence(story(SIZES, fair()), replace(CHOICES, document=UNDOCUMENTED))
    assert {(r.rollover, r.misfit) for r in found.readings} == set(found.check.compatible)
    assert found.findings == ()


def test_an_undersubscribed_round_says_that_it_was_no_lottery() -> None:
    total = [*SIZES, 60000]
    found = evidence(story(total, [1] * 6 + [2] * 6 + [0], [1] * 6 + [2] * 6 + [0], no_lottery=np.arange(13) < 12))
    assert found.findings == ()
    assert [row.lottery for row in found.sizes[:2]] == [False, False]
    assert {"observational", "one_cohort"} <= {kind(f) for f in found.notes}
    assert {str(r.identified_by) for r in found.identification} <= {"parallel trends", "not identified"}


def test_a_record_that_calls_a_lottery_none_or_the_reverse_is_flagged() -> None:
    cohort = fair()
    assert "recorded_free" in kinds(evidence(story(SIZES, cohort, no_lottery=np.array(cohort) == 1)))
    small = story([*SIZES, 120000], [1] * 12 + [0], [1] * 12 + [0], no_lottery=np.zeros(13, dtype=bool))
    assert "recorded_drawn" in kinds(evidence(small))


def test_the_queue_jumper_and_the_early_starter_are_flagged() -> None:
    cohort = np.array([1, 1, 1, 2, 3, 3, 3, 4, 4, 4, 4, 2])
    applied = [1] * 11 + [2]
    found = evidence(story(SIZES, cohort.tolist(), applied))
    assert "queue_jumped" in kinds(found)
    late = [4 if c == 1 else 1 for c in fair()]
    assert "started_early" in kinds(evidence(story(SIZES, fair(), late)))


def test_a_block_of_one_cohort_is_noted() -> None:
    cohort = fair()
    late = next(i for i, c in enumerate(cohort) if c == 3)
    applied = [1] * 12
    applied[late] = 3
    assert "one_cohort" in {kind(f) for f in evidence(story(SIZES, cohort, applied)).notes}


def test_the_recorded_order_narrows_the_readings() -> None:
    cohort = np.array(fair())
    quarter = FIRST + np.repeat([0, 1, 2], 12)
    order = np.argsort(cohort, kind="stable")  # those drawn first stand first, so nobody was passed over
    place = np.empty(12)
    place[order] = np.arange(1, 13)
    waits = np.concatenate([cohort >= r for r in (1, 2, 3)])
    positions = {
        "practice_id": [f"p{i}" for i in np.tile(np.arange(12), 3)[waits]],
        "lottery_round": quarter[waits].tolist(),
        "draw_position": np.tile(place, 3)[waits].tolist(),
    }
    history = story(SIZES, cohort.tolist())
    without, with_order = evidence(history), evidence(history, positions=positions)
    assert set(with_order.check.compatible) <= set(without.check.compatible)
    assert (Rollover.QUEUE, Misfit.SKIP) in with_order.check.compatible


@pytest.mark.parametrize(
    ("choices", "sizes", "said"),
    [
        (replace(CHOICES, oversize=None), [20000, *SIZES[1:]], "does not say what happens"),
        (replace(CHOICES, misfit="close"), SIZES, "contradict each other"),
        (replace(CHOICES, document=" "), SIZES, "not named"),
    ],
)
def test_an_impossible_declaration_is_refused(choices: DrawChoices, sizes: list[int], said: str) -> None:
    with pytest.raises(DesignError, match=said):
        evidence(story(sizes, fair()), choices)


def test_without_recorded_rounds_there_is_no_evidence() -> None:
    none = story(SIZES, [0] * 12, first_round=None)
    empty = SimpleNamespace(columns={})
    assert draw_evidence(CHOICES, PROGRAMME, none, empty, empty, seed=1) is None  # type: ignore[arg-type]


def test_every_finding_has_a_name_and_words_in_both_languages() -> None:
    from mtvp_eval.report.labels import texts

    for language in ("nl", "en"):
        assert {f"term.draw_finding.{name}" for name in KINDS.values()} <= set(texts(language))
