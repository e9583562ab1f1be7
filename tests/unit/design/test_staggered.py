import numpy as np
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.design.staggered import BasePeriod, Comparison, StaggeredDesign
from mtvp_eval.errors import DesignError


def design(entry, clock=range(1, 7), **settings):
    ids = np.array([f"p{i}" for i in range(len(entry))], dtype=object)
    return StaggeredDesign(ids, np.array(entry), np.array(list(clock)), **settings)


def panel(entry, clock=range(1, 7), weight=None):
    n, T = len(entry), len(list(clock))
    return Panel(
        np.array([f"p{i}" for i in range(n)], dtype=object),
        tuple(str(t) for t in clock),
        np.array(list(clock)),
        {"y": np.zeros((n, T))},
        weight=weight,
        entry=np.array(entry),
    )


def test_units_enrolled_from_the_first_period_are_left_out_and_counted():
    d = StaggeredDesign.from_panel(panel([1, 0, 3, NEVER], weight=np.array([1.0, 2, 3, 4])))
    assert d.unit_ids.tolist() == ["p2", "p3"]
    assert d.always_enrolled == 2
    assert d.size.tolist() == [3, 4]


def test_anticipation_leaves_out_units_without_a_clean_base():
    assert StaggeredDesign.from_panel(panel([2, 3, NEVER]), anticipation=1).cohorts.tolist() == [3, NEVER]


def test_entry_after_the_window_counts_as_never():
    assert design([3, 7, 99]).cohorts.tolist() == [3, NEVER]


def test_nobody_never_enrolled_makes_the_last_cohort_control_only_and_ends_the_window_at_its_entry():
    d = design([3, 4, 5])
    assert d.control_only == 5
    assert d.usable.tolist() == [True] * 4 + [False] * 2
    assert {g for g, _ in d.identified_cells()} == {3, 4}
    assert max(t for _, t in d.identified_cells()) == 4
    never = design([3, 4, 5], comparison=Comparison.NEVER_ENROLLED)
    assert never.comparison_units(3, 3).tolist() == [False, False, True]


def test_another_comparison_keeps_the_cohorts_and_finds_its_own_cells():
    d = design([3, 4, 5])
    identified = d.identified_cells()
    other = d.against(Comparison.NEVER_ENROLLED)
    assert other.cohort_index is d.cohort_index
    assert other.comparisons([(3, 3)]).tolist() == [[False, False, True]]
    assert d.comparisons([(3, 3)]).tolist() == [[False, True, True]]
    assert other.identified_cells(BasePeriod.UNIVERSAL) == design(
        [3, 4, 5], comparison=Comparison.NEVER_ENROLLED
    ).identified_cells(BasePeriod.UNIVERSAL)
    assert d.identified_cells() == identified == design([3, 4, 5]).identified_cells()


def test_anticipation_shifts_base_and_comparison():
    d = design([4, 5, 6, NEVER], anticipation=1)
    assert d.base_period(4, 4) == 2
    # period 4, anticipation 1: cohort 5 may already react, cohort 6 not
    assert d.comparison_units(4, 4).tolist() == [False, False, True, True]


@pytest.mark.parametrize(("base", "expected"), [(BasePeriod.VARYING, 1), (BasePeriod.UNIVERSAL, 3)])
def test_a_lead_is_measured_from_the_declared_base(base, expected):
    assert design([4, NEVER]).base_period(4, 2, base) == expected


def test_base_is_the_last_period_of_the_data_before_entry_where_the_clock_has_gaps():
    assert design([2007, NEVER], clock=[2001, 2004, 2007, 2009]).base_period(2007, 2009) == 2004


def test_a_period_belongs_to_one_comparison_set_only_if_base_and_period_are_untouched():
    d = design([5, 3, NEVER])
    # universal base of cohort 5 is period 4, when cohort 3 is enrolled
    assert d.comparison_units(5, 2, BasePeriod.UNIVERSAL).tolist() == [False, False, True]
    assert d.comparison_units(5, 2).tolist() == [False, True, True]


def test_estimability_says_who_compares_and_why_not():
    rows = {(r.cohort, r.period): r for r in design([3, 4, 4], size=np.array([10.0, 20, 30])).estimability()}
    assert (rows[3, 3].practices_comparing, rows[3, 3].patients_comparing) == (2, 50)
    assert rows[3, 3].identified_by == "parallel trends"
    assert rows[3, 4].identified_by == "not identified"
    assert "nobody is left" in rows[3, 4].reason
    assert "no earlier period" in rows[3, 1].reason


@pytest.mark.parametrize(
    ("entry", "settings", "words"),
    [
        ([3, 3], {}, "share one entry"),
        ([1, 3], {}, "1 units have no period before"),
        ([3, 4], {"anticipation": -1}, "cannot be negative"),
        ([3, 4], {"size": np.array([1.0, 0.0])}, "positive"),
        ([3, 4], {"clock": [3]}, "at least two periods"),
    ],
)
def test_unusable_designs_are_refused(entry, settings, words):
    with pytest.raises(DesignError, match=words):
        design(entry, **settings)


def test_a_panel_in_which_all_were_enrolled_from_the_start_is_refused_with_their_number():
    with pytest.raises(DesignError, match=r"All 3 units are enrolled from the first period on"):
        StaggeredDesign.from_panel(panel([1, 0, 1]))


def test_rows_in_finds_units_by_identifier_and_counts_the_missing():
    d = design([3, 4])
    assert d.rows_in(np.array(["x", "p1", "p0"], dtype=object)).tolist() == [2, 1]
    with pytest.raises(DesignError, match="1 of the design's 2 units"):
        d.rows_in(np.array(["p1"], dtype=object))


def test_a_block_without_a_draw_is_no_lottery():
    d = design([3, 4, 3, 4, 3, 5])
    lottery = LotteryDesign(
        d,
        np.array(list("aabbcc"), dtype=object),
        np.array([3, 4, 3, 3, 3, 5]),
        no_lottery=np.array([0, 0, 0, 0, 1, 1], dtype=bool),
    )
    assert [b.label for b in lottery.drawn] == ["a"]
    assert lottery.restrict(d.entry < 5).block.tolist() == list("aabbc")
    with pytest.raises(DesignError, match="describes"):
        LotteryDesign(d, np.array(["a"], dtype=object), d.entry)


def test_a_block_that_mixes_application_rounds_is_refused():
    design = StaggeredDesign(np.array(list("abcd"), dtype=object), np.array([3, 4, 4, 9]), np.arange(1, 6))
    blocks = np.array(["r1", "r1", "r2", "r2"], dtype=object)
    same = LotteryDesign(design, blocks, design.entry, applied=np.array([1, 1, 2, 2]))
    assert same.restrict(np.array([True, True, True, False])).applied.tolist() == [1, 1, 2]
    with pytest.raises(DesignError, match="1 of 2 blocks mix application rounds"):
        LotteryDesign(design, blocks, design.entry, applied=np.array([1, 1, 1, 2]))
    with pytest.raises(DesignError, match="describes"):
        LotteryDesign(design, blocks, design.entry, applied=np.array([1]))
