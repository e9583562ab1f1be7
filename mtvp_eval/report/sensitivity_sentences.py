"""How far conclusions carry, in words: the breakdown value of each effect of the primary outcome."""

from __future__ import annotations

import math

from mtvp_eval.report.inputs import ReportInputs
from mtvp_eval.report.labels import number, term, text


def trend_sensitivity(inputs: ReportInputs, language: str) -> tuple[str, ...]:
    """Say for each effect up to which difference in trends its sign stands, or why that is not known."""
    if inputs.sensitivity_refused:
        return (text("sentence.trends_refused", language, reason=inputs.sensitivity_refused),)
    frame = inputs.trend_sensitivity
    frame = frame[frame["restriction"] == "relative_magnitudes"].drop_duplicates(["window", "estimand"])
    full, frame = frame[frame["window"] == "full"], frame[frame["window"] == "clear"]
    outcome = inputs.outcome(inputs.primary_outcome).title[language]
    said = []
    for target, at in zip(frame["estimand"], frame["breakdown"].astype(float), strict=True):
        key = "inside" if at == 0 else "always" if math.isinf(at) else "hold"
        said.append(
            text(
                f"sentence.trends_{key}", language, outcome=outcome, target=term("target", str(target), language),
                bound=number(at, language, 2),
            )
        )  # fmt: skip
    if not full.empty:
        values = "; ".join(
            f"{term('target', str(target), language)} {number(float(at), language, 2)}"
            for target, at in zip(full["estimand"], full["breakdown"], strict=True)
        )
        counted, every = int(frame["quarters"].iloc[0]), int(full["quarters"].iloc[0])
        said.append(text("sentence.trends_window", language, n=counted, all=every, values=values))
    if inputs.few_clusters:
        said.append(text("sentence.trends_few", language, n=inputs.few_clusters))
    return tuple(said)
