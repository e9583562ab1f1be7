"""StatsPAI: functions; effects by event time stand in the result's model_info or detail."""

from __future__ import annotations

import statspai as sp

_EVENT = ("relative_time", "event_time", "rel_time", "event", "horizon")


def _table(found):
    info = found.model_info if isinstance(found.model_info, dict) else {}
    kept = [info.get(name) for name in ("event_study", "event_study_table", "dynamic", "event_study_effects")]
    table = next((each for each in kept if hasattr(each, "columns")), found.detail)
    event = next(name for name in _EVENT if name in table)
    effect = next(name for name in ("att", "estimate", "coef", "effect") if name in table)
    error = next(name for name in ("se", "std_error", "stderr") if name in table)
    return {"rows": list(zip(table[event], table[effect], table[error], strict=True))}


def _callaway_santanna(frame, covariates, draws):
    band = {"bstrap": True, "cband": True, "random_state": 1} if draws else {}

    def go():
        cells = sp.callaway_santanna(
            frame, y="y", g="entry", t="time", i="unit", x=covariates, estimator="dr", control_group="notyettreated",
            base_period="varying", **(band | {"biters": draws} if draws else {}),
        )  # fmt: skip
        return _table(sp.aggte(cells, type="dynamic", **(band | {"n_boot": draws} if draws else {})))

    return go


def callaway_santanna_x(frame):
    return _callaway_santanna(frame, ["x"], 0)


def callaway_santanna_draws(frame):
    return _callaway_santanna(frame, ["x"], 999)


def callaway_santanna_plain(frame):
    return _callaway_santanna(frame, None, 0)


def sun_abraham(frame):
    return lambda: _table(sp.sun_abraham(frame, y="y", g="entry", t="time", i="unit", cluster="unit"))


def imputation(frame):
    first = frame.loc[frame["entry"] > 0, "entry"].min()
    horizons = list(range(int(frame["time"].max() - first) + 1))
    return lambda: _table(
        sp.did_imputation(frame, y="y", group="unit", time="time", first_treat="entry", horizon=horizons)
    )


def two_stage(frame):
    """Its event study is a dictionary by horizons named D_k-5 to D_k+5."""

    def go():
        found = sp.gardner_did(
            frame, y="y", group="unit", time="time", first_treat="entry", event_study=True, cluster="unit"
        ).model_info["event_study"]
        names = {int(label.removeprefix("D_k")): label for label in found["horizon"]}
        return {"rows": [(event, found["coef"][label], found["se"][label]) for event, label in names.items()]}

    return go


def roth_santanna(frame):
    return _rollout(frame, 0)


def permutation(frame):
    """1,000 free permutations of the entries, Roth and Sant'Anna's simple average."""
    return _rollout(frame, 1_000)


def _rollout(frame, draws):
    fisher = {"fisher": True, "n_fisher": draws, "random_state": 1} if draws else {}

    def go():
        found = sp.staggered_rollout(frame, y="y", i="unit", t="time", g="entry", estimand="simple", **fisher)
        more = {"p": found.model_info.get("fisher_pvalue"), "draws": draws} if draws else {}
        return {"rows": [(None, found.estimate, found.se)], "more": more}

    return go
