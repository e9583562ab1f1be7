"""Whose patients the money is of: all registered, or the insured of one insurer by practice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mtvp_eval.arrays import FloatArray
from mtvp_eval.config import MoneyChoices
from mtvp_eval.costbenefit.effects import ALL_INSURERS
from mtvp_eval.costbenefit.scenario import own_insured
from mtvp_eval.data.extracts import Extract
from mtvp_eval.data.link import Linked
from mtvp_eval.data.panel import Panel
from mtvp_eval.design.lottery import LotteryDesign
from mtvp_eval.errors import LedgerError


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Practices with the patients whose money is counted in place of all registered ones.

    `claims_of` says whose claims the effects come from, `insured_of` whose insured are counted.
    """

    panel: Panel
    drawn: LotteryDesign
    claims_of: str = ALL_INSURERS
    insured_of: str = ALL_INSURERS


def counted(
    choices: MoneyChoices | None, linked: Linked, insurers: Extract | None, panel: Panel, drawn: LotteryDesign
) -> Counted:
    """Return the practices with their own insured where the question or the claims are of one insurer.

    An effect on the claims of one insurer is never multiplied by all registered patients.

    Raises
    ------
    LedgerError
        If the claims are of several insurers apart, of another insurer than the question asks for, or a practice has no
        share in insurers.csv.
    """
    if choices is None or linked.costs is None:
        return Counted(panel, drawn)
    claims_of, insured_of = _claims_of(linked.costs.insurers), choices.insured_of
    if claims_of not in (ALL_INSURERS, insured_of):
        raise LedgerError(
            f"The cost extract holds the claims of insurer {claims_of} only, but cost_benefit: insured_of is "
            f"{insured_of}. Set insured_of to '{claims_of}' and supply insurers.csv: effects on one insurer's claims "
            "are never multiplied by patients of others."
        )
    if insured_of == ALL_INSURERS:
        return Counted(panel, drawn)
    weight = own_insured(np.diag(panel.weight), _share(linked, insurers, panel, insured_of))
    design = replace(drawn.staggered, size=weight)
    return Counted(replace(panel, weight=weight), replace(drawn, staggered=design), claims_of, insured_of)


def _claims_of(insurers: tuple[str, ...]) -> str:
    if len(insurers) > 1:
        raise LedgerError(
            f"The cost extract holds the claims of {len(insurers)} insurers apart. Supply them added up as "
            "insurer `all`, or those of one insurer with insurers.csv."
        )
    return insurers[0]


def _share(linked: Linked, insurers: Extract | None, panel: Panel, insured_of: str) -> FloatArray:
    """Share of each practice's registered patients insured there (n,), NaN where insurers.csv has no row."""
    share = np.full(len(linked.history.practice_ids), np.nan)
    if insurers is not None:
        own = insurers.columns["insurer"].astype(str) == insured_of
        share[linked.history.of(insurers)[own]] = insurers.columns["insured_share"][own]
    row = {practice: i for i, practice in enumerate(linked.history.practice_ids.tolist())}
    return share[np.array([row[unit] for unit in panel.unit_ids.tolist()], dtype=np.int64)]
