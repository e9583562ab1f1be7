"""Ask a peer for local projections and the stack on the made panel, and store what it prints in this folder.

    pip install diff-diff==3.13.0        # in an environment of its own: the project does not need it
    python tests/reference/copies/make_peer.py

The peer is diff-diff (MIT licence, https://github.com/igerber/diff-diff); only numbers are kept.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))
CALLS = {
    "local_projections, equal": 'LPDiD(pre_window=3, post_window=4, reweight=True).fit(d, "y", "unit", "t", "d")',
    "local_projections, variance": 'LPDiD(pre_window=3, post_window=4).fit(d, "y", "unit", "t", "d")',
    "stacked": 'StackedDiD(kappa_pre=2, kappa_post=1).fit(d, "y", "unit", "t", "g")',
    "stacked, never": 'StackedDiD(kappa_pre=2, kappa_post=2, control_group="never_treated")'
    '.fit(d, "y", "unit", "t", "g")',
}


def panel() -> pd.DataFrame:
    """Return the made panel as a table: d is enrolled, g the period of entry or 0."""
    from tests.unit.estimators.made_panel import made_panel

    p = made_panel()
    n, T = p.n_units, p.n_periods
    g, t = np.repeat(np.where(p.entry > 99, 0, p.entry), T), np.tile(p.clock, n)
    on = ((g > 0) & (t >= g)).astype(int)
    return pd.DataFrame({"unit": np.repeat(np.arange(n), T), "t": t, "g": g, "d": on, "y": p.outcomes["y"].ravel()})


def main() -> None:
    """Write one file with every call and its numbers."""
    import diff_diff

    warnings.simplefilter("ignore")
    names = {"LPDiD": diff_diff.LPDiD, "StackedDiD": diff_diff.StackedDiD, "d": panel()}
    found = []
    for label, call in CALLS.items():
        table = eval(call, names)
        table = table.to_dataframe(*(["event_study"] if label.startswith("stacked") else []))
        table = table.rename(columns={"horizon": "event_time", "relative_period": "event_time", "effect": "estimate"})
        table = table.rename(columns={"coefficient": "estimate", "se": "std_error"})
        table = table[table["event_time"] != -1]
        kept = [c for c in ("event_time", "estimate", "std_error", "n_obs", "n_clusters") if c in table]
        found.append({"label": label, "call": call, **{c: table[c].tolist() for c in kept}})
    made = {"software": {"diff-diff": diff_diff.__version__}, "data": "tests/unit/estimators/made_panel.py"}
    text = json.dumps({**made, "variants": found}).replace('{"label"', '\n{"label"')
    (HERE / "reference" / "peer__long_differences.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
