"""Mergers, splits and takeovers: a region whose practices change codes is the region in which they did not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtvp_eval.clock import NEVER
from mtvp_eval.data.lineage import families, followed
from mtvp_eval.data.link import link
from mtvp_eval.dictionary.load import load_dictionary, load_programme
from mtvp_eval.simulate.memory import as_read
from mtvp_eval.simulate.region import simulate_region
from mtvp_eval.simulate.settings import Shares, read_region

ROOT = Path(__file__).resolve().parents[3]
DICTIONARY, PROGRAMME = load_dictionary(ROOT / "data_dictionary"), load_programme(ROOT / "data_dictionary", "mtvp")


@pytest.fixture(scope="module")
def tables():
    settings = read_region(ROOT / "data_dictionary" / "regions.yaml", "small")
    region = simulate_region(replace(settings, shares=Shares(0.0, 0.0, 0.0, 0.0)))
    return dict(region.extracts)


def linked(tables, lineage=()):
    frame = pd.DataFrame(lineage, columns=["practice_id", "successor_id", "quarter", "kind"])
    given = tables | ({"practice_lineage": frame} if len(frame) else {})
    return link(as_read(given, DICTIONARY), DICTIONARY, PROGRAMME)


def recoded(tables, old, new, quarter):
    """The same region, in which a practice's rows from a quarter on carry another code."""
    changed = dict(tables)
    twin = tables["practices"][tables["practices"]["practice_id"] == old].assign(practice_id=new)
    changed["practices"] = pd.concat([tables["practices"], twin], ignore_index=True)
    for name in ("activity", "costs", "surveys"):
        if name in tables:
            frame = tables[name].copy()
            late = (frame["practice_id"] == old) & (frame["quarter"] >= quarter)
            frame.loc[late, "practice_id"] = new
            changed[name] = frame
    return changed


def test_a_new_code_changes_nothing(tables):
    plain = linked(tables)
    old = plain.panel.unit_ids[3]
    quarter = PROGRAMME.first_round + 1
    changed = recoded(tables, old, "01999999", quarter)
    alone = linked(changed)
    assert np.isnan(alone.panel.outcomes["consults_per_1000"][3]).any()  # without the table its quarters are lost
    again = linked(changed, [(old, "01999999", quarter, "recode")])
    assert again.panel.unit_ids.tolist() == plain.panel.unit_ids.tolist()
    for name, y in plain.panel.outcomes.items():
        np.testing.assert_allclose(again.panel.outcomes[name], y, rtol=1e-12)
    np.testing.assert_array_equal(again.panel.entry, plain.panel.entry)
    np.testing.assert_array_equal(again.panel.ended, plain.panel.ended)
    np.testing.assert_allclose(again.panel.weight, plain.panel.weight)
    np.testing.assert_array_equal(again.history.drawn[again.rows], plain.history.drawn[plain.rows])


def test_a_merger_keeps_the_draw_of_its_members_or_leaves(tables):
    plain = linked(tables)
    drawn = plain.history.drawn[plain.rows]
    same = [i for i in range(len(drawn)) if drawn[i] == drawn[0]][:2]
    apart = [same[0], next(i for i in range(len(drawn)) if drawn[i] not in (drawn[0], NEVER))]
    ids, quarter = plain.panel.unit_ids, PROGRAMME.first_round + 1
    together = linked(tables, [(ids[same[1]], ids[same[0]], quarter, "takeover")])
    assert together.panel.n_units == plain.panel.n_units - 1
    family = together.panel.unit_ids.tolist().index(ids[same[0]])
    y, size = plain.panel.outcomes["consults_per_1000"][same], plain.list_size[same]
    expected = (y * size).sum(axis=0) / size.sum(axis=0)
    np.testing.assert_allclose(together.panel.outcomes["consults_per_1000"][family], expected, rtol=1e-12)
    np.testing.assert_allclose(together.panel.outcomes["registered_patients"][family], size.sum(axis=0), rtol=1e-12)
    assert together.panel.weight[family] == pytest.approx(plain.panel.weight[same].sum())
    assert together.account[-2].lost == 1
    gone = linked(tables, [(ids[apart[1]], ids[apart[0]], quarter, "merger")])
    assert gone.panel.n_units == plain.panel.n_units - 2
    assert gone.account[-1].lost == 1  # one family, said in the account
    assert gone.panel.lineage[-1].step == "drawn_apart"


def test_a_family_ends_when_the_last_enrolled_member_does(tables):
    before = linked(tables)
    entered = [i for i, g in enumerate(before.panel.entry) if g != NEVER]
    drawn = before.history.drawn[before.rows]
    first, second = [i for i in entered if drawn[i] == drawn[entered[0]]][:2]
    one, two = before.panel.unit_ids[[first, second]]
    last = int(before.panel.entry[entered].max()) + 2
    frame = tables["enrolment"]
    ended = tables | {"enrolment": frame.assign(ended_quarter=frame["practice_id"].map({one: last, two: last - 1}))}
    apart = linked(ended).panel.ended
    assert apart[[first, second]].tolist() == [last, last - 1]
    assert (np.delete(apart, [first, second]) == NEVER).all()
    together = linked(ended, [(two, one, PROGRAMME.first_round + 1, "merger")]).panel
    assert together.ended[together.unit_ids.tolist().index(one)] == last


def test_changes_after_the_last_quarter_do_nothing(tables):
    plain = linked(tables)
    ids = plain.panel.unit_ids
    later = linked(tables, [(ids[0], ids[1], int(plain.panel.clock[-1]) + 1, "merger")])
    assert later.panel.unit_ids.tolist() == ids.tolist()


def test_a_successor_must_be_in_the_table_of_practices(tables):
    from mtvp_eval.errors import DataValidationError

    with pytest.raises(DataValidationError, match="practice_lineage"):
        linked(tables, [(tables["practices"]["practice_id"].iloc[0], "01888888", 8094, "merger")])


def test_chains_and_gaps():
    assert families(5, np.array([3, 1]), np.array([4, 3])).tolist() == [0, 1, 2, 1, 1]
    y = np.array([[2.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(followed(y, np.ones((2, 2)), np.array([0, 0]), added=True), [[2.0, np.nan]])
