"""diff-diff: classes with fit() and, for most, aggregate()."""

from __future__ import annotations

import diff_diff as dd

_COLUMNS = {"outcome": "y", "unit": "unit", "time": "time", "first_treat": "entry"}
_EVENT = ("relative_period", "event_time", "relative_time", "event", "period", "horizon")


def _table(found):
    """Return the rows of an event-study frame, whatever its columns are called in this class."""
    table = found.to_dataframe()
    event = next(name for name in _EVENT if name in table)
    effect = next(name for name in ("effect", "att", "estimate") if name in table)
    table = table[table[event].notna()]
    return {"rows": list(zip(table[event], table[effect], table["se"], strict=True))}


def _callaway_santanna(frame, covariates, draws):
    def go():
        fitted = dd.CallawaySantAnna(
            control_group="not_yet_treated", estimation_method="dr", n_bootstrap=draws, seed=1
        ).fit(frame, covariates=covariates, **_COLUMNS)
        return _table(fitted.aggregate("event_study"))

    return go


def callaway_santanna_x(frame):
    return _callaway_santanna(frame, ["x"], 0)


def callaway_santanna_draws(frame):
    return _callaway_santanna(frame, ["x"], 999)


def callaway_santanna_plain(frame):
    return _callaway_santanna(frame, None, 0)


def sun_abraham(frame):
    class Level:
        def __init__(self, fitted):
            self.to_dataframe = lambda: fitted.to_dataframe("event_study")

    return lambda: _table(Level(dd.SunAbraham().fit(frame, **_COLUMNS)))


def imputation(frame):
    return lambda: _table(dd.ImputationDiD().fit(frame, **_COLUMNS).aggregate("event_study"))


def two_stage(frame):
    return lambda: _table(dd.TwoStageDiD().fit(frame, **_COLUMNS).aggregate("event_study"))


def etwfe(frame):
    def go():
        fitted = dd.WooldridgeDiD().fit(frame, outcome="y", unit="unit", time="time", cohort="entry")
        return _table(fitted.aggregate("event_study"))

    return go


def permutation(frame):
    """1,000 permutations of a 2x2 contrast, the only one it can permute: first cohort against those waiting."""
    first = frame.loc[frame["entry"] > 0, "entry"].min()
    two = frame[frame["entry"].isin([0, first])].copy()
    two["adopts"], two["post"] = (two["entry"] > 0).astype(int), (two["time"] >= first).astype(int)

    def go():
        found = dd.permutation_test(
            two, outcome="y", treatment="adopts", post="post", unit="unit", n_permutations=1_000, seed=1
        )
        return {"rows": [], "more": {"p": found.p_value, "draws": 1_000}}

    return go
