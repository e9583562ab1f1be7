"""pyfixest, with wildboottest for the wild bootstrap it asks for."""

from __future__ import annotations

import numpy as np
import pyfixest as pf

_NUMBER = r"(-?\d+(?:\.\d+)?)(?=\D*$)"


def _table(table):
    table = table.reset_index()
    event = table[table.columns[0]].astype(str).str.extract(_NUMBER)[0].astype(float)
    return {"rows": list(zip(event, table["Estimate"], table["Std. Error"], strict=True))}


def sun_abraham(frame):
    def go():
        fitted = pf.event_study(
            frame, yname="y", idname="unit", tname="time", gname="entry", cluster="unit", estimator="saturated",
            att=False,
        )  # fmt: skip
        return _table(fitted.aggregate(agg="period"))

    return go


def two_stage(frame):
    own = frame.copy()
    on = (own["entry"] > 0) & (own["time"] >= own["entry"])
    own["on"], own["since"] = on, np.where(on, own["time"] - own["entry"], -999)

    def go():
        fitted = pf.did2s(
            own, yname="y", first_stage="~ 0 | unit + time", second_stage="~ i(since, ref=-999)", treatment="on",
            cluster="unit",
        )  # fmt: skip
        return _table(fitted.tidy())

    return go


def twfe_event_study(frame):
    own = frame.copy()
    own["since"] = np.where(own["entry"] > 0, own["time"] - own["entry"], -1)
    return lambda: _table(pf.feols("y ~ i(since, ref=-1) | unit + time", own, vcov={"CRV1": "unit"}).tidy())


def _enrolled(frame):
    return frame.assign(on=((frame["entry"] > 0) & (frame["time"] >= frame["entry"])).astype(float))


def wild_bootstrap(frame):
    """9,999 draws by its own method, which makes dense indicators of all units."""
    own = _enrolled(frame)

    def go():
        fitted = pf.feols("y ~ on | unit + time", own, vcov={"CRV1": "region"})
        found = fitted.wildboottest(reps=9_999, cluster="region", param="on", seed=1)
        return {"rows": [(None, fitted.coef().iloc[0], fitted.se().iloc[0])], "more": {"p": found["Pr(>|t|)"]}}

    return go


def wild_bootstrap_by_hand(frame):
    """9,999 draws of wildboottest alone, on outcome and treatment less unit and period means taken by hand."""
    import statsmodels.api as sm
    from wildboottest.wildboottest import wildboottest

    own = _enrolled(frame)

    def within(values):
        by_unit, by_time = (values.groupby(own[key]).transform("mean") for key in ("unit", "time"))
        return values - by_unit - by_time + values.mean()

    def go():
        model = sm.OLS(within(own["y"]).to_numpy(), within(own["on"]).to_frame("on"))
        found = wildboottest(model, param="on", cluster=own["region"].to_numpy(), B=9_999, seed=1, show=False)
        return {"rows": [(None, model.fit().params.iloc[0], None)], "more": {"p": found["p-value"].iloc[0]}}

    return go
