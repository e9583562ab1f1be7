"""What is compared: tasks, who can do them, the ratios to reach, and where a peer's convention differs."""

from __future__ import annotations

from dataclasses import dataclass, field

EVERY = ("small", "medium", "large")


@dataclass(frozen=True)
class Task:
    """One piece of work: function in `calls`, title, peers, ratio to the fastest peer to reach by size, and notes.

    `conventions` say for a peer what is meant to differ from ours; `also` names further calls of a peer for the task.
    """

    call: str
    title: str
    peers: tuple[str, ...]
    targets: dict[str, float] = field(default_factory=dict)
    sizes: tuple[str, ...] = EVERY
    conventions: dict[str, str] = field(default_factory=dict)
    also: dict[str, str] = field(default_factory=dict)


_HORVITZ = "doubly robust weights divided by the number treated, not by their own sum (Hájek) as in R's DRDID"
_OWN_FACTOR = "another small-sample factor of the standard errors"
_SCATTER = "standard errors from 999 random draws scatter"

TASKS = (
    Task(
        "callaway_santanna_x", "Callaway–Sant'Anna, doubly robust, one covariate",
        ("diff_diff", "statspai", "csdid", "moderndid"), {"medium": 8, "large": 10},
        conventions={"diff_diff": _HORVITZ},
    ),
    Task(
        "callaway_santanna_draws", "the same, 999 multiplier draws and band",
        ("diff_diff", "statspai", "csdid", "moderndid"), {"medium": 10},
        conventions={**dict.fromkeys(("statspai", "csdid", "moderndid"), _SCATTER),
                     "diff_diff": f"{_HORVITZ}; {_SCATTER}"},
    ),
    Task(
        "callaway_santanna_plain", "Callaway–Sant'Anna without covariates", ("diff_diff", "csdid", "moderndid"),
    ),
    Task(
        "sun_abraham", "Sun–Abraham event study", ("statspai", "diff_diff", "pyfixest"), {"medium": 50},
        conventions=dict.fromkeys(("statspai", "diff_diff", "pyfixest"), _OWN_FACTOR),
    ),
    Task("imputation", "Borusyak–Jaravel–Spiess event study", ("diff_diff", "statspai"), {"medium": 100}),
    Task("two_stage", "Gardner two-stage event study", ("diff_diff", "statspai", "pyfixest"), {"medium": 100},
         conventions={"statspai": "eleven horizons, no base period left out"}),
    Task("etwfe", "extended two-way fixed effects, event study", ("diff_diff",), {"medium": 50}),
    Task("twfe_event_study", "two-way fixed effects event study", ("pyfixest",), {"medium": 10}),
    Task("roth_santanna", "Roth–Sant'Anna, efficient, simple average", ("statspai",), {"medium": 1}),
    Task(
        "wild_bootstrap", "wild cluster bootstrap, 9,999 draws, static", ("pyfixest",), {"medium": 20},
        ("small", "medium"), also={"pyfixest": "wild_bootstrap_by_hand"},
    ),
    Task(
        "permutation", "1,000 permutations of the entries, simple average", ("statspai", "diff_diff"),
        {"small": 30, "medium": 30}, ("small", "medium"),
        conventions={
            "statspai": "efficient estimator, not studentised, p without the +1 of the draw itself",
            "diff_diff": "a 2 x 2 contrast of the first cohort only",
        },
    ),
)  # fmt: skip

ALONE = (
    "stacked", "local_projections", "dcdh", "lottery", "poisson_fe", "etwfe_poisson", "stepped_wedge",
    "stepped_wedge_gee", "synthetic_control", "synthetic_did",
)  # fmt: skip
"""Further methods of ours, timed without peers at the two larger sizes: within 2 GiB, or refused with the reason."""
