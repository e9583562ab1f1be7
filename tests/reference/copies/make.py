"""Copy what a reference test needs of the lottery panel and its recorded numbers into this folder.

    python tests/reference/copies/make.py ../shared

The panel is made (not anybody's data); of the recorded results only calls, estimates and standard errors are kept.
"""

import json
import sys
from pathlib import Path

METHODS = ("fixest", "did2s", "didimputation", "etwfe", "fixest_fepois", "bacon")
KEPT = {
    "label", "call", "error", "nobs", "df_t", "coef", "agg_att", "agg_cohort", "emfx_simple", "emfx_group",
    "emfx_calendar", "emfx_event", "emfx_simple_link", "cluster_two_way", "cluster_ssc_none", "cluster_ssc_full",
    "decomposition", "weighted_sum", "by_type", "twfe_check",
}  # fmt: skip
COLUMNS = {"statistic", "stat", "p.value", "p_value", "conf.low", "conf.high"}


def slim(value):
    """Leave out test statistics and intervals, which follow from the rest."""
    if isinstance(value, dict):
        return {k: slim(v) for k, v in value.items() if k not in COLUMNS}
    return value


def main(shared: Path, here: Path) -> None:
    """Write the panel and one file a method."""
    panel = here / "data" / "published" / "lottery_small.csv"
    panel.parent.mkdir(parents=True, exist_ok=True)
    panel.write_bytes((shared / "data" / "published" / "lottery_small.csv").read_bytes())
    folder = here / "reference" / "did"
    folder.mkdir(parents=True, exist_ok=True)
    for method in METHODS:
        for data in ("lottery_small", "lottery_small_lt10"):
            source = shared / "reference" / "did" / f"{data}__{method}.json"
            if not source.is_file():
                continue
            whole = json.loads(source.read_text(encoding="utf-8"))
            found = whole["variants"].values() if isinstance(whole["variants"], dict) else whole["variants"]
            kept = [{k: slim(v) for k, v in one.items() if k in KEPT} for one in found if not one.get("caution")]
            made = {"software": whole["software"], "data_file": whole["data_file"], "variants": kept}
            text = json.dumps(made, ensure_ascii=False, separators=(",", ":")).replace('{"label"', '\n{"label"')
            (folder / source.name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent)
