"""Estimators: panel, design and outcome in, `EffectEstimates` out; one method, one file, one paper.

The functions below carry the names of their modules: ``mtvp_eval.estimators.imputation(panel, design, "cost")``.
"""

from mtvp_eval.estimators.bacon import bacon
from mtvp_eval.estimators.callaway_santanna import callaway_santanna
from mtvp_eval.estimators.dcdh import dcdh
from mtvp_eval.estimators.etwfe import etwfe
from mtvp_eval.estimators.etwfe_poisson import etwfe_poisson
from mtvp_eval.estimators.imputation import imputation, pretrends
from mtvp_eval.estimators.local_projections import local_projections
from mtvp_eval.estimators.lottery import lottery
from mtvp_eval.estimators.lottery_default import lottery_default
from mtvp_eval.estimators.lottery_efficient import lottery_efficient
from mtvp_eval.estimators.lottery_weighted import lottery_weighted
from mtvp_eval.estimators.poisson_fe import poisson_fe
from mtvp_eval.estimators.stacked import stacked
from mtvp_eval.estimators.stepped_wedge import stepped_wedge
from mtvp_eval.estimators.stepped_wedge_gee import stepped_wedge_gee
from mtvp_eval.estimators.sun_abraham import sun_abraham
from mtvp_eval.estimators.synthetic_control import synthetic_control
from mtvp_eval.estimators.synthetic_did import synthetic_did
from mtvp_eval.estimators.twfe import twfe
from mtvp_eval.estimators.two_stage import two_stage

__all__ = [
    "bacon",
    "callaway_santanna",
    "dcdh",
    "etwfe",
    "etwfe_poisson",
    "imputation",
    "local_projections",
    "lottery",
    "lottery_default",
    "lottery_efficient",
    "lottery_weighted",
    "poisson_fe",
    "pretrends",
    "stacked",
    "stepped_wedge",
    "stepped_wedge_gee",
    "sun_abraham",
    "synthetic_control",
    "synthetic_did",
    "twfe",
    "two_stage",
]
